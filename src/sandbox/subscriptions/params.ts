import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { missing } from '../params.ts'
import { refuse } from '../errors.ts'
import type { Param, Values } from '../params.ts'
import {
  boolean,
  clearable,
  currencyCode,
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
import { requireCustomer, requireRecord } from '../require.ts'
import type { NewSubscription } from './create.ts'
import { editedItems } from './items.ts'

const DAY = 86_400

const instantOrNow: Param<number | 'now'> = {
  read: (raw, path) => (raw === 'now' ? 'now' : integer(0).read(raw, path)),
}
export const cancellationDetails = hash({
  comment: text(),
  feedback: clearable(
    oneOf(
      'customer_service',
      'low_quality',
      'missing_features',
      'other',
      'switched_service',
      'too_complex',
      'too_expensive',
      'unused',
    ),
  ),
})

const common = {
  cancel_at: clearable(integer(0)),
  cancel_at_period_end: boolean,
  collection_method: oneOf('charge_automatically', 'send_invoice'),
  days_until_due: integer(0),
  default_payment_method: text(),
  description: text(500),
  metadata,
  add_invoice_items: unbuilt,
  application_fee_percent: unbuilt,
  billing_thresholds: unbuilt,
  default_source: unbuilt,
  discounts: unbuilt,
  invoice_settings: unbuilt,
  on_behalf_of: unbuilt,
  payment_settings: unbuilt,
  pending_invoice_item_interval: unbuilt,
  transfer_data: unbuilt,
  trial_from_plan: unbuilt,
  trial_settings: unbuilt,
}
const itemShape = hash({
  price: required(text()),
  quantity: integer(0),
  metadata,
  price_data: unbuilt,
  discounts: unbuilt,
  tax_rates: unbuilt,
})
export const createShape = {
  ...common,
  customer: required(text()),
  items: required(list(required(itemShape))),
  automatic_tax: hash({ enabled: required(boolean), liability: unbuilt }),
  billing_cycle_anchor: integer(0),
  currency: currencyCode,
  default_tax_rates: list(required(text())),
  off_session: boolean,
  payment_behavior: oneOf('allow_incomplete', 'error_if_incomplete', 'default_incomplete'),
  proration_behavior: oneOf('create_prorations', 'none'),
  trial_end: instantOrNow,
  trial_period_days: integer(1),
  backdate_start_date: unbuilt,
  billing_cycle_anchor_config: unbuilt,
  billing_mode: unbuilt,
}
export const updateShape = {
  ...common,
  cancellation_details: cancellationDetails,
  automatic_tax: unbuilt,
  billing_cycle_anchor: unbuilt,
  default_tax_rates: unbuilt,
  items: editedItems,
  off_session: boolean,
  pause_collection: unbuilt,
  payment_behavior: unbuilt,
  proration_behavior: oneOf('create_prorations', 'none'),
  proration_date: unbuilt,
  trial_end: unbuilt,
}

/** A default payment method must belong to the customer. */
export function ownMethod(ctx: Context, customer: string, id: string): void {
  const method = requireRecord(ctx, ['paymentMethods', id], 'default_payment_method')
  if (method.customer === customer) return
  throw refuse(
    `The customer does not have a payment method with the ID ${id}. The payment method must be attached to the customer.`,
    { code: 'resource_missing', param: 'default_payment_method' },
  )
}

function trialEndOf(values: Values<typeof createShape>, now: number): number | null {
  const { trial_end: end, trial_period_days: days } = values
  if (end !== undefined && days !== undefined)
    throw refuse('You may only specify one of these parameters: trial_end, trial_period_days.')
  if (days !== undefined) return now + days * DAY
  return end === undefined || end === 'now' ? null : end
}

/** Reads the parameters of a new subscription. */
export function readNew(ctx: Context, values: Values<typeof createShape>): NewSubscription {
  const customer = requireCustomer(ctx, values.customer, 'customer')
  const { collection_method: method = 'charge_automatically', days_until_due: days } = values
  if (method === 'send_invoice' && days === undefined) throw missing('days_until_due')
  if (method !== 'send_invoice' && days !== undefined)
    throw refuse("You can only set 'days_until_due' if collection method is 'send_invoice'.", {
      param: 'days_until_due',
    })
  if (values.default_payment_method) ownMethod(ctx, customer.id, values.default_payment_method)
  for (const [index, rate] of (values.default_tax_rates ?? []).entries())
    requireRecord(ctx, ['taxRates', rate], `default_tax_rates[${index}]`)
  const seen = values.items.map((item) => item.price)
  if (new Set(seen).size !== seen.length)
    throw refuse('You cannot have two subscription items with the same price.', { param: 'items' })
  return {
    customer,
    items: values.items.map((item) => ({
      price: item.price,
      quantity: item.quantity ?? 1,
      metadata: mergeMetadata({}, item.metadata),
    })),
    metadata: mergeMetadata({}, values.metadata),
    description: values.description ?? null,
    collectionMethod: method,
    daysUntilDue: days ?? null,
    defaultPaymentMethod: values.default_payment_method ?? null,
    defaultTaxRates: values.default_tax_rates ?? [],
    automaticTax: values.automatic_tax?.enabled ?? false,
    anchor: values.billing_cycle_anchor ?? null,
    trialEnd: trialEndOf(values, timeOf(ctx, customer.test_clock)),
    prorates: values.proration_behavior !== 'none',
    behavior: values.payment_behavior ?? 'allow_incomplete',
    isPresent: false,
  }
}
