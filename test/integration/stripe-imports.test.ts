import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stripeSubscriptions } from '../support/at-stripe.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripeDelete, stripeGet, stripePost } from '../support/stripe-client.ts'

/** How customers and subscriptions are made from those at Stripe. */
let installation: Installation
let scenario: Scenario
let at: ReturnType<typeof stripeSubscriptions>

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
  at = stripeSubscriptions(installation, scenario)
  await at.begin()
})
afterAll(async () => {
  await installation.close()
})

const call = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
  await installation.call<T>(method, path, body)

interface Session {
  readonly id: string
  readonly customer: string
  readonly subscription: string
}

/** A person subscribes on Stripe's page. */
async function checkOut(price: string, metadata: Readonly<Record<string, string>> = {}): Promise<Session> {
  const { sandboxUrl } = installation
  const named = Object.entries(metadata).map(
    ([key, value]) => [`subscription_data[metadata][${key}]`, value] as const,
  )
  const session = await stripePost(sandboxUrl, 'checkout/sessions', {
    mode: 'subscription',
    'line_items[0][price]': price,
    'line_items[0][quantity]': '1',
    success_url: 'https://shop.example.com/done',
    cancel_url: 'https://shop.example.com/no',
    ...Object.fromEntries(named),
  })
  const typed = { card: '4242 4242 4242 4242', expiry: '12 / 34', cvc: '123', name: 'Grace' }
  const reply = await fetch(`${sandboxUrl}/c/${session.id}`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ ...typed, email: 'grace@example.com' }),
  })
  expect(reply.status).toBe(303)
  return await stripeGet<Session>(sandboxUrl, `checkout/sessions/${session.id}`)
}

interface Subscription {
  readonly customerId: string
  readonly activeFrom: string
  readonly activeTo?: string
  readonly billingAnchor: string
  readonly plan: { readonly key: string }
  readonly stripe?: object
}

test('a checkout at Stripe becomes our customer and subscription, linked to both, and usage by file is billed', async () => {
  const { customer, subscription } = await checkOut(at.price())
  const { subscriptionId = '', status } = await at.imported(subscription)
  expect(status).toBe('imported')
  const ours = await call<Subscription>('GET', `/api/v1/subscriptions/${subscriptionId}`)
  const theirs = await stripeGet<{ start_date: number; default_payment_method: string }>(
    installation.sandboxUrl,
    `subscriptions/${subscription}`,
  )
  const began = new Date(theirs.start_date * 1000).toISOString()
  expect(ours).toMatchObject({
    plan: { key: 'tokens_usage' },
    activeFrom: began,
    billingAnchor: began,
    stripe: { appId: scenario.appId, subscriptionId: subscription },
  })
  const made = await call('GET', `/api/v1/customers/${customer}`)
  expect(made).toMatchObject({
    id: ours.customerId,
    key: customer,
    name: 'Grace',
    primaryEmail: 'grace@example.com',
    currency: 'USD',
    usageAttribution: { subjectKeys: [customer] },
  })
  const { items } = await call<{ items: object[] }>('GET', `/api/v1/customers/${ours.customerId}/apps`)
  expect(items).toMatchObject([
    { stripeCustomerId: customer, stripeDefaultPaymentMethodId: theirs.default_payment_method },
  ])

  await ingestFile(`subject,time,tokens\n${customer},${new Date().toISOString()},123\n`)
  const bill = await call<{ totals: { total: string } }>(
    'POST',
    `/api/v1/subscriptions/${subscriptionId}/invoice-now`,
    {},
  )
  expect(bill.totals.total).toBe('1.23')
})

/** By the command line, as an operator would. */
async function ingestFile(csv: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'usage-'))
  try {
    const file = join(folder, 'usage.csv')
    await writeFile(file, csv)
    const program = fileURLToPath(new URL('../../bin/perennial.mjs', import.meta.url))
    const args = [program, 'ingest', file, '--url', installation.url, '--data-dir', folder, ...csvColumns]
    await promisify(execFile)(process.execPath, args, { env: { ...process.env, PERENNIAL_URL: '' } })
  } finally {
    await rm(folder, { recursive: true })
  }
}
const csvColumns =
  '--type request --source file --data tokens=tokens:number --subject-column subject --time-column time'.split(
    ' ',
  )

test('a subscription without a mapping waits, shown with the reason, and is imported when one is added', async () => {
  const price = await at.monthlyPrice()
  const { subscription } = await checkOut(price, {
    perennial_customer_key: 'waiting',
    perennial_subject_keys: 'waiting_1,waiting_2',
  })
  expect(await at.imported(subscription)).toMatchObject({
    status: 'not_mapped',
    reason: `None of its prices is mapped to a plan: ${price}.`,
  })
  const path = `/api/v1/apps/${scenario.appId}/stripe/subscriptions/${subscription}/import`
  await expect(call('POST', path, {})).rejects.toThrow('stripe_subscription_not_importable')
  await at.map(price, 'tokens_usage')
  await waitFor(
    async () => await at.imported(subscription),
    ({ status }) => status === 'imported',
  )
  expect(await call('GET', '/api/v1/customers/waiting')).toMatchObject({
    usageAttribution: { subjectKeys: ['waiting_1', 'waiting_2'] },
  })
})

test('whatever comes again, and by hand, a subscription is imported once', async () => {
  const { subscription } = await checkOut(at.price())
  const first = await at.imported(subscription)
  const { db } = installation.database
  // As if none of its events had been handled, nor in this order.
  await db
    .updateTable('stripeEvents')
    .set({ processedAt: null })
    .where('sourceId', '=', subscription)
    .execute()
  await stripePost(installation.sandboxUrl, `subscriptions/${subscription}`, { description: 'changed' })
  const path = `/api/v1/apps/${scenario.appId}/stripe/subscriptions/${subscription}/import`
  const [one, two] = await Promise.all([call('POST', path, {}), call('POST', path, { from: 'start' })])
  expect([one, two]).toEqual([first, first])
  await waitFor(
    async () =>
      await db
        .selectFrom('stripeEvents')
        .select('eventId')
        .where('sourceId', '=', subscription)
        .where('processedAt', 'is', null)
        .execute(),
    (open) => open.length === 0,
  )
  const made = await db
    .selectFrom('subscriptions')
    .select('id')
    .where('stripeSubscriptionId', '=', subscription)
    .execute()
  expect(made).toEqual([{ id: first.subscriptionId }])
})

test('a price that does not fit the plan cannot stand for it, and a fee that would be paid twice is named', async () => {
  const yearly = await at.monthlyPrice({ 'recurring[interval]': 'year' })
  await expect(at.map(yearly, 'tokens_usage')).rejects.toThrow('is charged every P1Y, the plan')
  const euro = await at.monthlyPrice({ currency: 'eur' })
  await expect(at.map(euro, 'tokens_usage')).rejects.toThrow('is in EUR, the plan tokens_usage in USD')
  await expect(at.map('price_none', 'tokens_usage')).rejects.toThrow('stripe_price_not_found')
  await expect(at.map(at.price(), 'nothing_such')).rejects.toThrow(/not_found.*"field":"planKey"/)
  const fee = { type: 'flat', amount: '20', paymentTerm: 'in_advance' }
  const base = { type: 'flat_fee', key: 'base', name: 'Base', billingCadence: 'P1M', price: fee }
  const plan = await call<{ id: string }>('POST', '/api/v1/plans', {
    key: 'with_fee',
    name: 'With a fee',
    currency: 'USD',
    billingCadence: 'P1M',
    phases: [{ key: 'main', name: 'Main', duration: null, rateCards: [base] }],
  })
  await expect(at.map(at.price(), 'with_fee')).rejects.toThrow('plan_not_published')
  await call('POST', `/api/v1/plans/${plan.id}/publish`)
  const another = await at.monthlyPrice()
  expect((await at.map(another, 'with_fee')).warnings).toEqual([
    "The rate card base is a fee in advance: where Stripe's price charges it, the customer pays it twice.",
  ])
  const path = `/api/v1/apps/${scenario.appId}/stripe/plan-mappings`
  await call('DELETE', `${path}/${another}`)
  const { items } = await call<{ items: { stripePriceId: string }[] }>('GET', path)
  expect(items.map(({ stripePriceId }) => stripePriceId)).not.toContain(another)
})

test('a cancelation for the end of the period ends ours with it, and is taken back with it', async () => {
  const { clockId, stripeSubscriptionId, subscriptionId } = await at.subscribedAtStripe('at_period_end')
  const change = async (atEnd: string): Promise<void> => {
    await stripePost(installation.sandboxUrl, `subscriptions/${stripeSubscriptionId}`, {
      cancel_at_period_end: atEnd,
    })
  }
  const untilEnds = async (end: string | undefined): Promise<void> => {
    await waitFor(
      async () => await call<Subscription>('GET', `/api/v1/subscriptions/${subscriptionId}`),
      ({ activeTo }) => activeTo === end,
    )
  }
  await change('true')
  await untilEnds('2026-02-01T00:00:00.000Z')
  await change('false')
  await untilEnds(undefined)
  await change('true')
  await untilEnds('2026-02-01T00:00:00.000Z')
  await advanceTo(installation, clockId, '2026-02-03T00:00:00Z')
  await waitFor(
    async () => await at.imported(stripeSubscriptionId),
    ({ status }) => status === 'ended',
  )
})

test('an end at Stripe that comes forward ends ours then, though a fee was billed only up to the later one', async () => {
  const fee = { type: 'flat', amount: '20', paymentTerm: 'in_advance' }
  const base = { type: 'flat_fee', key: 'base', name: 'Base', billingCadence: 'P1M', price: fee }
  const plan = await call<{ id: string }>('POST', '/api/v1/plans', {
    key: 'fee_ahead',
    name: 'With a fee',
    currency: 'USD',
    billingCadence: 'P1M',
    phases: [{ key: 'main', name: 'Main', duration: null, rateCards: [base] }],
  })
  await call('POST', `/api/v1/plans/${plan.id}/publish`)
  const price = await at.monthlyPrice()
  await at.map(price, 'fee_ahead')
  const { clockId, stripeSubscriptionId, subscriptionId } = await at.subscribedAtStripe(
    'comes_forward',
    undefined,
    { 'items[0][price]': price },
  )
  const path = `subscriptions/${stripeSubscriptionId}`
  const untilEnds = async (end: string): Promise<void> => {
    await waitFor(
      async () => await call<Subscription>('GET', `/api/v1/subscriptions/${subscriptionId}`),
      ({ activeTo }) => activeTo === end,
    )
  }
  const seconds = String(Date.parse('2026-02-15T00:00:00Z') / 1000)
  await stripePost(installation.sandboxUrl, path, { cancel_at: seconds })
  await untilEnds('2026-02-15T00:00:00.000Z')
  await advanceTo(installation, clockId, '2026-02-03T00:00:00Z')
  await stripeDelete(installation.sandboxUrl, path)
  await waitFor(
    async () => await at.imported(stripeSubscriptionId),
    ({ status }) => status === 'ended',
  )
  await untilEnds('2026-02-03T00:00:00.000Z')
})

test('a second subscription of one Stripe customer is not imported, and it is said why', async () => {
  const { customer, subscription } = await checkOut(at.price())
  await at.imported(subscription)
  const second = await stripePost(installation.sandboxUrl, 'subscriptions', {
    customer,
    'items[0][price]': at.price(),
    default_payment_method: await cardOf(customer),
  })
  const { status, reason } = await at.imported(second.id)
  expect(status).toBe('failed')
  expect(reason).toContain('has no end')
})

test('one that follows at Stripe begins here no sooner than the one before has ended here', async () => {
  const { clockId, stripeCustomerId, stripeSubscriptionId, subscriptionId } =
    await at.subscribedAtStripe('follows')
  await advanceTo(installation, clockId, '2026-01-10T00:00:00Z')
  const { sandboxUrl } = installation
  const next = await stripePost(sandboxUrl, 'subscriptions', {
    customer: stripeCustomerId,
    'items[0][price]': await at.monthlyPrice(),
    default_payment_method: await cardOf(stripeCustomerId),
  })
  expect((await at.imported(next.id)).status).toBe('not_mapped')
  await advanceTo(installation, clockId, '2026-01-12T00:00:00Z')
  await stripeDelete(sandboxUrl, `subscriptions/${stripeSubscriptionId}`)
  await waitFor(
    async () => await call<{ lifecycle: string }>('GET', `/api/v1/subscriptions/${subscriptionId}`),
    ({ lifecycle }) => lifecycle === 'ended',
  )
  const { items } = await stripeGet<{ items: { data: { price: { id: string } }[] } }>(
    sandboxUrl,
    `subscriptions/${next.id}`,
  )
  await at.map(items.data[0]?.price.id ?? '', 'tokens_usage')
  const { subscriptionId: nextId } = await waitFor(
    async () => await at.imported(next.id),
    ({ status }) => status === 'imported',
  )
  const made = await call<Subscription>('GET', `/api/v1/subscriptions/${nextId}`)
  expect(made).toMatchObject({
    activeFrom: '2026-01-12T00:00:00.000Z',
    billingAnchor: '2026-01-10T00:00:00.000Z',
  })
})

async function cardOf(customer: string): Promise<string> {
  const path = `payment_methods?customer=${customer}&type=card`
  const { data } = await stripeGet<{ data: { id: string }[] }>(installation.sandboxUrl, path)
  return data[0]?.id ?? ''
}
