import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { noSuch, refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  hash,
  integer,
  list,
  mergeMetadata,
  metadata,
  missing,
  required,
  text,
  unbuilt,
} from '../params.ts'
import { requireRecord } from '../require.ts'
import type { SubscriptionItemRecord, SubscriptionRecord } from '../records.ts'
import { periodOf } from './change.ts'
import { requirePrices } from './create.ts'
import { prorate } from './prorate.ts'

const editedItem = hash({
  id: text(),
  price: text(),
  quantity: integer(0),
  metadata,
  deleted: boolean,
  clear_usage: unbuilt,
  discounts: unbuilt,
  price_data: unbuilt,
  tax_rates: unbuilt,
})
export const editedItems = list(required(editedItem), 20)
type Edit = NonNullable<Values<{ readonly items: typeof editedItem }>['items']>

function added(ctx: Context, subscription: SubscriptionRecord, edit: Edit): SubscriptionItemRecord {
  if (!edit.price) throw missing('items[0][price]')
  if (subscription._items.some((item) => item._price === edit.price))
    throw refuse(
      'Cannot add multiple subscription items with the same price. Update the quantity of the existing item.',
      { param: 'items' },
    )
  const { start, end } = periodOf(subscription)
  return {
    id: newId('si'),
    created: timeOf(ctx, subscription.test_clock),
    current_period_start: start,
    current_period_end: end,
    metadata: mergeMetadata({}, edit.metadata),
    quantity: edit.quantity ?? 1,
    _price: edit.price,
  }
}

/** The items after an edit: those without an id are new, those that are not named stay as they are. */
function itemsAfter(
  ctx: Context,
  subscription: SubscriptionRecord,
  edits: readonly Edit[],
): readonly SubscriptionItemRecord[] {
  const named = new Map(edits.flatMap((edit) => (edit.id ? [[edit.id, edit] as const] : [])))
  for (const id of named.keys())
    if (!subscription._items.some((item) => item.id === id)) throw noSuch('subscription_item', id, 'items')
  const kept = subscription._items.flatMap((item) => {
    const edit = named.get(item.id)
    if (edit === undefined) return [item]
    if (edit.deleted === true) return []
    return [
      {
        ...item,
        quantity: edit.quantity ?? item.quantity,
        metadata: mergeMetadata(item.metadata, edit.metadata),
        _price: edit.price ?? item._price,
      },
    ]
  })
  const fresh = edits.filter((edit) => !edit.id).map((edit) => added(ctx, subscription, edit))
  return [...kept, ...fresh]
}

function checkPrices(
  ctx: Context,
  before: SubscriptionRecord,
  items: readonly SubscriptionItemRecord[],
): void {
  if (items.length === 0)
    throw refuse(
      'A subscription must have at least one active price. To cancel a subscription, please use the cancel API endpoint.',
      { param: 'items' },
    )
  const [price] = requirePrices(
    ctx,
    items.map((item) => ({
      price: item._price,
      isKept: before._items.some((old) => old._price === item._price),
    })),
    'items',
  )
  const current = requireRecord(ctx, ['prices', before._items[0]?._price ?? ''])
  const isSame =
    price?.currency === current.currency &&
    price.recurring.interval === current.recurring?.interval &&
    price.recurring.interval_count === current.recurring.interval_count
  // Stripe would start a new cycle.
  if (!isSame)
    throw refuse('The local sandbox does not change the interval or the currency of a subscription.', {
      code: 'sandbox_not_implemented',
      param: 'items',
    })
}

/**
 * Changes items in the middle of a period: unless told otherwise, what is left of it is credited at the old price and
 * charged at the new one, as pending items for the next renewal [stripe docs: prorations].
 */
export function changeItems(
  ctx: Context,
  subscription: SubscriptionRecord,
  { edits, prorates }: { readonly edits: readonly Edit[]; readonly prorates: boolean },
): SubscriptionRecord {
  const after = itemsAfter(ctx, subscription, edits)
  checkPrices(ctx, subscription, after)
  const isSame = (a: SubscriptionItemRecord, b: SubscriptionItemRecord) =>
    a.id === b.id && a._price === b._price && a.quantity === b.quantity
  if (prorates) {
    for (const item of subscription._items)
      if (!after.some((other) => isSame(item, other))) prorate(ctx, subscription, [item, -1])
    for (const item of after)
      if (!subscription._items.some((other) => isSame(item, other))) prorate(ctx, subscription, [item, 1])
  }
  return { ...subscription, _items: after }
}
