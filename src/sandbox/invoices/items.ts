import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { refuse } from '../errors.ts'
import { newId } from '../ids.ts'
import type { Values } from '../params.ts'
import {
  boolean,
  clearable,
  currencyCode,
  decimal,
  hash,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  required,
  text,
  unbuilt,
} from '../params.ts'
import { requireRecord } from '../require.ts'
import type { CustomerRecord, InvoiceItemRecord, InvoiceRecord, LinePricing, ManualTax } from '../records.ts'
import { itemsOf } from './lines.ts'

/** [stripe docs: invoice items] */
const MAX_ITEMS = 250

const taxRateData = hash({
  display_name: required(text()),
  inclusive: required(boolean),
  percentage: required(decimal),
  country: text(),
  description: text(),
  jurisdiction: text(),
  jurisdiction_level: text(),
  state: text(),
  tax_type: text(),
})
const taxAmount = hash({
  amount: required(integer()),
  taxable_amount: required(integer()),
  tax_rate_data: required(taxRateData),
  taxability_reason: text(),
})
const priceData = hash({
  currency: currencyCode,
  product: text(),
  product_data: hash({
    name: required(text()),
    description: text(),
    metadata,
    tax_code: text(),
    images: unbuilt,
    unit_label: text(),
  }),
  tax_behavior: oneOf('exclusive', 'inclusive', 'unspecified'),
  unit_amount: integer(),
  unit_amount_decimal: decimal,
})
const common = {
  amount: integer(),
  description: text(5000),
  discountable: boolean,
  discounts: list(unbuilt),
  metadata,
  period: hash({ start: required(integer(0)), end: required(integer(0)) }),
  price_data: priceData,
  pricing: hash({ price: text() }),
  quantity: integer(0),
  quantity_decimal: decimal,
  tax_rates: list(required(text())),
}
export const lineShape = { ...common, tax_amounts: list(required(taxAmount), 20) }
export const itemShape = {
  ...common,
  tax_behavior: clearable(oneOf('exclusive', 'inclusive', 'unspecified')),
  tax_code: text(),
  unit_amount_decimal: decimal,
}
export type ItemInput = Values<typeof lineShape> & Values<typeof itemShape>

interface Target {
  readonly customer: CustomerRecord
  readonly invoice: InvoiceRecord | null
  readonly currency: string
  readonly subscription?: string
  /** The parameter's prefix in refusals: `lines[0]`. */
  readonly path: string
}

const at = (path: string, name: string) => (path === '' ? name : `${path}[${name}]`)

interface Priced {
  readonly amount: number
  readonly quantity: number
  readonly pricing: LinePricing
}

function pricingOf(unit: string, price: string | null, product: string | null): LinePricing {
  const details = price === null ? null : { price, product }
  return { price_details: details, type: 'price_details', unit_amount_decimal: unit }
}

/** Unit amounts times quantity, half away from zero. */
export function multiply(unit: string, quantity: number): number {
  const [whole = '0', fraction = ''] = unit.replace('-', '').split('.')
  const scale = 10n ** BigInt(fraction.length)
  const product = BigInt(whole + fraction) * BigInt(quantity)
  const rounded = (product + scale / 2n) / scale
  return Number(unit.startsWith('-') ? -rounded : rounded)
}

function priceOf(ctx: Context, input: ItemInput, { path, currency }: Target): Priced {
  const { amount, quantity, price_data: data, pricing } = input
  if (input.quantity_decimal !== undefined) throw unbuiltQuantity(path)
  if (amount !== undefined && quantity !== undefined) {
    throw refuse('You may only specify one of these parameters: amount, quantity.', {
      param: at(path, 'amount'),
    })
  }
  if (amount !== undefined) return { amount, quantity: 1, pricing: pricingOf(String(amount), null, null) }
  const count = quantity ?? 1
  if (pricing?.price) {
    const price = requireRecord(ctx, ['prices', pricing.price], at(path, 'pricing[price]'))
    if (price.recurring !== null) throw wrongPriceType('recurring', 'one_time')
    if (price.currency !== currency) {
      throw refuse(
        `The price specified only supports \`${price.currency}\`. This doesn't match the expected currency: \`${currency}\`.`,
      )
    }
    const unit = price.unit_amount_decimal ?? '0'
    return {
      amount: multiply(unit, count),
      quantity: count,
      pricing: pricingOf(unit, price.id, price.product),
    }
  }
  const unit = data?.unit_amount_decimal ?? data?.unit_amount?.toString() ?? input.unit_amount_decimal
  if (unit === undefined)
    throw refuse('You must specify one of these parameters: amount, price_data, pricing.', {
      param: at(path, 'amount'),
    })
  if (data && unit.startsWith('-'))
    throw refuse('This value must be greater than or equal to 0.', {
      param: at(path, 'price_data[unit_amount]'),
    })
  return {
    amount: multiply(unit, count),
    quantity: count,
    pricing: pricingOf(unit, null, data?.product ?? null),
  }
}

/** The refusal of a price that recurs where none may, or the other way round. */
export function wrongPriceType(is: string, takes: string): Error {
  return refuse(
    `The price specified is set to \`type=${is}\` but this field only accepts prices with \`type=${takes}\`.`,
  )
}

function unbuiltQuantity(path: string): Error {
  return refuse('The local sandbox does not implement quantity_decimal.', {
    code: 'sandbox_not_implemented',
    param: at(path, 'quantity_decimal'),
  })
}

function manualTaxes(ctx: Context, input: ItemInput): readonly ManualTax[] | null {
  const { tax_amounts: amounts } = input
  if (!amounts) return null
  return amounts.map(({ amount, taxable_amount, tax_rate_data: data }) => {
    const rate = ctx.store.put('taxRates', {
      id: newId('txr'),
      object: 'tax_rate',
      active: false,
      country: data.country ?? null,
      created: timeOf(ctx, null),
      description: data.description ?? null,
      display_name: data.display_name,
      effective_percentage: Number(data.percentage),
      flat_amount: null,
      inclusive: data.inclusive,
      jurisdiction: data.jurisdiction ?? null,
      jurisdiction_level: null,
      livemode: false,
      metadata: {},
      percentage: Number(data.percentage),
      rate_type: 'percentage',
      state: data.state ?? null,
      tax_type: null,
    })
    return { amount, taxable_amount, rate: rate.id, inclusive: data.inclusive }
  })
}

/** `tax_amounts` cannot live with other taxes [stripe docs: invoice line items]. */
function checkTaxes(ctx: Context, input: ItemInput, { invoice, path }: Target): void {
  for (const [index, id] of (input.tax_rates ?? []).entries())
    requireRecord(ctx, ['taxRates', id], at(path, `tax_rates][${index}`))
  if (!input.tax_amounts) return
  const clashes =
    (input.tax_rates?.length ?? 0) > 0 ||
    (invoice?.default_tax_rates.length ?? 0) > 0 ||
    invoice?.automatic_tax.enabled
  if (clashes)
    throw refuse('You cannot specify `tax_amounts` together with tax rates or automatic tax.', {
      param: at(path, 'tax_amounts'),
    })
}

/** Keeps a new item, on an invoice or pending. */
export function addItem(ctx: Context, input: ItemInput, target: Target): InvoiceItemRecord {
  const { customer, invoice, currency } = target
  checkTaxes(ctx, input, target)
  const existing = invoice === null ? [] : itemsOf(ctx, invoice)
  if (existing.length >= MAX_ITEMS)
    throw refuse(`An invoice can have at most ${MAX_ITEMS} items.`, { code: 'invoice_item_limit_reached' })
  const { amount, quantity, pricing } = priceOf(ctx, input, target)
  const date = timeOf(ctx, customer.test_clock)
  const data = input.price_data
  return ctx.store.put('invoiceItems', {
    id: newId('ii'),
    object: 'invoiceitem',
    amount,
    currency,
    customer: customer.id,
    customer_account: null,
    date,
    description: input.description ?? data?.product_data?.name ?? null,
    discountable: input.discountable ?? amount >= 0,
    discounts: [],
    invoice: invoice?.id ?? null,
    livemode: false,
    metadata: mergeMetadata({}, input.metadata),
    net_amount: amount,
    parent: target.subscription
      ? { type: 'subscription_details', subscription_details: { subscription: target.subscription } }
      : null,
    period: input.period ?? { start: date, end: date },
    pricing,
    proration: false,
    quantity,
    tax_rates: input.tax_rates ?? [],
    test_clock: customer.test_clock ?? null,
    _line: newId('il'),
    _position: (existing.at(-1)?._position ?? 0) + 1,
    _taxBehavior: data?.tax_behavior ?? input.tax_behavior ?? null,
    _taxCode: data?.product_data?.tax_code ?? input.tax_code ?? null,
    _taxAmounts: manualTaxes(ctx, input),
  })
}

/** Changes an item in place. */
export function editItem(
  ctx: Context,
  item: InvoiceItemRecord,
  [input, target]: readonly [ItemInput, Target],
): InvoiceItemRecord {
  checkTaxes(ctx, input, target)
  const reprices =
    input.amount !== undefined ||
    input.quantity !== undefined ||
    input.price_data ||
    input.pricing ||
    input.unit_amount_decimal
  const unit = item.pricing?.unit_amount_decimal ?? '0'
  const onlyQuantity =
    input.quantity !== undefined && !input.price_data && !input.pricing && input.amount === undefined
  const priced = onlyQuantity
    ? { amount: multiply(unit, input.quantity ?? 1), quantity: input.quantity ?? 1 }
    : {}
  const repriced = onlyQuantity ? priced : reprices ? priceOf(ctx, input, target) : {}
  return ctx.store.put('invoiceItems', {
    ...item,
    ...repriced,
    ...('amount' in repriced ? { net_amount: repriced.amount } : {}),
    ...(input.description === undefined ? {} : { description: input.description }),
    ...(input.discountable === undefined ? {} : { discountable: input.discountable }),
    ...(input.period ? { period: input.period } : {}),
    ...(input.tax_rates === undefined ? {} : { tax_rates: input.tax_rates ?? [] }),
    ...(input.tax_amounts === undefined ? {} : { _taxAmounts: manualTaxes(ctx, input) }),
    ...(input.tax_behavior === undefined ? {} : { _taxBehavior: input.tax_behavior }),
    ...(input.tax_code === undefined ? {} : { _taxCode: input.tax_code }),
    metadata: mergeMetadata(item.metadata, input.metadata),
  })
}
