import type { InvoiceRow } from '../db/stores/invoices.ts'
import { afterAsLongAgain } from './growing-wait.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/**
 * When a waiting invoice looks at Stripe by itself next: after a day, or the least that is given, then at growing intervals
 * (as long again as it has waited), at most a month. A lost webhook delays and never strands it (rule 30).
 */
export function nextLookMs(asOfMs: number, sinceMs: number, leastMs = DAY_MS): number {
  return afterAsLongAgain(asOfMs, sinceMs, { leastMs, mostMs: 30 * DAY_MS })
}

/** Whether something is to be done for it by then. */
export function isDueBy({ nextDueAt }: { readonly nextDueAt: Date | null }, asOfMs: number): boolean {
  return nextDueAt !== null && nextDueAt.getTime() <= asOfMs
}

/**
 * Whether what it is due for is a look at Stripe and nothing more: one that did not get through is made up for soon, and
 * brings no retry of the payment forward (rule 32).
 */
export function isOnlyLookDue({
  nextDueAt,
  nextLookAt,
}: Pick<InvoiceRow, 'nextDueAt' | 'nextLookAt'>): boolean {
  return nextDueAt !== null && nextDueAt.getTime() === nextLookAt?.getTime()
}

/** Written off, and something was reported of it, which may be its payment, while Stripe could not be asked (rule 30). */
export function waitsForLook({ status, nextDueAt }: Pick<InvoiceRow, 'status' | 'nextDueAt'>): boolean {
  return status === 'uncollectible' && nextDueAt !== null
}
