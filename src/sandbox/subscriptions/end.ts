import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { emit, update } from '../events.ts'
import { subscriptionOfInvoice } from '../invoices/drafts.ts'
import type { SubscriptionRecord } from '../records.ts'

/** Stripe stops collecting by itself what the subscription still has open [stripe docs: cancel a subscription]. */
function stopCollecting(ctx: Context, subscription: SubscriptionRecord): void {
  for (const invoice of ctx.store.by('invoices', 'customer', subscription.customer)) {
    if (invoice.status !== 'open' || subscriptionOfInvoice(invoice) !== subscription.id) continue
    const left = invoice._overdueSent ? null : invoice.due_date
    const stopped = { ...invoice, auto_advance: false, next_payment_attempt: null, _dueAt: left }
    update(ctx, 'invoice.updated', ['invoices', stopped])
  }
}

/**
 * Ends a subscription now. Pending items stay; `dueAt` says when they will still be invoiced, at the end of the period
 * that was paid for [stripe docs: cancel a subscription].
 */
export function endSubscription(
  ctx: Context,
  subscription: SubscriptionRecord,
  dueAt: number | null,
): SubscriptionRecord {
  const now = timeOf(ctx, subscription.test_clock)
  const details = subscription.cancellation_details
  const ended = ctx.store.put('subscriptions', {
    ...subscription,
    status: 'canceled',
    canceled_at: subscription.canceled_at ?? now,
    ended_at: now,
    cancellation_details: {
      comment: details?.comment ?? null,
      feedback: details?.feedback ?? null,
      feedback_option: null,
      reason: 'cancellation_requested',
    },
    _dueAt: dueAt,
  })
  emit(ctx, 'customer.subscription.deleted', ['subscriptions', ended])
  stopCollecting(ctx, ended)
  return ended
}
