import type { Context } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit } from '../events.ts'
import { newId } from '../ids.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  currencyCode,
  decimal,
  hash,
  integer,
  mergeMetadata,
  metadata,
  missing,
  oneOf,
  required,
  text,
  unbuilt,
} from '../params.ts'
import { requireRecord } from '../require.ts'
import type { PriceRecord, ProductRecord, Recurring } from '../records.ts'

/** What may be said of a product when it is made and later. */
export const productCommon = {
  active: boolean,
  description: text(),
  metadata,
  statement_descriptor: text(22),
  tax_code: text(),
  unit_label: text(),
  url: text(),
}
const productData = { ...productCommon, name: required(text(5000)), id: text() }

export const recurringShape = hash({
  interval: required(oneOf('day', 'week', 'month', 'year')),
  interval_count: integer(1),
  usage_type: oneOf('licensed', 'metered'),
  trial_period_days: integer(0),
  meter: unbuilt,
})
const taxBehavior = oneOf('exclusive', 'inclusive', 'unspecified')
/** What a price is made of, also where it is made inline. */
export const priceCommon = {
  currency: required(currencyCode),
  unit_amount: integer(0),
  unit_amount_decimal: decimal,
  tax_behavior: taxBehavior,
  recurring: recurringShape,
}
export const priceShape = {
  ...priceCommon,
  product: text(),
  product_data: hash({
    name: required(text()),
    active: boolean,
    id: text(),
    metadata,
    tax_code: text(),
    unit_label: text(),
  }),
  nickname: text(),
  active: boolean,
  metadata,
  lookup_key: text(200),
  transfer_lookup_key: boolean,
  billing_scheme: oneOf('per_unit'),
  tiers: unbuilt,
}

/** Stripe's own time is real time: products and prices know no test clock. */
export const secondsNow = (ctx: Context): number => Math.floor(ctx.nowMs() / 1000)

/** Keeps a product. */
export function newProduct(ctx: Context, values: Values<typeof productData>): ProductRecord {
  const created = secondsNow(ctx)
  const product: ProductRecord = {
    id: values.id ?? newId('prod'),
    object: 'product',
    active: values.active ?? true,
    created,
    default_price: null,
    description: values.description ?? null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: mergeMetadata({}, values.metadata),
    name: values.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: values.statement_descriptor ?? null,
    tax_code: values.tax_code ?? null,
    tax_details: null,
    type: 'service',
    unit_label: values.unit_label ?? null,
    updated: created,
    url: values.url ?? null,
  }
  if (ctx.store.get('products', product.id) !== undefined)
    throw refuse(`Product already exists.`, { code: 'resource_already_exists', param: 'id' })
  ctx.store.put('products', product)
  emit(ctx, 'product.created', ['products', product])
  return product
}

function recurringOf(values: Values<typeof priceShape>): Recurring | null {
  const { recurring } = values
  if (!recurring) return null
  if (recurring.usage_type === 'metered')
    throw refuse('The local sandbox does not implement metered prices.', {
      code: 'sandbox_not_implemented',
      param: 'recurring[usage_type]',
    })
  return {
    interval: recurring.interval,
    interval_count: recurring.interval_count ?? 1,
    meter: null,
    trial_period_days: recurring.trial_period_days ?? null,
    usage_type: 'licensed',
  }
}

/** A decimal without superfluous places, as Stripe shows it. */
function plainDecimal(unit: string): string {
  return unit.includes('.') ? unit.replace(/\.?0+$/, '') : unit
}

/** A lookup key names one price; another takes it over only when asked to [stripe docs: lookup keys]. */
export function freeLookupKey(
  ctx: Context,
  key: string | null | undefined,
  [price, transfers]: readonly [string | null, boolean],
): void {
  if (!key) return
  const holder = [...ctx.store.all('prices')].find((p) => p.lookup_key === key && p.id !== price)
  if (holder === undefined) return
  if (!transfers)
    throw refuse(`A price (\`${holder.id}\`) already uses that lookup key.`, { param: 'lookup_key' })
  ctx.store.put('prices', { ...holder, lookup_key: null })
}

/** Keeps a price, and its product where `product_data` is given. */
export function newPrice(ctx: Context, values: Values<typeof priceShape>): PriceRecord {
  const product = values.product_data ? newProduct(ctx, values.product_data).id : values.product
  if (!product) throw missing('product')
  requireRecord(ctx, ['products', product], 'product')
  const given = values.unit_amount_decimal ?? values.unit_amount?.toString()
  if (given === undefined) throw missing('unit_amount')
  const unit = plainDecimal(given)
  const recurring = recurringOf(values)
  freeLookupKey(ctx, values.lookup_key, [null, values.transfer_lookup_key === true])
  const price: PriceRecord = {
    id: newId('price'),
    object: 'price',
    active: values.active ?? true,
    billing_scheme: 'per_unit',
    created: secondsNow(ctx),
    currency: values.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: values.lookup_key ?? null,
    metadata: mergeMetadata({}, values.metadata),
    nickname: values.nickname ?? null,
    product,
    recurring,
    tax_behavior: values.tax_behavior ?? 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: recurring === null ? 'one_time' : 'recurring',
    unit_amount: unit.includes('.') ? null : Number(unit),
    unit_amount_decimal: unit,
  }
  ctx.store.put('prices', price)
  emit(ctx, 'price.created', ['prices', price])
  return price
}
