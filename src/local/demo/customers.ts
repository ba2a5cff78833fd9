import type { Api } from '../../cli/api-client.ts'
import type { Catalog } from './catalog.ts'
import type { StripeCalls } from './stripe.ts'

interface WithId {
  readonly id: string
}

/** How a customer of the demo pays. */
export type Payment = 'card' | 'failing_card' | 'email'

export interface DemoCustomer {
  readonly id: string
  readonly name: string
  readonly subject: string
  readonly payment: Payment
  readonly stripeCustomerId: string
  readonly subscriptionId: string
  /** Tokens a day, in thousands, around which their usage moves. */
  readonly dailyThousands: number
}

const people = [
  { key: 'acme', name: 'Acme Robotics', payment: 'card', timezone: 'America/New_York', dailyThousands: 60 },
  {
    key: 'blue-fjord',
    name: 'Blue Fjord Labs',
    payment: 'card',
    timezone: 'Europe/Oslo',
    dailyThousands: 700,
  },
  { key: 'cobalt', name: 'Cobalt Studio', payment: 'failing_card', timezone: 'UTC', dailyThousands: 180 },
  { key: 'delta', name: 'Delta University', payment: 'email', timezone: 'Asia/Kolkata', dailyThousands: 320 },
] as const satisfies readonly { payment: Payment; [key: string]: unknown }[]

const cards = { card: 'pm_card_visa', failing_card: 'pm_card_chargeCustomerFail' } as const

export interface Clocks {
  readonly testClockId: string
  readonly stripeTestClockId: string
}

/** Four customers, each with a Stripe customer and a subscription, all on the two linked test clocks. */
export async function createCustomers(
  api: Api,
  stripe: StripeCalls,
  setup: Catalog & Clocks & { suffix: string },
): Promise<readonly DemoCustomer[]> {
  const customers: DemoCustomer[] = []
  for (const person of people) {
    const stripeCustomer = await stripe.post<WithId>('/v1/customers', {
      name: person.name,
      email: `billing@${person.key}.example`,
      test_clock: setup.stripeTestClockId,
    })
    const card =
      person.payment === 'email' ? null : await useCard(stripe, stripeCustomer.id, cards[person.payment])
    const subject = `${person.key}${setup.suffix}`
    const customer = await api.post<WithId>('/api/v1/customers', {
      key: subject,
      name: person.name,
      primaryEmail: `billing@${person.key}.example`,
      currency: 'USD',
      timezone: person.timezone,
      testClockId: setup.testClockId,
      usageAttribution: { subjectKeys: [subject] },
    })
    await linkToStripe(api, {
      customerId: customer.id,
      appId: setup.appId,
      stripeCustomerId: stripeCustomer.id,
      card,
    })
    if (person.payment === 'email') {
      await api.put(`/api/v1/billing/customers/${customer.id}`, { billingProfileId: setup.emailProfileId })
    }
    const subscription = await api.post<WithId>('/api/v1/subscriptions', {
      customerId: customer.id,
      plan: { key: setup.planKey },
    })
    customers.push({
      id: customer.id,
      name: person.name,
      subject,
      payment: person.payment,
      stripeCustomerId: stripeCustomer.id,
      subscriptionId: subscription.id,
      dailyThousands: person.dailyThousands,
    })
  }
  return customers
}

/** The customer calls and gives another card: attached, made the default, and told to Perennial. */
export async function replaceCard(
  api: Api,
  stripe: StripeCalls,
  customer: DemoCustomer & { appId: string },
): Promise<void> {
  const card = await useCard(stripe, customer.stripeCustomerId, cards.card)
  await linkToStripe(api, {
    customerId: customer.id,
    appId: customer.appId,
    stripeCustomerId: customer.stripeCustomerId,
    card,
  })
}

async function useCard(stripe: StripeCalls, customerId: string, card: string): Promise<string> {
  const method = await stripe.post<WithId>(`/v1/payment_methods/${card}/attach`, { customer: customerId })
  await stripe.post(`/v1/customers/${customerId}`, { 'invoice_settings[default_payment_method]': method.id })
  return method.id
}

interface Link {
  readonly customerId: string
  readonly appId: string
  readonly stripeCustomerId: string
  readonly card: string | null
}

async function linkToStripe(api: Api, { customerId, appId, stripeCustomerId, card }: Link): Promise<void> {
  const payment = card === null ? {} : { stripeDefaultPaymentMethodId: card }
  await api.put(`/api/v1/customers/${customerId}/apps`, [
    { type: 'stripe', id: appId, stripeCustomerId, ...payment },
  ])
}
