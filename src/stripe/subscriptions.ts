import type { Stripe } from 'stripe'
import { DomainError } from '../domain/errors.ts'
import type { Connection } from './client.ts'
import { idOf } from './events.ts'
import { classifyStripeError } from './failures.ts'
import { metadataKeys } from './metadata.ts'
import type { StripePriceView, StripeSubscriberView, StripeSubscriptionView } from './subscription-types.ts'

const units = { day: 'D', week: 'W', month: 'M', year: 'Y' } as const

/** Errors: stripe_price_not_found. */
export async function getPrice(connection: Connection, priceId: string): Promise<StripePriceView> {
  try {
    const price = await connection.call('prices.retrieve', (stripe) => stripe.prices.retrieve(priceId))
    return {
      id: price.id,
      isRecurring: price.recurring !== null,
      cadence: price.recurring === null ? null : cadenceOf(price.recurring),
      currency: price.currency.toUpperCase(),
    }
  } catch (error) {
    if (classifyStripeError(error).code !== 'resource_missing') throw error
    throw new DomainError('stripe_price_not_found', `Stripe has no price ${priceId}.`)
  }
}

function cadenceOf({ interval, interval_count: count }: Stripe.Price.Recurring): string {
  return `P${count}${units[interval as keyof typeof units] ?? '?'}`
}

/** Errors: stripe_subscription_not_found. One that has ended is still answered for. */
export async function getSubscription(connection: Connection, id: string): Promise<StripeSubscriptionView> {
  try {
    return view(
      await connection.call('subscriptions.retrieve', (stripe) => stripe.subscriptions.retrieve(id)),
    )
  } catch (error) {
    if (classifyStripeError(error).code !== 'resource_missing') throw error
    throw new DomainError('stripe_subscription_not_found', `Stripe has no subscription ${id}.`)
  }
}

function view(subscription: Stripe.Subscription): StripeSubscriptionView {
  const items = subscription.items.data
  const periodStarts = items.map((item) => item.current_period_start)
  return {
    id: subscription.id,
    status: subscription.status,
    stripeCustomerId: idOf(subscription.customer) ?? '',
    currency: subscription.currency.toUpperCase(),
    createdMs: subscription.created * 1000,
    startMs: subscription.start_date * 1000,
    isOnTestClock: subscription.test_clock !== null,
    billingAnchorMs: subscription.billing_cycle_anchor * 1000,
    currentPeriodStartMs: Math.min(...periodStarts, Infinity) * 1000,
    endedMs: inMs(subscription.ended_at),
    cancelAtMs: inMs(subscription.cancel_at),
    priceIds: items.map((item) => item.price.id),
    defaultPaymentMethodId: idOf(subscription.default_payment_method),
    latestInvoiceId: idOf(subscription.latest_invoice),
    automaticTax: subscription.automatic_tax.enabled,
    ...namesOf(subscription.metadata),
  }
}

const inMs = (seconds: number | null): number | null => (seconds === null ? null : seconds * 1000)

/** The customer of a subscription. Errors: stripe_customer_not_found. */
export async function getSubscriber(connection: Connection, id: string): Promise<StripeSubscriberView> {
  try {
    const customer = await connection.call('customers.retrieve', (stripe) => stripe.customers.retrieve(id))
    if (customer.deleted === true) return { ...nobody, id }
    return {
      id: customer.id,
      deleted: false,
      name: customer.name ?? null,
      email: customer.email,
      currency: customer.currency?.toUpperCase() ?? null,
      testClockId: idOf(customer.test_clock),
      ...namesOf(customer.metadata),
    }
  } catch (error) {
    if (classifyStripeError(error).code !== 'resource_missing') throw error
    throw new DomainError('stripe_customer_not_found', `Stripe has no customer ${id}.`)
  }
}

const nobody = {
  deleted: true,
  name: null,
  email: null,
  currency: null,
  testClockId: null,
  customerKey: null,
  subjectKeys: null,
}

/** What whoever made it at Stripe wants it to be called here. */
function namesOf(metadata: Stripe.Metadata): Pick<StripeSubscriberView, 'customerKey' | 'subjectKeys'> {
  const listed = (metadata[metadataKeys.subjectKeys] ?? '').split(',').map((key) => key.trim())
  const subjectKeys = listed.filter((key) => key !== '')
  const customerKey = metadata[metadataKeys.customerKey]?.trim() ?? ''
  return {
    customerKey: customerKey === '' ? null : customerKey,
    subjectKeys: subjectKeys.length === 0 ? null : subjectKeys,
  }
}
