import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { subscriptionOfItem } from '../invoices/drafts.ts'
import { voidInvoice } from '../invoices/settle.ts'
import type { SubscriptionRecord } from '../records.ts'
import { changeSubscription, hasEnded, periodOf } from './change.ts'
import { nextPeriodEnd } from './create.ts'
import { endSubscription } from './end.ts'
import { invoiceSubscription } from './invoice.ts'

/** Moves on to the next period and invoices it: a draft for an hour, then issued and charged by itself. */
function renew(ctx: Context, subscription: SubscriptionRecord): void {
  const { start: accruedFrom, end: start } = periodOf(subscription)
  const end = nextPeriodEnd(ctx, subscription, start)
  const invoice = invoiceSubscription(ctx, subscription, {
    reason: 'subscription_cycle',
    accrued: { start: accruedFrom, end: start },
    lines: { charge: { kind: 'full' }, period: { start, end } },
    takesUnassigned: true,
  })
  changeSubscription(ctx, {
    ...subscription,
    status: subscription.status === 'trialing' ? 'active' : subscription.status,
    latest_invoice: invoice.id,
    _items: subscription._items.map((item) => ({
      ...item,
      current_period_start: start,
      current_period_end: end,
    })),
  })
}

/** A last invoice of what is pending for a subscription that has ended; nothing pending, no invoice. */
export function invoiceLeftovers(
  ctx: Context,
  subscription: SubscriptionRecord,
  reason: 'subscription_cycle' | 'subscription_update',
): SubscriptionRecord {
  const pending = ctx.store
    .by('invoiceItems', 'customer', subscription.customer)
    .some((item) => item.invoice === null && subscriptionOfItem(item) === subscription.id)
  const { start } = periodOf(subscription)
  const end = timeOf(ctx, subscription.test_clock)
  if (!pending) return subscription
  const invoice = invoiceSubscription(ctx, subscription, {
    reason,
    accrued: { start: Math.min(start, end), end },
    lines: null,
    takesUnassigned: false,
  })
  return ctx.store.put('subscriptions', { ...subscription, latest_invoice: invoice.id })
}

/** Does what time has brought about for one subscription. */
export function subscriptionDue(ctx: Context, subscription: SubscriptionRecord): void {
  const now = timeOf(ctx, subscription.test_clock)
  const customer = ctx.store.get('customers', subscription.customer)
  if (customer === undefined || customer._deleted || subscription.status === 'incomplete_expired') {
    ctx.store.put('subscriptions', { ...subscription, _dueAt: null })
  } else if (hasEnded(subscription)) {
    const quiet = ctx.store.put('subscriptions', { ...subscription, _dueAt: null })
    invoiceLeftovers(ctx, quiet, 'subscription_cycle')
  } else if (subscription.status === 'incomplete') {
    const first = ctx.store.get('invoices', String(subscription.latest_invoice))
    if (first?.status === 'open') voidInvoice(ctx, first)
    else changeSubscription(ctx, { ...subscription, status: 'incomplete_expired' })
  } else if (subscription.cancel_at !== null && subscription.cancel_at <= now) {
    invoiceLeftovers(ctx, endSubscription(ctx, subscription, null), 'subscription_cycle')
  } else {
    renew(ctx, subscription)
  }
}
