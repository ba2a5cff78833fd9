import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripeDelete, stripeGet, stripePost } from '../support/stripe-client.ts'

/** Subscriptions that begin at Stripe, billed with our usage. Every test has a customer and a clock of its own. */
const start = '2026-01-01T00:00:00Z'
let installation: Installation
let scenario: Scenario
let price: string

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
  await addUsagePlan()
  price = await monthlyPrice()
  await map(price, 'tokens_usage')
})
afterAll(async () => {
  await installation.close()
})

interface HasId {
  readonly id: string
}

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
  const rateCards = [card('tokens', '0.01'), card('seats', '5')]
  const plan = await call<HasId>('POST', '/api/v1/plans', {
    key: 'tokens_usage',
    name: 'Tokens',
    currency: 'USD',
    billingCadence: 'P1M',
    phases: [{ key: 'main', name: 'Main', duration: null, rateCards }],
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

interface Import {
  readonly stripeSubscriptionId: string
  readonly subscriptionId?: string
  readonly status: string
  readonly reason?: string
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

interface Subscribed {
  readonly subject: string
  readonly clockId: string
  readonly stripeCustomerId: string
  readonly stripeSubscriptionId: string
  readonly customerId: string
  readonly subscriptionId: string
}

/** A subscription made at Stripe on New Year, and what was made of it here. */
async function subscribedAtStripe(subject: string, override?: object): Promise<Subscribed> {
  const { sandboxUrl } = installation
  const clock = await call<HasId>('POST', '/api/v1/test-clocks', { name: subject, frozenTime: start })
  const frozen = { frozen_time: (Date.parse(start) / 1000).toString() }
  const stripeClock = await stripePost(sandboxUrl, 'test_helpers/test_clocks', frozen)
  // The clock of ours that stands for Stripe's is known by a customer that is on both.
  const own = { ...scenario, clockId: clock.id, stripeClockId: stripeClock.id }
  await addCustomer(installation, own, { key: `${subject}_guide`, card: null })
  const customer = await stripePost(sandboxUrl, 'customers', {
    name: subject,
    email: `${subject}@example.com`,
    test_clock: stripeClock.id,
    'metadata[perennial_customer_key]': subject,
    'metadata[perennial_subject_keys]': `${subject}, ${subject}_2`,
  })
  const card = await stripePost(sandboxUrl, 'payment_methods/pm_card_visa/attach', { customer: customer.id })
  const made = await stripePost(sandboxUrl, 'subscriptions', {
    customer: customer.id,
    'items[0][price]': price,
    default_payment_method: card.id,
  })
  const { subscriptionId, status, reason } = await imported(made.id)
  expect({ status, reason }).toEqual({ status: 'imported', reason: undefined })
  const { id } = await call<HasId>('GET', `/api/v1/customers/${subject}`)
  if (override !== undefined) await call('PUT', `/api/v1/billing/customers/${id}`, override)
  return {
    subject,
    clockId: clock.id,
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

interface Bill {
  readonly id: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly totals: { readonly total: string }
  readonly amountPaid: string
}

const invoiceNow = async ({ subscriptionId }: Subscribed, body: object = {}): Promise<Bill> =>
  await call('POST', `/api/v1/subscriptions/${subscriptionId}/invoice-now`, body)

const billsOf = async ({ subscriptionId }: Subscribed): Promise<readonly Bill[]> =>
  (await call<{ items: Bill[] }>('GET', `/api/v1/subscriptions/${subscriptionId}/invoices?order=ASC`)).items

interface StripeItem {
  readonly id: string
  readonly amount: number
  readonly invoice: string | null
}

/** Our items at Stripe: amount, and whether an invoice has taken it up. */
async function itemsOf({ stripeCustomerId }: Subscribed): Promise<readonly (readonly [number, string])[]> {
  const path = `invoiceitems?customer=${stripeCustomerId}&limit=100`
  const list = await stripeGet<{ data: StripeItem[] }>(installation.sandboxUrl, path)
  return list.data
    .map(({ amount, invoice }) => [amount, invoice === null ? 'pending' : 'invoiced'] as const)
    .toSorted(([a], [b]) => b - a)
}

interface StripeInvoice {
  readonly id: string
  readonly status: string
  readonly amount_paid: number
  readonly billing_reason: string
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

const items = { stripe: { billing: 'subscription_items' } }

test('three runs of a period become items that add up, one of them swept meanwhile, and Stripe collects them once', async () => {
  const subscribed = await subscribedAtStripe('swept', items)
  const { clockId, stripeCustomerId, subject } = subscribed
  const { sandboxUrl } = installation
  await usage(subject, '2026-01-01T00:00:00Z', { tokens: 1000 })
  await advanceTo(installation, clockId, '2026-01-05T00:00:00Z')
  expect(await invoiceNow(subscribed)).toMatchObject({
    status: 'draft',
    totals: { total: '10.00' },
  })
  expect(await itemsOf(subscribed)).toEqual([[1000, 'pending']])

  await usage(`${subject}_2`, '2026-01-04T00:00:00Z', { tokens: 500 })
  await invoiceNow(subscribed)
  expect(await itemsOf(subscribed)).toEqual([[1500, 'pending']])

  // A person invoices at Stripe what is pending there.
  const swept = await stripePost(sandboxUrl, 'invoices', {
    customer: stripeCustomerId,
    pending_invoice_items_behavior: 'include',
    auto_advance: 'false',
  })
  await stripePost(sandboxUrl, `invoices/${swept.id}/finalize`)
  await stripePost(sandboxUrl, `invoices/${swept.id}/pay`, { paid_out_of_band: 'true' })
  await usage(subject, '2026-01-05T00:00:00Z', { tokens: 250 })
  // Seats may shrink before the period ends: they wait for it.
  await usage(subject, '2026-01-05T00:00:00Z', { seats: 3 })
  expect(await invoiceNow(subscribed)).toMatchObject({ totals: { total: '32.50' } })
  expect(await itemsOf(subscribed)).toEqual([
    [1500, 'invoiced'],
    [250, 'pending'],
  ])

  await usage(subject, '2026-01-05T00:00:00Z', { tokens: 100 })
  await advanceTo(installation, clockId, '2026-02-02T12:00:00Z')
  const [bill] = await untilPaid(subscribed)
  expect(bill).toMatchObject({ status: 'paid', totals: { total: '33.50' }, amountPaid: '33.50' })
  expect(await itemsOf(subscribed)).toEqual([
    [1500, 'invoiced'],
    [1500, 'invoiced'],
    [250, 'invoiced'],
    [100, 'invoiced'],
  ])
  // Base fee, what was swept, and the renewal with the rest: nothing of ours, and nothing twice.
  const invoices = await invoicesOf(subscribed)
  expect(invoices.map((invoice) => [invoice.status, invoice.amount_paid])).toEqual([
    ['paid', 2000],
    ['paid', 1500],
    ['paid', 2000 + 1500 + 250 + 100],
  ])
})

test('with send: approved_bills nothing reaches Stripe before the bill is approved', async () => {
  const subscribed = await subscribedAtStripe('approved', {
    stripe: { billing: 'subscription_items', send: 'approved_bills' },
  })
  await usage('approved', start, { tokens: 700 })
  await advanceTo(installation, subscribed.clockId, '2026-01-05T00:00:00Z')
  const { id } = await invoiceNow(subscribed)
  expect(await itemsOf(subscribed)).toEqual([])
  await call('POST', `/api/v1/billing/invoices/${id}/approve`)
  await waitFor(
    async () => await itemsOf(subscribed),
    (there) => there.length === 1,
  )
  expect(await itemsOf(subscribed)).toEqual([[700, 'pending']])
})

test('a subscription canceled at Stripe ends here, and its last usage is collected', async () => {
  const subscribed = await subscribedAtStripe('canceled', items)
  const { clockId, stripeSubscriptionId, subscriptionId } = subscribed
  await usage('canceled', start, { tokens: 400 })
  await advanceTo(installation, clockId, '2026-01-10T00:00:00Z')
  await invoiceNow(subscribed)
  await usage('canceled', '2026-01-09T00:00:00Z', { tokens: 100 })
  await stripeDelete(installation.sandboxUrl, `subscriptions/${stripeSubscriptionId}`)
  const ended = await waitFor(
    async () => await call<{ activeTo?: string }>('GET', `/api/v1/subscriptions/${subscriptionId}`),
    ({ activeTo }) => activeTo !== undefined,
  )
  expect(ended.activeTo).toBe('2026-01-10T00:00:00.000Z')
  await advanceTo(installation, clockId, '2026-02-05T00:00:00Z')
  const bills = await untilPaid(subscribed)
  expect(bills.map(({ totals }) => totals.total)).toEqual(['5.00'])
  expect(await collected(subscribed)).toBe(2000 + 500)
  expect(await imported(stripeSubscriptionId)).toMatchObject({ status: 'ended', subscriptionId })
})

test('in mode invoice the same subscription is billed on an invoice of ours, by the card of the Stripe subscription', async () => {
  const subscribed = await subscribedAtStripe('own_invoice')
  await usage('own_invoice', start, { tokens: 900 })
  await advanceTo(installation, subscribed.clockId, '2026-02-02T00:00:00Z')
  const [bill] = await untilPaid(subscribed)
  expect(bill).toMatchObject({ totals: { total: '9.00' }, amountPaid: '9.00' })
  const paid = (await invoicesOf(subscribed)).map((invoice) => invoice.amount_paid)
  expect(paid.toSorted((a, b) => a - b)).toEqual([900, 2000, 2000])
})
