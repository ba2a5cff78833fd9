import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { emit } from '../events.ts'
import type { SubscriptionRecord } from '../tables.ts'
import { periodOf } from './change.ts'
import { itemLine } from './invoice.ts'

/** Credits what is left of the current period, one pending item for each subscription item [stripe docs: prorations]. */
export function creditUnused(ctx: Context, subscription: SubscriptionRecord): void {
  const now = timeOf(ctx, subscription.test_clock)
  const whole = periodOf(subscription)
  if (now >= whole.end) return
  for (const item of subscription._items) {
    const charge = { kind: 'part', whole, sign: -1 } as const
    const line = itemLine(ctx, subscription, {
      item,
      charge,
      period: { start: now, end: whole.end },
      date: now,
    })
    const credit = ctx.store.put('invoiceItems', {
      ...line,
      discountable: false,
      metadata: {},
      parent: {
        type: 'subscription_details',
        subscription_details: { subscription: subscription.id, subscription_item: item.id },
      },
      _position: 0,
    })
    emit(ctx, 'invoiceitem.created', ['invoiceItems', credit])
  }
}
