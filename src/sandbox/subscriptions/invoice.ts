import type { Context } from '../context.ts'
import { formatAmount } from '../currencies.ts'
import { emit, update } from '../events.ts'
import { newId } from '../ids.ts'
import {
  automaticTax,
  blank,
  subscriptionOfItem,
  subscriptionParent,
  sweepPending,
  withSchedule,
} from '../invoices/drafts.ts'
import { multiply } from '../invoices/items.ts'
import { withTotals } from '../invoices/totals.ts'
import { requireRecord } from '../require.ts'
import type {
  CustomerRecord,
  InvoiceItemRecord,
  InvoiceRecord,
  PriceRecord,
  SubscriptionItemRecord,
  SubscriptionRecord,
} from '../records.ts'

const DAY = 86_400

interface Span {
  readonly start: number
  readonly end: number
}
/** How the subscription's own lines are billed: in full, a part of a period, or not yet. */
export type Charge =
  | { readonly kind: 'full' }
  | { readonly kind: 'trial' }
  | { readonly kind: 'part'; readonly whole: Span; readonly sign: 1 | -1 }

/** A part of an amount by time, half away from zero. */
function partOf(amount: number, part: Span, whole: Span): number {
  const length = BigInt(whole.end - whole.start)
  const product = BigInt(amount) * BigInt(part.end - part.start)
  return Number((product * 2n + length) / (length * 2n))
}

function each({ recurring }: PriceRecord): string {
  if (recurring === null) return ''
  return recurring.interval_count === 1
    ? `/ ${recurring.interval}`
    : `every ${recurring.interval_count} ${recurring.interval}s`
}

function unitText(price: PriceRecord): string {
  const { unit_amount: unit, unit_amount_decimal: exact, currency } = price
  return unit === null
    ? `${exact ?? '0'} minor units ${currency.toUpperCase()}`
    : formatAmount(unit, currency)
}

function describe(price: PriceRecord, name: string, [quantity, charge]: readonly [number, Charge]): string {
  if (charge.kind === 'trial') return `Trial period for ${name}`
  if (charge.kind === 'part')
    return `${charge.sign < 0 ? 'Unused' : 'Remaining'} time on ${quantity > 1 ? `${quantity} × ` : ''}${name}`
  return `${quantity} × ${name} (at ${unitText(price)} ${each(price)})`
}

function amountOf(price: PriceRecord, quantity: number, [charge, period]: readonly [Charge, Span]): number {
  const full = multiply(price.unit_amount_decimal ?? '0', quantity)
  if (charge.kind === 'trial') return 0
  return charge.kind === 'full' ? full : charge.sign * partOf(full, period, charge.whole)
}

/** A line of the subscription itself; without an invoice it is a pending proration, which is an invoice item. */
export function itemLine(
  ctx: Context,
  subscription: SubscriptionRecord,
  {
    item,
    charge,
    period,
    date,
  }: {
    readonly item: SubscriptionItemRecord
    readonly charge: Charge
    readonly period: Span
    readonly date: number
  },
): Omit<InvoiceItemRecord, '_position'> {
  const price = requireRecord(ctx, ['prices', item._price])
  const name = ctx.store.get('products', price.product)?.name ?? price.product
  const amount = amountOf(price, item.quantity, [charge, period])
  return {
    id: newId('ii'),
    object: 'invoiceitem',
    amount,
    currency: price.currency,
    customer: subscription.customer,
    customer_account: null,
    date,
    description: describe(price, name, [item.quantity, charge]),
    discountable: true,
    discounts: [],
    invoice: null,
    livemode: false,
    metadata: subscription.metadata,
    net_amount: amount,
    parent: null,
    period,
    pricing: {
      price_details: { price: price.id, product: price.product },
      type: 'price_details',
      unit_amount_decimal: price.unit_amount_decimal ?? '0',
    },
    proration: charge.kind === 'part',
    quantity: item.quantity,
    tax_rates: [],
    test_clock: subscription.test_clock,
    _line: newId('il'),
    _taxBehavior: price.tax_behavior === 'unspecified' ? null : price.tax_behavior,
    _taxAmounts: null,
  }
}

/** What is billed at one instant. */
export interface Billing {
  readonly reason: 'subscription_create' | 'subscription_cycle' | 'subscription_update'
  /** When items were accrued: the invoice's own period. */
  readonly accrued: Span
  /** The subscription's lines and their period; null: swept items alone. */
  readonly lines: { readonly charge: Charge; readonly period: Span } | null
  /** Whether items of no subscription are taken along. */
  readonly takesUnassigned: boolean
}

function addLines(
  ctx: Context,
  subscription: SubscriptionRecord,
  [invoice, lines]: readonly [InvoiceRecord, NonNullable<Billing['lines']>],
): void {
  subscription._items.forEach((item, index) => {
    const line = itemLine(ctx, subscription, { item, ...lines, date: invoice.created })
    // Between the swept items (whole negative positions) and what is added later (positive ones), newest first.
    const placed = { _position: -(index + 1) / 1000, _subscriptionItem: item.id, invoice: invoice.id }
    ctx.store.put('invoiceItems', { ...line, ...placed })
  })
}

function draftFor(
  ctx: Context,
  subscription: SubscriptionRecord,
  [customer, { reason, accrued }]: readonly [CustomerRecord, Billing],
): InvoiceRecord {
  const base = blank(ctx, customer, subscription.currency)
  const days = subscription.days_until_due
  return withSchedule(
    {
      ...base,
      auto_advance: true,
      automatic_tax: automaticTax(subscription.automatic_tax.enabled),
      billing_reason: reason,
      collection_method: subscription.collection_method,
      default_tax_rates: subscription.default_tax_rates,
      due_date: days === null ? null : base.created + days * DAY,
      parent: subscriptionParent(subscription.id, subscription.metadata),
      period_start: accrued.start,
      period_end: accrued.end,
      _daysUntilDue: days,
    },
    undefined,
  )
}

/** Creates a draft for a subscription: swept pending items and its own lines; finalized an hour later by itself. */
export function invoiceSubscription(
  ctx: Context,
  subscription: SubscriptionRecord,
  billing: Billing,
): InvoiceRecord {
  const customer = requireRecord(ctx, ['customers', subscription.customer])
  const draft = ctx.store.put('invoices', draftFor(ctx, subscription, [customer, billing]))
  sweepPending(ctx, draft, (item) => {
    const owner = subscriptionOfItem(item)
    return owner === subscription.id || (owner === null && billing.takesUnassigned)
  })
  if (billing.lines !== null) addLines(ctx, subscription, [draft, billing.lines])
  const invoice = ctx.store.put('invoices', withTotals(ctx, draft))
  if (customer.currency === null)
    update(ctx, 'customer.updated', ['customers', { ...customer, currency: invoice.currency }])
  emit(ctx, 'invoice.created', ['invoices', invoice])
  return invoice
}
