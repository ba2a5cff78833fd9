import type { InvoiceRow } from '../db/stores/invoices.ts'
import { classifyStripeError } from '../stripe/failures.ts'
import type { CollectDeps } from './collect-deps.ts'
import { nextLookMs } from './invoice-look.ts'
import { isOutageCode } from './invoice-outage.ts'
import { changeInvoice, write } from './invoice-write.ts'
import { withdrawBill } from './push-bill.ts'

/** Settled as soon as Stripe has nothing of them any more: the draft of the open period, and what was settled here. */
const withdrawn: ReadonlySet<string | null> = new Set([
  'withdrawn',
  'settled_zero',
  'carried_forward',
  'remainder_reported',
])

/** Whether something of the invoice is to be taken back at Stripe before it is settled. */
export const isBeingWithdrawn = ({ status, substatus }: InvoiceRow): boolean =>
  status === 'draft' && withdrawn.has(substatus)

/** Takes it back and settles it. Repeatable: a draft that is gone is what was asked for. */
export async function finishWithdrawal(
  deps: CollectDeps,
  row: InvoiceRow,
  asOfMs: number,
): Promise<InvoiceRow> {
  const asOf = new Date(asOfMs)
  try {
    await withdrawBill(deps, row, asOfMs)
  } catch (error) {
    const { kind, code, message } = classifyStripeError(error)
    if (kind !== 'final' || isOutageCode(code)) throw error
    // A person has to mend it at Stripe; until then it is looked at now and then.
    const nextDueAt = new Date(nextLookMs(asOfMs, asOfMs))
    return await write(deps.db, row, { statusCode: code, statusReason: message, nextDueAt })
  }
  const settled =
    row.substatus === 'withdrawn'
      ? { status: 'voided', substatus: null, voidedAt: asOf }
      : { status: 'paid', paidAt: asOf }
  return await changeInvoice(deps.db, row, {
    asOfMs,
    detail: `Nothing of it is at Stripe; ${settled.status}`,
    patch: { ...settled, nextDueAt: null, nextLookAt: null },
  })
}
