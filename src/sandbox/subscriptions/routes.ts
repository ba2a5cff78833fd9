import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { noSuch, refuse } from '../errors.ts'
import { attemptPayment } from '../invoices/collect.ts'
import { finalize } from '../invoices/finalize.ts'
import { listPage, pageOf } from '../lists.ts'
import type { Values } from '../params.ts'
import { boolean, isInRange, mergeMetadata, oneOf, page, required, text, timeRange } from '../params.ts'
import { present, subscriptionItem } from '../present.ts'
import { requireRecord } from '../require.ts'
import { idOf, route } from '../route.ts'
import type { SubscriptionRecord } from '../records.ts'
import { changeSubscription, hasEnded, periodOf } from './change.ts'
import { createSubscription } from './create.ts'
import { invoiceLeftovers } from './due.ts'
import { endSubscription } from './end.ts'
import { changeItems } from './items.ts'
import { prorate } from './prorate.ts'
import { cancellationDetails, createShape, ownMethod, readNew, updateShape } from './params.ts'

const subscriptionAt = (ctx: Context, path: readonly string[]) =>
  requireRecord(ctx, ['subscriptions', idOf(path)])
const show = (ctx: Context, subscription: SubscriptionRecord) =>
  present(ctx, 'subscriptions', ctx.store.get('subscriptions', subscription.id) ?? subscription)

interface Cancellation {
  readonly cancel_at?: number | null
  readonly cancel_at_period_end?: boolean
}

/** The period's end stands in `cancel_at` too; asking for a cancellation dates `canceled_at` [types of the client]. */
function withCancellation(
  ctx: Context,
  subscription: SubscriptionRecord,
  { cancel_at: at, cancel_at_period_end: atEnd }: Cancellation,
): SubscriptionRecord {
  if (at === undefined && atEnd === undefined) return subscription
  if (at && atEnd === true)
    throw refuse('You may only specify one of these parameters: cancel_at, cancel_at_period_end.')
  const now = timeOf(ctx, subscription.test_clock)
  if (at && at <= now) throw refuse('`cancel_at` must be in the future.', { param: 'cancel_at' })
  const until = atEnd === true ? periodOf(subscription).end : (at ?? null)
  const reason = until === null ? null : ('cancellation_requested' as const)
  return {
    ...subscription,
    cancel_at: until,
    cancel_at_period_end: atEnd === true,
    canceled_at: until === null ? null : now,
    cancellation_details: {
      comment: subscription.cancellation_details?.comment ?? null,
      feedback: subscription.cancellation_details?.feedback ?? null,
      feedback_option: null,
      reason,
    },
  }
}

function withDetails(
  subscription: SubscriptionRecord,
  details: Values<typeof updateShape>['cancellation_details'],
): SubscriptionRecord {
  if (!details) return subscription
  const before = subscription.cancellation_details
  return {
    ...subscription,
    cancellation_details: {
      comment: details.comment === undefined ? (before?.comment ?? null) : details.comment,
      feedback: details.feedback === undefined ? (before?.feedback ?? null) : details.feedback,
      feedback_option: null,
      reason: before?.reason ?? null,
    },
  }
}

function create(ctx: Context, values: Values<typeof createShape>): object {
  const made = createSubscription(ctx, readNew(ctx, values))
  if (values.cancel_at === undefined && values.cancel_at_period_end === undefined) return show(ctx, made)
  return show(ctx, changeSubscription(ctx, withCancellation(ctx, made, values)))
}

/** What an ended subscription still takes [stripe docs: update a subscription]. */
const endedEditable = new Set(['metadata', 'cancellation_details'])

function edit(ctx: Context, values: Values<typeof updateShape>, path: readonly string[]): object {
  const found = subscriptionAt(ctx, path)
  if (hasEnded(found) && Object.keys(values).some((name) => !endedEditable.has(name)))
    throw refuse('A canceled subscription can only update its cancellation_details and metadata.')
  const { default_payment_method: method, description, days_until_due: days } = values
  const collection = values.collection_method ?? found.collection_method
  const until = collection === 'send_invoice' ? (days ?? found.days_until_due) : null
  if (collection === 'send_invoice' && until === null) throw refuse('You must pass `days_until_due`.')
  if (method) ownMethod(ctx, found.customer, method)
  const prorates = values.proration_behavior !== 'none'
  const itemized = values.items ? changeItems(ctx, found, { edits: values.items, prorates }) : found
  const changed = {
    ...itemized,
    ...(method === undefined ? {} : { default_payment_method: method }),
    ...(description === undefined ? {} : { description }),
    collection_method: collection,
    days_until_due: until,
    metadata: mergeMetadata(found.metadata, values.metadata),
  }
  const after = withDetails(withCancellation(ctx, changed, values), values.cancellation_details)
  if (hasEnded(found)) return show(ctx, ctx.store.put('subscriptions', after))
  return show(ctx, changeSubscription(ctx, after))
}

const cancelShape = { cancellation_details: cancellationDetails, invoice_now: boolean, prorate: boolean }

/**
 * Ends now. Pending items are invoiced with `invoice_now`, else at the end of the period; `prorate` credits the unused
 * time as a pending item [stripe docs: cancel a subscription].
 */
function cancel(ctx: Context, values: Values<typeof cancelShape>, path: readonly string[]): object {
  const found = subscriptionAt(ctx, path)
  if (hasEnded(found)) throw noSuch('subscription', found.id)
  if (values.prorate === true) for (const item of found._items) prorate(ctx, found, [item, -1])
  const detailed = withDetails(found, values.cancellation_details)
  const isNow = values.invoice_now === true
  const ended = endSubscription(ctx, detailed, isNow ? null : periodOf(found).end)
  if (!isNow) return show(ctx, ended)
  const last = invoiceLeftovers(ctx, ended, 'subscription_update')
  const draft = ctx.store.get('invoices', String(last.latest_invoice))
  if (last !== ended && draft?.status === 'draft') {
    const invoice = finalize(ctx, draft, true)
    if (invoice.status === 'open' && invoice.collection_method === 'charge_automatically')
      attemptPayment(ctx, invoice, 'automatic')
  }
  return show(ctx, ended)
}

const listShape = {
  ...page,
  collection_method: oneOf('charge_automatically', 'send_invoice'),
  created: timeRange,
  customer: text(),
  price: text(),
  status: oneOf(
    'active',
    'all',
    'canceled',
    'ended',
    'incomplete',
    'incomplete_expired',
    'past_due',
    'paused',
    'trialing',
    'unpaid',
  ),
  test_clock: text(),
}

/** Canceled ones only when asked for; those on a clock only by their clock or customer [stripe docs: list subscriptions]. */
function matches(subscription: SubscriptionRecord, values: Values<typeof listShape>): boolean {
  const { collection_method: method, created, customer, price, status, test_clock: clock } = values
  const wanted =
    status === undefined
      ? subscription.status !== 'canceled'
      : status === 'all' || (status === 'ended' ? hasEnded(subscription) : status === subscription.status)
  return (
    wanted &&
    (method === undefined || subscription.collection_method === method) &&
    (!customer || subscription.customer === customer) &&
    (!price || subscription._items.some((item) => item._price === price)) &&
    (clock ? subscription.test_clock === clock : customer ? true : subscription.test_clock === null) &&
    isInRange(subscription.created, created)
  )
}

function listSubscriptions(ctx: Context, values: Values<typeof listShape>): object {
  const filter = (subscription: SubscriptionRecord) => matches(subscription, values)
  return listPage(
    ctx,
    { table: 'subscriptions', kind: 'subscription', url: '/v1/subscriptions', filter },
    values,
  )
}

const itemsShape = { ...page, subscription: required(text()) }

function listItems(ctx: Context, values: Values<typeof itemsShape>): object {
  const subscription = requireRecord(ctx, ['subscriptions', values.subscription], 'subscription')
  const items = subscription._items.map((item) => subscriptionItem(ctx, subscription.id, item))
  return pageOf('/v1/subscription_items', items, values)
}

function findItem(ctx: Context, id: string): object {
  for (const subscription of ctx.store.newestFirst('subscriptions')) {
    const item = subscription._items.find((candidate) => candidate.id === id)
    if (item !== undefined) return subscriptionItem(ctx, subscription.id, item)
  }
  throw noSuch('subscription_item', id)
}

export const subscriptionRoutes = [
  route('POST', '/v1/subscriptions', [createShape, create]),
  route('GET', '/v1/subscriptions', [listShape, listSubscriptions]),
  route('GET', '/v1/subscriptions/:id', [{}, (ctx, _v, path) => show(ctx, subscriptionAt(ctx, path))]),
  route('POST', '/v1/subscriptions/:id', [updateShape, edit]),
  route('DELETE', '/v1/subscriptions/:id', [cancelShape, cancel]),
  route('GET', '/v1/subscription_items', [itemsShape, listItems]),
  route('GET', '/v1/subscription_items/:id', [{}, (ctx, _v, path) => findItem(ctx, idOf(path))]),
]
