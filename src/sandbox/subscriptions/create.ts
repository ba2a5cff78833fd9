import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { notBuilt, refuse, StripeRefusal } from '../errors.ts'
import { emit } from '../events.ts'
import { newId } from '../ids.ts'
import { attemptPayment, completeAuthentication, methodFor } from '../invoices/collect.ts'
import { finalize } from '../invoices/finalize.ts'
import { wrongPriceType } from '../invoices/items.ts'
import { intentOf } from '../invoices/payments.ts'
import { requireRecord } from '../require.ts'
import { requireTaxActive } from '../resources/tax-settings.ts'
import type { CustomerRecord, InvoiceRecord, Metadata, PriceRecord, Recurring } from '../records.ts'
import type { SubscriptionRecord } from '../records.ts'
import { changeSubscription } from './change.ts'
import { invoiceSubscription } from './invoice.ts'
import type { Billing, Charge } from './invoice.ts'
import { boundaryAfter, boundaryAt } from './periods.ts'

/** [stripe docs: subscriptions] */
const MAX_ITEMS = 20

export interface NewItem {
  readonly price: string
  readonly quantity: number
  readonly metadata: Metadata
}

export interface NewSubscription {
  readonly customer: CustomerRecord
  readonly items: readonly NewItem[]
  readonly metadata: Metadata
  readonly description: string | null
  readonly collectionMethod: 'charge_automatically' | 'send_invoice'
  readonly daysUntilDue: number | null
  readonly defaultPaymentMethod: string | null
  readonly defaultTaxRates: readonly string[]
  readonly automaticTax: boolean
  /** In seconds; null: now, or the end of the trial. */
  readonly anchor: number | null
  readonly trialEnd: number | null
  /** Whether time before a later anchor is charged by its part of a period. */
  readonly prorates: boolean
  readonly behavior: 'allow_incomplete' | 'error_if_incomplete' | 'default_incomplete'
  /** The customer is on the page and has been to the bank already; else nobody can answer it. */
  readonly isPresent: boolean
}

/** The prices of a subscription: active (unless it has them already), recurring, of one currency and one interval. */
export function requirePrices(
  ctx: Context,
  items: readonly { readonly price: string; readonly isKept?: boolean }[],
  name: 'items' | 'line_items',
): readonly (PriceRecord & { readonly recurring: Recurring })[] {
  if (items.length > MAX_ITEMS) throw refuse(`A subscription can have at most ${MAX_ITEMS} items.`)
  const prices = items.map(({ price: id, isKept = false }, index) => {
    const price = requireRecord(ctx, ['prices', id], `${name}[${index}][price]`)
    if (!price.active && !isKept)
      throw refuse('The price specified is inactive. This field only accepts active prices.')
    const { recurring } = price
    if (recurring === null) throw wrongPriceType('one_time', 'recurring')
    return { ...price, recurring }
  })
  const alike = ({ currency, recurring }: (typeof prices)[number]) =>
    `${currency} ${recurring.interval} ${recurring.interval_count}`
  const [first] = prices
  if (first === undefined) throw refuse(`Missing required param: ${name}.`, { param: name })
  if (prices.some((price) => alike(price) !== alike(first)))
    throw refuse('Currency and interval fields must match across all prices on this subscription.')
  return prices
}

interface FirstPeriod {
  readonly start: number
  readonly end: number
  readonly anchor: number
  readonly charge: Charge
}

/** From now to the end of the trial, to a later anchor (a part of a period), or to the end of the first period. */
function firstPeriod(input: NewSubscription, recurring: Recurring, now: number): FirstPeriod {
  const { trialEnd, anchor: wanted, prorates } = input
  if (trialEnd !== null) {
    if (wanted !== null) throw notBuilt('billing_cycle_anchor')
    if (trialEnd <= now)
      throw refuse('Invalid timestamp: must be an integer Unix timestamp in the future.', {
        param: 'trial_end',
      })
    return { start: now, end: trialEnd, anchor: trialEnd, charge: { kind: 'trial' } }
  }
  const anchor = wanted ?? now
  if (anchor < now)
    throw refuse('billing_cycle_anchor cannot be in the past', { param: 'billing_cycle_anchor' })
  if (anchor === now)
    return { start: now, end: boundaryAt(now, recurring, 1), anchor, charge: { kind: 'full' } }
  if (anchor > boundaryAt(now, recurring, 1))
    throw refuse('billing_cycle_anchor cannot be later than next natural billing date', {
      param: 'billing_cycle_anchor',
    })
  const whole = { start: boundaryAt(anchor, recurring, -1), end: anchor }
  const charge = prorates ? ({ kind: 'part', whole, sign: 1 } as const) : ({ kind: 'trial' } as const)
  return { start: now, end: anchor, anchor, charge }
}

function record(
  ctx: Context,
  input: NewSubscription,
  [currency, now, period]: readonly [string, number, FirstPeriod],
): SubscriptionRecord {
  const id = newId('sub')
  const { customer, trialEnd } = input
  return {
    id,
    object: 'subscription',
    application: null,
    application_fee_percent: null,
    automatic_tax: {
      disabled_reason: null,
      enabled: input.automaticTax,
      liability: input.automaticTax ? { type: 'self' } : null,
    },
    billing_cycle_anchor: period.anchor,
    billing_cycle_anchor_config: null,
    billing_mode: { flexible: { proration_discounts: 'included' }, type: 'flexible' },
    billing_schedules: [],
    billing_thresholds: null,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    cancellation_details: { comment: null, feedback: null, feedback_option: null, reason: null },
    collection_method: input.collectionMethod,
    created: now,
    currency,
    customer: customer.id,
    customer_account: null,
    days_until_due: input.daysUntilDue,
    default_payment_method: input.defaultPaymentMethod,
    default_source: null,
    default_tax_rates: input.defaultTaxRates,
    description: input.description,
    discounts: [],
    ended_at: null,
    invoice_settings: {
      account_tax_ids: null,
      custom_fields: null,
      description: null,
      footer: null,
      issuer: { type: 'self' },
    },
    latest_invoice: null,
    livemode: false,
    managed_payments: null,
    metadata: input.metadata,
    next_pending_invoice_item_invoice: null,
    on_behalf_of: null,
    pause_collection: null,
    payment_settings: {
      payment_method_options: null,
      payment_method_types: null,
      save_default_payment_method: 'off',
    },
    pending_invoice_item_interval: null,
    pending_setup_intent: null,
    pending_update: null,
    schedule: null,
    start_date: now,
    status: startingStatus(input),
    test_clock: customer.test_clock ?? null,
    transfer_data: null,
    trial_end: trialEnd,
    trial_settings: {
      end_behavior: { billing_cycle_anchor: null, missing_payment_method: 'create_invoice' },
    },
    trial_start: trialEnd === null ? null : now,
    _items: input.items.map((item) => ({
      id: newId('si'),
      created: now,
      current_period_start: period.start,
      current_period_end: period.end,
      metadata: item.metadata,
      quantity: item.quantity,
      _price: item.price,
    })),
    _dueAt: null,
    _isNew: true,
  }
}

function startingStatus({ trialEnd, collectionMethod }: NewSubscription): SubscriptionRecord['status'] {
  if (trialEnd !== null) return 'trialing'
  return collectionMethod === 'send_invoice' ? 'active' : 'incomplete'
}

/** Finalized and paid at once, unless the customer is to pay by an e-mailed invoice or by confirming it. */
function collectFirst(ctx: Context, draft: InvoiceRecord, input: NewSubscription): StripeRefusal | null {
  if (input.collectionMethod === 'send_invoice') return null
  const waits = input.behavior === 'default_incomplete'
  if (!waits && draft.amount_due > 0 && methodFor(ctx, draft) === undefined)
    throw refuse(
      'This customer has no attached payment source or default payment method. Please consider adding a default ' +
        'payment method. For more information, visit ' +
        'https://stripe.com/docs/billing/subscriptions/payment-methods-setting#payment-method-priority.',
      { code: 'resource_missing' },
    )
  // A first invoice that was not paid is not tried again: the subscription expires [stripe docs: statuses].
  const invoice = finalize(ctx, draft, false)
  if (invoice.status === 'paid' || waits) return null
  if (!input.isPresent) return attemptPayment(ctx, invoice, 'api').refusal
  const { invoice: after, refusal } = attemptPayment(ctx, invoice, 'customer')
  const intent = intentOf(ctx, after)
  if (intent?.status !== 'requires_action') return refusal
  return completeAuthentication(ctx, intent, true)?.refusal ?? null
}

/**
 * Makes a subscription with its first invoice. A first payment that fails leaves it incomplete, or with
 * `error_if_incomplete` is the refusal, and nothing has happened [stripe docs: payment_behavior].
 */
export function createSubscription(ctx: Context, input: NewSubscription): SubscriptionRecord {
  const [price] = requirePrices(ctx, input.items, 'items')
  if (price === undefined) throw new Error('no price')
  requireTaxActive(ctx, input.automaticTax)
  const now = timeOf(ctx, input.customer.test_clock)
  const period = firstPeriod(input, price.recurring, now)
  const made = ctx.store.put('subscriptions', record(ctx, input, [price.currency, now, period]))
  const billing: Billing = {
    reason: 'subscription_create',
    accrued: { start: now, end: now },
    lines: { charge: period.charge, period: { start: period.start, end: period.end } },
    takesUnassigned: true,
  }
  const invoice = invoiceSubscription(ctx, made, billing)
  ctx.store.put('subscriptions', { ...made, latest_invoice: invoice.id })
  const refusal = collectFirst(ctx, invoice, input)
  if (refusal !== null && input.behavior === 'error_if_incomplete')
    throw new StripeRefusal(refusal.status, refusal.body)
  const after = changeSubscription(ctx, requireRecord(ctx, ['subscriptions', made.id]))
  const subscription = ctx.store.put('subscriptions', { ...after, _isNew: false })
  emit(ctx, 'customer.subscription.created', ['subscriptions', subscription])
  return subscription
}

/** The end of the period that follows `at`. */
export function nextPeriodEnd(ctx: Context, subscription: SubscriptionRecord, at: number): number {
  const [item] = subscription._items
  const price = item === undefined ? undefined : ctx.store.get('prices', item._price)
  if (!price?.recurring) throw new Error(`${subscription.id} has no recurring price`)
  return boundaryAfter(subscription.billing_cycle_anchor, price.recurring, at)
}
