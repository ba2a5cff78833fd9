import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit } from '../events.ts'
import { newId } from '../ids.ts'
import { multiply } from '../invoices/items.ts'
import type { Values } from '../params.ts'
import { hash, integer, list, mergeMetadata, metadata, missing, required, text, unbuilt } from '../params.ts'
import { requireCustomer, requireRecord } from '../require.ts'
import { attach } from '../resources/payment-methods.ts'
import { createSubscription, requirePrices } from '../subscriptions/create.ts'
import type { CheckoutDetails, PaymentMethodRecord, SessionRecord, SessionSubscription } from '../records.ts'
import { settleCustomer, shownDetails } from './details.ts'
import type { Progress } from './setup-mode.ts'

const DAY = 86_400

/** What a session in subscription mode takes beside the parameters of all modes. */
export const subscriptionShape = {
  line_items: list(
    required(
      hash({
        price: required(text()),
        quantity: integer(1),
        metadata,
        price_data: unbuilt,
        adjustable_quantity: unbuilt,
        dynamic_tax_rates: unbuilt,
        tax_rates: unbuilt,
      }),
    ),
    100,
  ),
  subscription_data: hash({
    metadata,
    description: text(500),
    trial_period_days: integer(1),
    billing_cycle_anchor: unbuilt,
    default_tax_rates: unbuilt,
    invoice_settings: unbuilt,
    proration_behavior: unbuilt,
    trial_end: unbuilt,
    trial_settings: unbuilt,
  }),
}
type Wanted = Values<typeof subscriptionShape> & {
  readonly currency?: string
  readonly customer?: string | null
  readonly customer_creation?: string
  readonly setup_intent_data?: object | null
}

const onlyIn = (param: string, mode: string) =>
  refuse(`You can not pass \`${param}\` in \`${mode}\` mode.`, { param })

/** Refuses, in setup mode, what belongs to subscriptions. */
export function refuseSubscriptionParameters(values: Wanted): void {
  if (values.line_items) throw onlyIn('line_items', 'setup')
  if (values.subscription_data) throw onlyIn('subscription_data', 'setup')
}

function plan(values: Wanted): SessionSubscription {
  const data = values.subscription_data
  return {
    items: (values.line_items ?? []).map(({ price, quantity }) => ({
      id: newId('li'),
      price,
      quantity: quantity ?? 1,
    })),
    metadata: mergeMetadata({}, data?.metadata),
    description: data?.description ?? null,
    trialPeriodDays: data?.trial_period_days ?? null,
  }
}

const sumOf = (ctx: Context, items: SessionSubscription['items']): number =>
  items.reduce((sum, item) => {
    const unit = requireRecord(ctx, ['prices', item.price]).unit_amount_decimal ?? '0'
    return sum + multiply(unit, item.quantity)
  }, 0)

/** The members in which such a session differs; refuses what cannot be subscribed to. */
export function newSubscriptionSession(ctx: Context, values: Wanted): object {
  if (!values.line_items || values.line_items.length === 0) throw missing('line_items')
  if (values.setup_intent_data) throw onlyIn('setup_intent_data', 'subscription')
  if (values.customer_creation) throw onlyIn('customer_creation', 'subscription')
  const _subscription = plan(values)
  const [price] = requirePrices(ctx, _subscription.items, 'line_items')
  if (values.currency && price?.currency !== values.currency)
    throw refuse('The `currency` does not match the currency of the line items.', { param: 'currency' })
  // A trial collects nothing now [types of the client: payment_status].
  const isTrial = _subscription.trialPeriodDays !== null
  const sum = isTrial ? 0 : sumOf(ctx, _subscription.items)
  return {
    mode: 'subscription',
    currency: price?.currency,
    amount_subtotal: sum,
    amount_total: sum,
    customer_creation: values.customer ? null : 'always',
    payment_method_options: { card: { request_three_d_secure: 'automatic' } },
    payment_status: isTrial ? 'no_payment_required' : 'unpaid',
    setup_intent: null,
    total_details: { amount_discount: 0, amount_shipping: 0, amount_tax: 0 },
    _subscription,
  }
}

/** The line items as the API shows them. */
export function lineItemsOf(ctx: Context, session: SessionRecord) {
  const isTrial = typeof session._subscription?.trialPeriodDays === 'number'
  return (session._subscription?.items ?? []).map((item) => {
    const price = requireRecord(ctx, ['prices', item.price])
    const amount = isTrial ? 0 : multiply(price.unit_amount_decimal ?? '0', item.quantity)
    return {
      id: item.id,
      object: 'item',
      adjustable_quantity: null,
      amount_discount: 0,
      amount_subtotal: amount,
      amount_tax: 0,
      amount_total: amount,
      currency: price.currency,
      description: ctx.store.get('products', price.product)?.name ?? null,
      metadata: {},
      price,
      quantity: item.quantity,
    }
  })
}

/** Subscribes: all of it happens, or with a declined card nothing does. */
function complete(
  ctx: Context,
  session: SessionRecord,
  [method, details]: readonly [PaymentMethodRecord, CheckoutDetails],
): Progress {
  const wanted = session._subscription
  const customer = settleCustomer(ctx, session, details)
  if (wanted === undefined || customer === null) throw new Error(`${session.id} is no subscription`)
  attach(ctx, method.id, customer)
  const owner = requireCustomer(ctx, customer)
  const now = timeOf(ctx, owner.test_clock)
  const subscription = createSubscription(ctx, {
    customer: owner,
    items: wanted.items.map(({ price, quantity }) => ({ price, quantity, metadata: {} })),
    metadata: wanted.metadata,
    description: wanted.description,
    collectionMethod: 'charge_automatically',
    daysUntilDue: null,
    defaultPaymentMethod: method.id,
    defaultTaxRates: [],
    automaticTax: false,
    anchor: null,
    trialEnd: wanted.trialPeriodDays === null ? null : now + wanted.trialPeriodDays * DAY,
    prorates: true,
    behavior: 'error_if_incomplete',
    isPresent: true,
  })
  const done = {
    ...session,
    ...shownDetails(ctx, customer, details),
    customer,
    invoice: subscription.latest_invoice as string,
    payment_status: subscription.status === 'trialing' ? 'no_payment_required' : 'paid',
    status: 'complete',
    subscription: subscription.id,
    url: null,
    _dueAt: null,
  } as SessionRecord
  emit(ctx, 'checkout.session.completed', ['sessions', ctx.store.put('sessions', done)])
  return 'complete'
}

/** The customer sent a card; one whose bank wants to be asked waits for that. */
export function submitSubscription(
  ctx: Context,
  session: SessionRecord,
  [method, details]: readonly [PaymentMethodRecord, CheckoutDetails],
): Progress {
  const { attach: outcome, authentication } = method._behaviour
  if (outcome !== 'accept' || authentication === 'none') return complete(ctx, session, [method, details])
  ctx.store.put('sessions', { ...session, _typed: details, _waiting: method.id })
  return 'authenticate'
}

/** The card that waits for the bank. */
export function waitingCard(ctx: Context, session: SessionRecord): PaymentMethodRecord | undefined {
  return session._waiting === undefined ? undefined : ctx.store.get('paymentMethods', session._waiting)
}

/** The customer came back from the bank; false: failed, and the session stays open. */
export function resumeSubscription(ctx: Context, session: SessionRecord, succeeds: boolean): boolean {
  const method = waitingCard(ctx, session)
  const { _waiting: _gone, ...rest } = session
  const resumed = ctx.store.put('sessions', rest)
  if (!succeeds || method === undefined || session._typed === undefined) return false
  return complete(ctx, resumed, [method, session._typed]) === 'complete'
}
