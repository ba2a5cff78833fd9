import { afterAll, beforeAll, expect, test } from 'vitest'
import { endTurn, takeTurn } from '../../src/db/stores/stripe-customer-turns.ts'
import { heardOf } from '../support/heard.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripeGet, stripePost } from '../support/stripe-client.ts'

interface StripeCustomer {
  readonly id: string
  readonly email: string | null
  readonly invoice_settings: { readonly default_payment_method: string | null }
}
interface Problem {
  readonly code: string
  readonly detail: string
}

let installation: Installation
let scenario: Scenario
beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
})
afterAll(() => installation.close())

const stripeCustomer = async (fields: Record<string, string> = {}): Promise<string> =>
  (await stripePost(installation.sandboxUrl, 'customers', fields)).id
const atStripe = async (id: string): Promise<StripeCustomer> =>
  await stripeGet<StripeCustomer>(installation.sandboxUrl, `customers/${id}`)
const method = async (): Promise<string> =>
  (
    await stripePost(installation.sandboxUrl, 'payment_methods', {
      type: 'card',
      'card[number]': '4242424242424242',
      'card[exp_month]': '12',
      'card[exp_year]': '2034',
      'card[cvc]': '123',
    })
  ).id
const addCustomer = async (key: string, more: object = {}): Promise<string> =>
  (await installation.call<{ id: string }>('POST', '/api/v1/customers', { key, name: key, ...more })).id
const link = async (customerId: string, item: object): Promise<unknown> =>
  await installation.call('PUT', `/api/v1/customers/${customerId}/apps`, [{ type: 'stripe', ...item }])

async function problemOf(method: string, path: string, body: object): Promise<Problem> {
  const response = await fetch(installation.url + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return (await response.json()) as Problem
}

test('a payment method that is named becomes the default, attached where it was nobody’s', async () => {
  const id = await addCustomer('claims')
  const cus = await stripeCustomer()
  const pm = await method()
  await link(id, { stripeCustomerId: cus, stripeDefaultPaymentMethodId: pm })
  const there = await stripeGet<{ customer: string }>(installation.sandboxUrl, `payment_methods/${pm}`)
  expect(there.customer).toBe(cus)
  expect((await atStripe(cus)).invoice_settings.default_payment_method).toBe(pm)
})

test('of two customers with one Stripe customer each keeps the payment method that was named for them', async () => {
  const cus = await stripeCustomer()
  const named: string[] = []
  for (const key of ['shares-1', 'shares-2']) {
    const pm = await method()
    const id = await addCustomer(key)
    await link(id, { stripeCustomerId: cus, stripeDefaultPaymentMethodId: pm })
    named.push(pm)
  }
  const { db } = installation.database
  // Stripe told of both defaults.
  await waitFor(
    async () =>
      await db
        .selectFrom('stripeEvents')
        .select('processedAt')
        .where('objectId', '=', cus)
        .where('type', '=', 'customer.updated')
        .execute(),
    (events) => events.length === 2 && events.every(({ processedAt }) => processedAt !== null),
  )
  const links = db.selectFrom('customerApps').select('stripeDefaultPaymentMethodId as method')
  const rows = await links.where('stripeCustomerId', '=', cus).orderBy('createdAt').execute()
  expect(rows.map((row) => row.method)).toEqual(named)
})

test('a payment method of somebody else is refused, and nothing is linked', async () => {
  const id = await addCustomer('thief')
  const pm = await method()
  await stripePost(installation.sandboxUrl, `payment_methods/${pm}/attach`, {
    customer: await stripeCustomer(),
  })
  const data = { stripeCustomerId: await stripeCustomer(), stripeDefaultPaymentMethodId: pm }
  expect(await problemOf('PUT', `/api/v1/customers/${id}/stripe`, data)).toMatchObject({
    code: 'stripe_payment_method_not_found',
  })
  const { items } = await installation.call<{ items: unknown[] }>('GET', `/api/v1/customers/${id}/apps`)
  expect(items).toEqual([])
})

test('the e-mail address of the customer is set on the Stripe customer, and Stripe’s kept where ours has none', async () => {
  const id = await addCustomer('mailed', { primaryEmail: 'ours@example.com' })
  const cus = await stripeCustomer({ email: 'theirs@example.com' })
  await link(id, { stripeCustomerId: cus })
  expect((await atStripe(cus)).email).toBe('ours@example.com')

  const silent = await addCustomer('silent')
  const kept = await stripeCustomer({ email: 'theirs@example.com' })
  await link(silent, { stripeCustomerId: kept })
  expect((await atStripe(kept)).email).toBe('theirs@example.com')

  await installation.call('PUT', `/api/v1/customers/${id}`, { name: 'mailed', key: 'mailed' })
  await installation.call('PUT', `/api/v1/customers/${silent}`, {
    name: 'silent',
    key: 'silent',
    primaryEmail: 'new@example.com',
  })
  await waitFor(
    async () => await atStripe(kept),
    ({ email }) => email === 'new@example.com',
  )
  expect((await atStripe(cus)).email, 'one that was taken away here stays there').toBe('ours@example.com')
})

test('an address that Stripe does not hear of while it is down gets there', async () => {
  const id = await addCustomer('outage')
  const cus = await stripeCustomer()
  await link(id, { stripeCustomerId: cus })
  const fault = { kind: 'unavailable', path: `customers/${cus}`, times: 2 }
  await fetch(`${installation.sandboxUrl}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(fault) })
  const primaryEmail = 'later@example.com'
  await installation.call('PUT', `/api/v1/customers/${id}`, { name: 'outage', key: 'outage', primaryEmail })
  await waitFor(
    async () => await atStripe(cus),
    ({ email }) => email === primaryEmail,
  )
  await fetch(`${installation.sandboxUrl}/_sandbox/faults`, { method: 'DELETE' })
})

interface Portal {
  readonly configurationId: string
  readonly stripeCustomerId: string
  readonly url: string
}

test('the portal is configured once: payment methods, address, e-mail, tax ids and invoices, no subscriptions', async () => {
  const id = await addCustomer('portal')
  await link(id, { stripeCustomerId: await stripeCustomer() })
  const open = async (body: object = {}): Promise<Portal> =>
    await installation.call<Portal>('POST', `/api/v1/customers/${id}/stripe/portal`, body)
  const first = await open({ returnUrl: 'https://example.com/back', locale: 'de' })
  expect(first).toMatchObject({ returnUrl: 'https://example.com/back', locale: 'de' })
  const second = await open()
  expect(second.configurationId).toBe(first.configurationId)
  const configuration = await stripeGet<{ features: unknown }>(
    installation.sandboxUrl,
    `billing_portal/configurations/${first.configurationId}`,
  )
  expect(configuration.features).toMatchObject({
    payment_method_update: { enabled: true },
    customer_update: { enabled: true, allowed_updates: ['address', 'email', 'tax_id'] },
    invoice_history: { enabled: true },
    subscription_cancel: { enabled: false },
    subscription_update: { enabled: false },
  })

  // Switched off by a person at Stripe: another is made.
  await stripePost(installation.sandboxUrl, `billing_portal/configurations/${first.configurationId}`, {
    active: 'false',
  })
  const third = await open()
  expect(third.configurationId).not.toBe(first.configurationId)
  expect((await open({ configurationId: third.configurationId })).configurationId).toBe(third.configurationId)
})

test('an app whose portal’s address was typed in answers with that', async () => {
  const customerPortalUrl = 'https://billing.stripe.com/p/login/test_1'
  await installation.database.db
    .updateTable('apps')
    .set({ customerPortalUrl })
    .where('id', '=', scenario.appId)
    .execute()
  const session = await installation.call<Portal>('POST', '/api/v1/customers/portal/stripe/portal', {})
  expect(session).toMatchObject({ url: customerPortalUrl, configurationId: 'customer_portal_url' })
  await installation.database.db
    .updateTable('apps')
    .set({ customerPortalUrl: null })
    .where('id', '=', scenario.appId)
    .execute()
})

test('a customer who is not linked has no portal', async () => {
  const id = await addCustomer('unlinked')
  expect(await problemOf('POST', `/api/v1/customers/${id}/stripe/portal`, {})).toMatchObject({
    code: 'customer_not_linked',
  })
})

test('a portal that leads back to nowhere is refused before Stripe is asked', async () => {
  const id = await addCustomer('nowhere')
  const empty = { returnUrl: '' }
  expect(await problemOf('POST', `/api/v1/customers/${id}/stripe/portal`, empty)).toMatchObject({
    code: 'validation_failed',
    field: 'returnUrl',
    detail: 'returnUrl must not be empty.',
  })
})

test('the newer shape keeps the payment method that it does not name, but not for another Stripe customer', async () => {
  const id = await addCustomer('labelled')
  const stripeCustomerId = await stripeCustomer()
  const card = await method()
  await link(id, { stripeCustomerId, stripeDefaultPaymentMethodId: card })
  const url = `/api/v3/openmeter/customers/${id}/billing`
  const put = async (stripe: object): Promise<unknown> =>
    await installation.call('PUT', url, { app_data: { stripe } })
  expect(await put({ labels: { team: 'a' } })).toMatchObject({
    app_data: {
      stripe: { customer_id: stripeCustomerId, default_payment_method_id: card, labels: { team: 'a' } },
    },
  })
  const moved = await put({ customer_id: await stripeCustomer() })
  expect(moved).not.toHaveProperty('app_data.stripe.default_payment_method_id')
})

test('what the newer shape does not name stays as another call has changed it meanwhile', async () => {
  const { db } = installation.database
  const id = await addCustomer('crossed')
  const stripeCustomerId = await stripeCustomer()
  const [older, newer] = [await method(), await method()]
  await link(id, { stripeCustomerId, stripeDefaultPaymentMethodId: older })
  // Else it could be carried out behind what is changed here.
  await heardOf(installation, stripeCustomerId)
  const before = await lookedUp(stripeCustomerId)
  const turn = { appId: scenario.appId, stripeCustomerId }
  expect(await takeTurn(db, turn, 'another')).toBe(true)
  const stripe = { labels: { team: 'a' } }
  const labelled = installation.call('PUT', `/api/v3/openmeter/customers/${id}/billing`, {
    app_data: { stripe },
  })
  // It has seen who is linked, and waits for its turn.
  await waitFor(
    async () => await lookedUp(stripeCustomerId),
    (count) => count > before,
  )
  await db
    .updateTable('customerApps')
    .set({ stripeDefaultPaymentMethodId: newer })
    .where('customerId', '=', id)
    .execute()
  await endTurn(db, turn, 'another')
  expect(await labelled).toMatchObject({
    app_data: { stripe: { default_payment_method_id: newer, labels: { team: 'a' } } },
  })
})

/** How often the sandbox was asked for a customer. */
async function lookedUp(stripeCustomerId: string): Promise<number> {
  const query = new URLSearchParams({ method: 'GET', path: `/v1/customers/${stripeCustomerId}` })
  const response = await fetch(`${installation.sandboxUrl}/_sandbox/requests?${query.toString()}`)
  return ((await response.json()) as { requests: unknown[] }).requests.length
}

test('the newer shape sets a profile and keeps the rest of an override', async () => {
  const id = await addCustomer('newer')
  const apps = { tax: scenario.appId, invoicing: scenario.appId, payment: scenario.appId }
  const profile = await installation.call<{ id: string }>('POST', '/api/v1/billing/profiles', {
    name: 'Another',
    default: false,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow: {},
    apps,
  })
  await installation.call('PUT', `/api/v1/billing/customers/${id}`, { lateUsage: { policy: 'ignore' } })
  const url = `/api/v3/openmeter/customers/${id}/billing`
  expect(await installation.call('PUT', url, { billing_profile: { id: profile.id } })).toEqual({
    billing_profile: { id: profile.id },
  })
  const override = await installation.database.db
    .selectFrom('billingOverrides')
    .select('lateUsage')
    .where('customerId', '=', id)
    .executeTakeFirst()
  expect(override).toEqual({ lateUsage: { policy: 'ignore' } })
  expect(await installation.call('PUT', url, { billing_profile: null })).toEqual({
    billing_profile: { id: scenario.profileId },
  })
  expect(await problemOf('PUT', url, { billing_profile: { id: 'none' } })).toMatchObject({
    code: 'not_found',
  })
  // Refused by Stripe: nothing of the request is there.
  const half = { billing_profile: { id: profile.id }, app_data: { stripe: { customer_id: 'cus_nobody' } } }
  expect(await problemOf('PUT', url, half)).toMatchObject({ code: 'stripe_customer_not_found' })
  expect(await installation.call('GET', url)).toMatchObject({ billing_profile: { id: scenario.profileId } })
  await installation.call('DELETE', `/api/v1/billing/profiles/${profile.id}`)
  expect(await problemOf('PUT', url, { billing_profile: { id: profile.id } })).toMatchObject({
    code: 'not_found',
  })
  const labels = { team: 'a' }
  expect(await problemOf('PUT', url, { app_data: { stripe: { labels } } })).toMatchObject({
    code: 'validation_failed',
  })
})
