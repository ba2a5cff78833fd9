import { hardDeclineCodes } from '../cards.ts'
import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { emit, update } from '../events.ts'
import { followInvoice } from '../subscriptions/change.ts'
import type { Decline, InvoiceRecord } from '../records.ts'
import { nextInstant } from './finalize.ts'
import { setDelinquent } from './settle.ts'

/** Who pays: an automatic attempt, a call of `pay`, or the customer on the hosted page (who can authenticate). */
export type Initiator = 'automatic' | 'api' | 'customer'

/** After a failure Stripe tries again on these days after finalization; its own schedule is learned, this one is guessed. */
const retryDays = [1, 3, 5, 7, 9, 11, 14]
const DAY = 86_400

/** Counts the first attempt and automatic ones only [stripe docs: invoice object, attempt_count]. */
export function attemptCount(invoice: InvoiceRecord, by: Initiator): number {
  return by === 'automatic' || invoice.attempt_count === 0 ? invoice.attempt_count + 1 : invoice.attempt_count
}

/** A payment failed: `invoice.payment_failed`, and when it is tried again. */
export function recordFailure(
  ctx: Context,
  invoice: InvoiceRecord,
  by: Initiator,
  decline: Decline | null,
): InvoiceRecord {
  const failed = {
    ...invoice,
    attempted: true,
    attempt_count: decline === null ? invoice.attempt_count : attemptCount(invoice, by),
    ...(by !== 'automatic' && invoice.attempt_count > 0 ? {} : retryOf(ctx, invoice, decline)),
  }
  const stored = update(ctx, 'invoice.updated', ['invoices', { ...failed, _dueAt: nextInstant(failed) }])
  emit(ctx, 'invoice.payment_failed', ['invoices', stored])
  setDelinquent(ctx, stored, true)
  followInvoice(ctx, stored)
  return stored
}

/** The next automatic attempt; none without `auto_advance`, without a payment method, or after a hard decline. */
function retryOf(
  ctx: Context,
  invoice: InvoiceRecord,
  decline: Decline | null,
): { next_payment_attempt: number | null; _retries: number } {
  const none = { next_payment_attempt: null, _retries: invoice._retries }
  const hard = decline === null || hardDeclineCodes.has(decline.declineCode)
  if (invoice.auto_advance !== true || invoice.status !== 'open' || hard) return none
  const now = timeOf(ctx, invoice.test_clock)
  const from = invoice.status_transitions.finalized_at ?? now
  const left = retryDays.slice(invoice._retries).map((days) => from + days * DAY)
  const next = left.find((at) => at > now)
  return next === undefined ? none : { next_payment_attempt: next, _retries: invoice._retries + 1 }
}
