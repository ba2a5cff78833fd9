import { expect } from 'vitest'
import type { Installation } from './installation.ts'
import { mainPhase } from './plans.ts'
import { addCustomer, onOwnClock, waitFor } from './scenario.ts'
import type { Scenario } from './scenario.ts'
import { stripeGet, stripePost } from './stripe-client.ts'

interface HasId {
  readonly id: string
}

interface Import {
  readonly stripeSubscriptionId: string
  readonly subscriptionId?: string
  readonly status: string
  readonly reason?: string
}

export interface Subscribed {
  readonly subject: string
  readonly clockId: string
  readonly stripeCustomerId: string
  readonly stripeSubscriptionId: string
  readonly customerId: string
  readonly subscriptionId: string
}

export interface Bill {
  readonly id: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly totals: { readonly total: string }
  readonly number: string
  readonly amountPaid: string
  readonly paymentAttempts: number
}

interface StripeItem {
  readonly id: string
  readonly amount: number
  readonly invoice: string | null
}

interface StripeInvoice {
  readonly id: string
  readonly number: string | null
  readonly status: string
  readonly amount_paid: number
  readonly billing_reason: string
}

/** Subscriptions that begin at Stripe, on one installation: each with a customer and a clock of its own. */
export function stripeSubscriptions(installation: Installation, scenario: Scenario) {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    await installation.call<T>(method, path, body)

  /** What Stripe's price does not charge: usage. A cent a token. */
  async function addUsagePlan(): Promise<void> {
    await call('POST', '/api/v1/meters', {
      slug: 'tokens',
      name: 'Tokens',
      eventType: 'request',
      aggregation: 'SUM',
      valueProperty: '$.tokens',
    })
    await call('POST', '/api/v1/meters', {
      slug: 'seats',
      name: 'Seats',
      eventType: 'seats',
      aggregation: 'LATEST',
      valueProperty: '$.seats',
    })
    for (const key of ['tokens', 'seats'])
      await call('POST', '/api/v1/features', { key, name: key, meterSlug: key })
    const card = (key: string, amount: string) => ({
      type: 'usage_based',
      key,
      name: key,
      featureKey: key,
      billingCadence: 'P1M',
      price: { type: 'unit', amount },
    })
    const plan = await call<HasId>('POST', '/api/v1/plans', {
      key: 'tokens_usage',
      name: 'Tokens',
      currency: 'USD',
      billingCadence: 'P1M',
      phases: [mainPhase(card('tokens', '0.01'), card('seats', '5'))],
    })
    await call('POST', `/api/v1/plans/${plan.id}/publish`)
  }

  const monthlyPrice = async (fields: Readonly<Record<string, string>> = {}): Promise<string> =>
    (
      await stripePost(installation.sandboxUrl, 'prices', {
        currency: 'usd',
        unit_amount: '2000',
        'recurring[interval]': 'month',
        'product_data[name]': 'Base',
        ...fields,
      })
    ).id

  const mappings = (): string => `/api/v1/apps/${scenario.appId}/stripe/plan-mappings`
  const map = async (id: string, planKey: string): Promise<{ readonly warnings?: readonly string[] }> =>
    await call('PUT', `${mappings()}/${id}`, { planKey })

  let price = ''
  /** The usage plan, and a price of $20 a month at Stripe that stands for it. */
  async function begin(): Promise<void> {
    await addUsagePlan()
    price = await monthlyPrice()
    await map(price, 'tokens_usage')
  }

  /** What came of a subscription at Stripe, once its events were handled. */
  async function imported(stripeSubscriptionId: string): Promise<Import> {
    const found = await waitFor(
      async () =>
        (
          await call<{ items: Import[] }>(
            'GET',
            `/api/v1/apps/${scenario.appId}/stripe/subscriptions?pageSize=1000`,
          )
        ).items.find((each) => each.stripeSubscriptionId === stripeSubscriptionId),
      (each) => each !== undefined,
    )
    if (found === undefined) throw new Error('not there')
    return found
  }

  /** A subscription made at Stripe on New Year, and what was made of it here. */
  async function subscribedAtStripe(
    subject: string,
    override?: object,
    fields: Readonly<Record<string, string>> = {},
  ): Promise<Subscribed> {
    const { sandboxUrl } = installation
    // The clock of ours that stands for Stripe's is known by a customer that is on both.
    const own = await onOwnClock(installation, scenario)
    await addCustomer(installation, own, { key: `${subject}_guide`, card: null })
    const customer = await stripePost(sandboxUrl, 'customers', {
      name: subject,
      email: `${subject}@example.com`,
      test_clock: own.stripeClockId,
      'address[country]': 'US',
      'metadata[perennial_customer_key]': subject,
      'metadata[perennial_subject_keys]': `${subject}, ${subject}_2`,
    })
    const card = await stripePost(sandboxUrl, 'payment_methods/pm_card_visa/attach', {
      customer: customer.id,
    })
    const made = await stripePost(sandboxUrl, 'subscriptions', {
      customer: customer.id,
      'items[0][price]': price,
      default_payment_method: card.id,
      ...fields,
    })
    const { subscriptionId, status, reason } = await imported(made.id)
    expect({ status, reason }).toEqual({ status: 'imported', reason: undefined })
    const { id } = await call<HasId>('GET', `/api/v1/customers/${subject}`)
    if (override !== undefined) await call('PUT', `/api/v1/billing/customers/${id}`, override)
    return {
      subject,
      clockId: own.clockId,
      stripeCustomerId: customer.id,
      stripeSubscriptionId: made.id,
      customerId: id,
      subscriptionId: subscriptionId ?? '',
    }
  }

  let nextId = 0
  const usage = async (subject: string, time: string, data: object): Promise<void> => {
    const type = 'seats' in data ? 'seats' : 'request'
    const event = { specversion: '1.0', id: `${nextId++}`, source: 'm3ter', type, subject, time, data }
    await call('POST', '/api/v1/events', [event])
  }

  const invoiceNow = async ({ subscriptionId }: Subscribed, body: object = {}): Promise<Bill> =>
    await call('POST', `/api/v1/subscriptions/${subscriptionId}/invoice-now`, body)

  const billsOf = async ({ subscriptionId }: Subscribed): Promise<readonly Bill[]> =>
    (await call<{ items: Bill[] }>('GET', `/api/v1/subscriptions/${subscriptionId}/invoices?order=ASC`)).items

  /** Our items at Stripe: amount, and whether an invoice has taken it up. */
  async function itemsOf({ stripeCustomerId }: Subscribed): Promise<readonly (readonly [number, string])[]> {
    const path = `invoiceitems?customer=${stripeCustomerId}&limit=100`
    const list = await stripeGet<{ data: StripeItem[] }>(installation.sandboxUrl, path)
    return list.data
      .map(({ amount, invoice }) => [amount, invoice === null ? 'pending' : 'invoiced'] as const)
      .toSorted(([a], [b]) => b - a)
  }

  const invoicesOf = async ({ stripeCustomerId }: Subscribed): Promise<readonly StripeInvoice[]> =>
    (
      await stripeGet<{ data: StripeInvoice[] }>(
        installation.sandboxUrl,
        `invoices?customer=${stripeCustomerId}&limit=100`,
      )
    ).data.toReversed()

  const collected = async (subscribed: Subscribed): Promise<number> =>
    (await invoicesOf(subscribed)).reduce((sum, invoice) => sum + invoice.amount_paid, 0)

  const untilPaid = async (subscribed: Subscribed): Promise<readonly Bill[]> =>
    await waitFor(
      async () => await billsOf(subscribed),
      (bills) => bills.length > 0 && bills.every(({ status }) => status === 'paid'),
    )

  return {
    begin,
    /** The mapped one. */
    price: () => price,
    monthlyPrice,
    map,
    imported,
    subscribedAtStripe,
    usage,
    invoiceNow,
    billsOf,
    itemsOf,
    invoicesOf,
    collected,
    untilPaid,
  }
}
