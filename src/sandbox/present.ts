import type { Context } from './context.ts'
import { lineItems } from './invoices/lines.ts'
import type { PriceRecord, SubscriptionItemRecord } from './records.ts'
import type { Table, Tables } from './tables.ts'

/** Takes the sandbox's own members (`_…`) off a record. */
export function strip(record: object): Record<string, unknown> {
  const shown: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(record)) if (!name.startsWith('_')) shown[name] = value
  return shown
}

/** A list as it is nested in an object. */
export function nestedList(url: string, items: readonly object[], limit = 10): object {
  return {
    object: 'list',
    data: items.slice(0, limit),
    has_more: items.length > limit,
    total_count: items.length,
    url,
  }
}

/** A subscription item with its price, and the plan that older code reads. */
export function subscriptionItem(
  ctx: Context,
  subscription: string,
  item: SubscriptionItemRecord,
): { readonly id: string } {
  const price = ctx.store.get('prices', item._price)
  return {
    ...strip(item),
    id: item.id,
    object: 'subscription_item',
    billing_thresholds: null,
    current_trial: null,
    discounts: [],
    plan: price === undefined ? null : planOf(price),
    price: price === undefined ? null : strip(price),
    subscription,
    tax_rates: [],
  } as { readonly id: string }
}

function planOf(price: PriceRecord): object {
  return {
    id: price.id,
    object: 'plan',
    active: price.active,
    amount: price.unit_amount,
    amount_decimal: price.unit_amount_decimal,
    billing_scheme: 'per_unit',
    created: price.created,
    currency: price.currency,
    interval: price.recurring?.interval,
    interval_count: price.recurring?.interval_count,
    livemode: false,
    metadata: price.metadata,
    meter: null,
    nickname: price.nickname,
    product: price.product,
    tiers_mode: null,
    transform_usage: null,
    trial_period_days: price.recurring?.trial_period_days ?? null,
    usage_type: 'licensed',
  }
}

type Presenters = { readonly [T in Table]?: (ctx: Context, record: Tables[T]) => object }

const presenters: Presenters = {
  customers: (_ctx, customer) =>
    customer._deleted ? { id: customer.id, object: 'customer', deleted: true } : strip(customer),
  invoices: (ctx, invoice) => ({
    ...strip(invoice),
    default_tax_rates: invoice.default_tax_rates
      .flatMap((id) => ctx.store.get('taxRates', id) ?? [])
      .map(strip),
    lines: nestedList(`/v1/invoices/${invoice.id}/lines`, lineItems(ctx, invoice)),
  }),
  invoiceItems: (ctx, item) => ({
    ...strip(item),
    quantity_decimal: String(item.quantity),
    tax_rates: item.tax_rates.flatMap((id) => ctx.store.get('taxRates', id) ?? []).map(strip),
  }),
  events: (ctx, event) => ({
    ...strip(event),
    pending_webhooks: ctx.store.by('deliveries', 'event', event.id).filter((d) => d.state === 'pending')
      .length,
  }),
  subscriptions: (ctx, subscription) => ({
    ...strip(subscription),
    default_tax_rates: subscription.default_tax_rates
      .flatMap((id) => ctx.store.get('taxRates', id) ?? [])
      .map(strip),
    items: nestedList(
      `/v1/subscription_items?subscription=${subscription.id}`,
      subscription._items.map((item) => subscriptionItem(ctx, subscription.id, item)),
      20,
    ),
  }),
  creditNotes: (_ctx, note) => ({
    ...strip(note),
    lines: nestedList(`/v1/credit_notes/${note.id}/lines`, note._lines),
  }),
}

/** A record as the API shows it. */
export function present<T extends Table>(ctx: Context, table: T, record: Tables[T]): object {
  const presenter = presenters[table]
  return presenter === undefined ? strip(record) : presenter(ctx, record)
}
