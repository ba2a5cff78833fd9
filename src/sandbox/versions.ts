import type { Context } from './context.ts'
import { intentOf } from './invoices/payments.ts'

type Fields = Readonly<Record<string, unknown>>

/** The release that took `paid`, `charge`, `subscription`, `tax` and others off invoices [client's changelog]. */
const BASIL = '2025-03-31'

const isHash = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const hashAt = (fields: Fields, name: string): Fields => {
  const value = fields[name]
  return isHash(value) ? value : {}
}
const hashesAt = (fields: Fields, name: string): readonly Fields[] => {
  const value = fields[name]
  return Array.isArray(value) ? value.filter(isHash) : []
}
const without = (fields: Fields, names: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name)))
const sumOf = (taxes: readonly Fields[]): number =>
  taxes.reduce((sum, { amount }) => sum + (typeof amount === 'number' ? amount : 0), 0)

/** An entry of `taxes` as an entry of `tax_amounts`. */
function taxAmount(tax: Fields): Fields {
  return {
    amount: tax['amount'],
    inclusive: tax['tax_behavior'] === 'inclusive',
    tax_rate: hashAt(tax, 'tax_rate_details')['tax_rate'] ?? null,
    taxability_reason: tax['taxability_reason'],
    taxable_amount: tax['taxable_amount'],
  }
}

function priceOf(line: Fields): Fields {
  const pricing = hashAt(line, 'pricing')
  const unit = typeof pricing['unit_amount_decimal'] === 'string' ? pricing['unit_amount_decimal'] : null
  const details = hashAt(pricing, 'price_details')
  const { price = null, product = null } = details
  return {
    id: price,
    object: 'price',
    currency: line['currency'],
    product,
    unit_amount: unit === null || unit.includes('.') ? null : Number(unit),
    unit_amount_decimal: unit,
  }
}

function line(fields: Fields): Fields {
  const parent = hashAt(fields, 'parent')
  const ofSubscription = hashAt(parent, 'subscription_item_details')
  const ofItem = hashAt(parent, 'invoice_item_details')
  const taxes = hashesAt(fields, 'taxes')
  const kept = without(fields, ['parent', 'pricing', 'taxes', 'pretax_credit_amounts', 'quantity_decimal'])
  const isRecurring = parent['type'] === 'subscription_item_details'
  return {
    ...kept,
    amount_excluding_tax: fields['subtotal'],
    ...(isRecurring ? { subscription_item: ofSubscription['subscription_item'] ?? null } : {}),
    invoice_item: ofItem['invoice_item'] ?? ofSubscription['invoice_item'] ?? undefined,
    plan: null,
    price: priceOf(fields),
    proration: ofItem['proration'] ?? ofSubscription['proration'] ?? false,
    proration_details: { credited_items: null },
    subscription: ofSubscription['subscription'] ?? ofItem['subscription'] ?? null,
    tax_amounts: taxes.map(taxAmount),
    tax_rates: [],
    type: isRecurring ? 'subscription' : 'invoiceitem',
  }
}

function invoice(ctx: Context, fields: Fields): Fields {
  const id = typeof fields['id'] === 'string' ? fields['id'] : ''
  const record = ctx.store.get('invoices', id)
  const intent = record === undefined ? undefined : intentOf(ctx, record)
  const taxes = hashesAt(fields, 'total_taxes')
  const lines = hashAt(fields, 'lines')
  const isPaid = fields['status'] === 'paid'
  const gone = [
    'parent',
    'payments',
    'confirmation_secret',
    'total_taxes',
    'amount_overpaid',
    'customer_account',
  ]
  return {
    ...without(fields, gone),
    charge: intent?.latest_charge ?? null,
    discount: null,
    lines: { ...lines, data: hashesAt(lines, 'data').map(line) },
    paid: isPaid,
    paid_out_of_band: isPaid && (record?.amount_paid_off_stripe ?? 0) > 0,
    payment_intent: intent?.id ?? null,
    quote: null,
    subscription: hashAt(hashAt(fields, 'parent'), 'subscription_details')['subscription'] ?? null,
    tax: taxes.length === 0 ? null : sumOf(taxes),
    total_tax_amounts: taxes.map(taxAmount),
  }
}

function invoiceItem(fields: Fields): Fields {
  const price = priceOf(fields)
  const kept = without(fields, ['parent', 'pricing', 'net_amount', 'quantity_decimal', 'customer_account'])
  const { unit_amount, unit_amount_decimal } = price
  const subscription = hashAt(hashAt(fields, 'parent'), 'subscription_details')['subscription'] ?? null
  return { ...kept, plan: null, price, subscription, unit_amount, unit_amount_decimal }
}

/** Charges and payment intents named their invoice. */
function payment(ctx: Context, fields: Fields): Fields {
  const intent = fields['object'] === 'charge' ? fields['payment_intent'] : fields['id']
  const record = typeof intent === 'string' ? ctx.store.get('paymentIntents', intent) : undefined
  return { ...without(fields, ['customer_account', 'payment_record']), invoice: record?._invoice ?? null }
}

/** Its period was the subscription's, not its items'. */
function subscription(fields: Fields): Fields {
  const [first] = hashesAt(hashAt(fields, 'items'), 'data')
  const { current_period_start = null, current_period_end = null } = first ?? {}
  return { ...without(fields, ['customer_account']), current_period_start, current_period_end }
}

const interfaces: Readonly<Record<string, string>> = {
  hosted_page: 'hosted',
  embedded_page: 'embedded',
  elements: 'custom',
}

function object(ctx: Context, fields: Fields): Fields {
  const { object: kind, ui_mode: mode } = fields
  switch (kind) {
    case 'invoice':
      return invoice(ctx, fields)
    case 'invoiceitem':
      return invoiceItem(fields)
    case 'charge':
    case 'payment_intent':
      return payment(ctx, fields)
    case 'subscription':
      return subscription(fields)
    case 'checkout.session':
      return { ...fields, ui_mode: typeof mode === 'string' ? (interfaces[mode] ?? mode) : mode }
    default:
      return fields
  }
}

/** What changed, in members that the old object has. */
function previous(fields: Fields, shown: Fields): Fields {
  const wasPaid = 'paid' in shown && 'status' in fields ? { paid: fields['status'] === 'paid' } : {}
  return { ...Object.fromEntries(Object.entries(fields).filter(([name]) => name in shown)), ...wasPaid }
}

interface Shown {
  readonly data: { readonly object: object; readonly previous_attributes?: object }
}

/**
 * An event in the shape of an endpoint's version: everything before basil is shown as 2022-11-15 showed it, everything
 * since as the newest version does.
 */
export function eventAt(ctx: Context, event: Shown, version: string): object {
  if (version >= BASIL) return { ...event, api_version: version }
  const shown = object(ctx, event.data.object as Fields)
  const { previous_attributes: before } = event.data
  const data = before === undefined ? {} : { previous_attributes: previous(before as Fields, shown) }
  return { ...event, api_version: version, data: { object: shown, ...data } }
}
