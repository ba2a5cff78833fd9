import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { emit } from '../events.ts'
import type { SubscriptionItemRecord, SubscriptionRecord } from '../records.ts'
import { periodOf } from './change.ts'
import { itemLine } from './invoice.ts'

/**
 * Credits (-1) or charges (1) what is left of the current period of one item, as a pending item of the subscription
 * [stripe docs: prorations]. Nothing is prorated in a trial.
 */
export function prorate(
  ctx: Context,
  subscription: SubscriptionRecord,
  [item, sign]: readonly [SubscriptionItemRecord, 1 | -1],
): void {
  const now = timeOf(ctx, subscription.test_clock)
  const whole = periodOf(subscription)
  if (subscription.status === 'trialing' || now >= whole.end) return
  const charge = { kind: 'part', whole, sign } as const
  const period = { start: now, end: whole.end }
  const line = itemLine(ctx, subscription, { item, charge, period, date: now })
  const proration = ctx.store.put('invoiceItems', {
    ...line,
    discountable: false,
    metadata: {},
    parent: {
      type: 'subscription_details',
      subscription_details: { subscription: subscription.id, subscription_item: item.id },
    },
    _position: 0,
  })
  emit(ctx, 'invoiceitem.created', ['invoiceItems', proration])
}
