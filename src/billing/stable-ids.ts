import { encodeTime } from 'ulid'
import { digestDigits } from './digest-digits.ts'
import type { Db } from '../db/connection.ts'
import { hasInvoice } from '../db/stores/invoices.ts'
import type { ClosingPlan } from './closing-plan.ts'

const TIME_LENGTH = 10

type OfClosing = Pick<ClosingPlan, 'subscription' | 'closing' | 'reason'>

/**
 * The id of a closing's invoice follows from the closing. A database that was restored to before it closes again under the
 * same id, so that Stripe's invoice is found by its metadata and adopted, never made twice (rule 31). A running invoice that
 * was withdrawn keeps its id: the next is another.
 */
export async function invoiceIdOf(db: Db, plan: OfClosing & Pick<ClosingPlan, 'present'>): Promise<string> {
  if (!plan.present.isIdTaken) return firstInvoiceId(plan)
  for (let again = 1; ; again++) {
    const id = nthInvoiceId(plan, again)
    if (!(await hasInvoice(db, id))) return id
  }
}

/** The same where no invoice was withdrawn before. */
export const firstInvoiceId = (closing: OfClosing): string => nthInvoiceId(closing, 0)

const nthInvoiceId = ({ subscription, closing, reason }: OfClosing, again: number): string =>
  ulidOf(closing.atMs, [subscription.id, String(closing.atMs), reason, String(again)])

/** The id of a line, by which Stripe's line is found again: an invoice bills a slice on one line of a kind. */
export function lineIdOf(
  invoiceId: string,
  line: { readonly kind: string; readonly lineKey: string },
): string {
  return `${invoiceId.slice(0, TIME_LENGTH)}${randomPart([invoiceId, line.kind, line.lineKey])}`
}

/** Of a ULID's shape: the instant, then 80 bits of a digest in the place of chance. */
function ulidOf(atMs: number, parts: readonly string[]): string {
  return `${encodeTime(Math.max(atMs, 0), TIME_LENGTH)}${randomPart(parts)}`
}

const randomPart = (parts: readonly string[]): string => digestDigits(JSON.stringify(parts))
