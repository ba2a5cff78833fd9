import type { Context } from '../context.ts'
import { update } from '../events.ts'
import { subscriptionOfInvoice } from '../invoices/drafts.ts'
import { intentOf } from '../invoices/payments.ts'
import type { InvoiceRecord, SubscriptionRecord } from '../records.ts'

const HOUR = 3600
/** The first invoice must be paid within this time [stripe docs: subscription statuses]. */
const INCOMPLETE_WINDOW = 23 * HOUR

/** Whether it is over, whatever became of its invoices. */
export function hasEnded({ status }: SubscriptionRecord): boolean {
  return status === 'canceled' || status === 'incomplete_expired'
}

/** The current period: the same for all items, for only one interval is allowed here. */
export function periodOf(subscription: SubscriptionRecord): { readonly start: number; readonly end: number } {
  const [first] = subscription._items
  return { start: first?.current_period_start ?? 0, end: first?.current_period_end ?? 0 }
}

function nextInstant(subscription: SubscriptionRecord): number | null {
  if (hasEnded(subscription)) return null
  if (subscription.status === 'incomplete') return subscription.created + INCOMPLETE_WINDOW
  return Math.min(periodOf(subscription).end, subscription.cancel_at ?? Infinity)
}

/** Keeps a changed subscription and tells of it, unless it is still being made. */
export function changeSubscription(ctx: Context, changed: SubscriptionRecord): SubscriptionRecord {
  const timed = { ...changed, _dueAt: nextInstant(changed) }
  if (timed._isNew) return ctx.store.put('subscriptions', timed)
  return update(ctx, 'customer.subscription.updated', ['subscriptions', timed])
}

/** The invoices that decide about its status: those of its cycle that have been issued. */
function latestIssued(ctx: Context, subscription: SubscriptionRecord): InvoiceRecord | undefined {
  return ctx.store
    .by('invoices', 'customer', subscription.customer)
    .filter(
      (invoice) =>
        subscriptionOfInvoice(invoice) === subscription.id &&
        invoice.billing_reason !== 'manual' &&
        invoice.status !== 'draft',
    )
    .at(-1)
}

function statusAfter(
  ctx: Context,
  { status }: SubscriptionRecord,
  invoice: InvoiceRecord,
): SubscriptionRecord['status'] {
  // A debit that is on its way counts as good until the bank says otherwise.
  const isOnItsWay = invoice.status === 'open' && intentOf(ctx, invoice)?.status === 'processing'
  if (status === 'incomplete') {
    if (invoice.status === 'paid' || isOnItsWay) return 'active'
    return invoice.status === 'void' ? 'incomplete_expired' : status
  }
  if (isOnItsWay) return status
  if (invoice.status === 'open') return invoice.attempted || invoice._overdueSent ? 'past_due' : status
  return status === 'past_due' ? 'active' : status
}

/**
 * What became of the latest issued invoice decides: paid, void and uncollectible make active, a failed payment or a
 * passed due date past due; the first payment alone turns an incomplete subscription active [stripe docs: statuses].
 */
export function followInvoice(ctx: Context, invoice: InvoiceRecord): void {
  const id = subscriptionOfInvoice(invoice)
  const subscription = id === null ? undefined : ctx.store.get('subscriptions', id)
  if (subscription === undefined || hasEnded(subscription)) return
  if (latestIssued(ctx, subscription)?.id !== invoice.id) return
  const status = statusAfter(ctx, subscription, invoice)
  if (status !== subscription.status) changeSubscription(ctx, { ...subscription, status })
}
