import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { invoiceOf, untilInvoice } from '../support/invoice-rows.ts'
import type { InvoiceRow } from '../support/invoice-rows.ts'
import { addCustomer, addTokenPlan, advanceTo, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { giveCard, stripeGet, stripePost } from '../support/stripe-client.ts'

/** What a marketplace gives its billing: two permissions, and a webhook of four events in an old version. */
const KEY = 'rk_test_customers_and_invoices'
const start = '2026-01-01T00:00:00Z'
const dunning = { retries: ['P3D', 'P7D'], end: 'mark_uncollectible', grace: 'P7D' }

let installation: Installation
let appId = ''
let profileId = ''
let count = 0

interface ManualInstallation {
  readonly app: {
    readonly id: string
    readonly setup: string
    readonly missingPermissions: readonly { readonly permission: string }[]
    readonly webhook: object
  }
  readonly webhook: { readonly url: string; readonly events: readonly string[]; readonly apiVersion: string }
}

let installed: ManualInstallation

beforeAll(async () => {
  installation = await startInstallation()
  const { call, sandboxUrl } = installation
  await fetch(`${sandboxUrl}/_sandbox/keys`, {
    method: 'POST',
    body: JSON.stringify({ key: KEY, permissions: ['customer:write', 'invoice:write'] }),
  })
  installed = await call('POST', '/api/v1/marketplace/listings/stripe/install/manual', {
    apiKey: KEY,
    customerPortalUrl: 'https://billing.stripe.com/p/login/test',
    supplier: { name: 'Acme Inc.', country: 'US' },
  })
  appId = installed.app.id
  const { url, events, apiVersion } = installed.webhook
  const fields = Object.fromEntries(events.map((event, index) => [`enabled_events[${index}]`, event]))
  const endpoint = await stripePost<{ id: string; secret: string }>(sandboxUrl, 'webhook_endpoints', {
    url,
    api_version: apiVersion,
    ...fields,
  })
  await call('PUT', `/api/v1/apps/${appId}/stripe/webhook-secret`, { secret: endpoint.secret })
  const apps = { tax: appId, invoicing: appId, payment: appId }
  const profile = { supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] }, dunning, apps }
  await call('POST', '/api/v1/billing/profiles', {
    ...profile,
    name: 'Charged',
    default: true,
    workflow: {},
  })
  const sent = await call<{ id: string }>('POST', '/api/v1/billing/profiles', {
    ...profile,
    name: 'Sent',
    default: false,
    workflow: { payment: { collectionMethod: 'send_invoice' } },
  })
  profileId = sent.id
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

interface Billed {
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly clockId: string
}

/** A subscriber on a clock of their own that Stripe knows nothing of; without a card they are sent their invoices. */
async function subscriber(card: string | null): Promise<Billed> {
  const { call } = installation
  const key = `customer-${(count += 1)}`
  const clock = await call<{ id: string }>('POST', '/api/v1/test-clocks', { name: key, frozenTime: start })
  const scenario: Scenario = { appId, profileId, clockId: clock.id, stripeClockId: null }
  const customer = await addCustomer(installation, scenario, { key, card, email: 'billing@example.com' })
  if (card === null) {
    await call('PUT', `/api/v1/billing/customers/${customer.id}`, { billingProfileId: profileId })
  }
  await call('POST', '/api/v1/subscriptions', { customerId: customer.id, plan: { key: 'tokens_monthly' } })
  return { customerId: customer.id, stripeCustomerId: customer.stripeCustomerId, clockId: clock.id }
}

const replaceCard = async ({ stripeCustomerId }: Billed, card: string): Promise<unknown> =>
  await giveCard(installation.sandboxUrl, stripeCustomerId, card)

/** Something is heard of the invoice that needs another look at it. */
async function look({ id, stripeInvoiceId }: InvoiceRow): Promise<void> {
  const { db } = installation.database
  const eventId = `evt_look_${id}`
  const event = { eventId, appId, invoiceId: id, objectId: stripeInvoiceId ?? '', sourceId: stripeInvoiceId }
  const type = 'invoice.payment_action_required'
  await db
    .insertInto('stripeEvents')
    .values({ ...event, type, createdAt: new Date() })
    .execute()
  await waitFor(
    async () => await db.selectFrom('stripeEvents').selectAll().where('eventId', '=', eventId).execute(),
    ([row]) => row?.processedAt !== null,
  )
  const path = `/v1/invoices/${stripeInvoiceId ?? ''}$`
  await waitFor(
    async () => {
      const url = `${installation.sandboxUrl}/_sandbox/requests?method=GET&path=${encodeURIComponent(path)}`
      const { requests } = (await (await fetch(url)).json()) as { requests: readonly unknown[] }
      return requests.length
    },
    (looks) => looks > 1,
  )
}

test('a key of two permissions is installed by hand, and what it lacks is shown', () => {
  expect(installed).toMatchObject({
    app: {
      setup: 'manual',
      status: 'ready',
      customerPortalUrl: 'https://billing.stripe.com/p/login/test',
      webhook: { hasSecret: false, isPolled: false },
    },
    webhook: {
      url: `${installation.url}/api/v1/apps/${appId}/stripe/webhook`,
      events: ['invoice.finalized', 'invoice.marked_uncollectible', 'invoice.paid', 'invoice.voided'],
      apiVersion: '2022-11-15',
    },
  })
  const missing = installed.app.missingPermissions.map(({ permission }) => permission)
  expect(missing).toEqual(expect.arrayContaining(['rak_payment_intent_read', 'rak_event_read']))
  expect(missing).not.toContain('rak_customer_write')
  expect(missing).not.toContain('rak_invoice_write')
})

test('its subscriber pays', async () => {
  const paid = await untilInvoice(
    installation,
    await subscriber('pm_card_visa'),
    ({ status }) => status === 'paid',
  )
  expect(paid).toMatchObject({ paidMinor: paid.totalMinor, attempts: 0 })
})

test('rule 32: a declined card is tried again on the days of dunning, and another one pays', async () => {
  const billed = await subscriber('pm_card_chargeCustomerFail')
  const declined = await untilInvoice(installation, billed, ({ substatus }) => substatus === 'payment_failed')
  expect(declined).toMatchObject({ status: 'issued', attempts: 1, statusCode: 'generic_decline' })
  await look(declined)
  expect(await invoiceOf(installation, billed)).toMatchObject({ attempts: 1, nextDueAt: declined.nextDueAt })
  await advanceTo(installation, billed.clockId, '2026-01-04T01:00:00Z')
  expect(await invoiceOf(installation, billed)).toMatchObject({ attempts: 2, substatus: 'payment_failed' })
  await replaceCard(billed, 'pm_card_visa')
  await advanceTo(installation, billed.clockId, '2026-01-09T00:00:00Z')
  expect(await invoiceOf(installation, billed)).toMatchObject({ status: 'paid' })
})

test('rule 32: dunning that ends unpaid writes the invoice off at Stripe', async () => {
  const billed = await subscriber('pm_card_chargeCustomerFail')
  await untilInvoice(installation, billed, ({ substatus }) => substatus === 'payment_failed')
  await advanceTo(installation, billed.clockId, '2026-01-20T00:00:00Z')
  const written = await untilInvoice(installation, billed, ({ status }) => status === 'uncollectible')
  const there = await stripeGet<{ status: string }>(
    installation.sandboxUrl,
    `invoices/${written.stripeInvoiceId ?? ''}`,
  )
  expect(there.status).toBe('uncollectible')
})

test('rule 30: an invoice that is paid on Stripe’s page is settled by its event of 2022-11-15', async () => {
  const billed = await subscriber(null)
  const sent = await untilInvoice(installation, billed, (row) => row.sentAt !== null && row.hasWorkflow)
  const body = new URLSearchParams({ card: '4242424242424242' })
  const page = await fetch(sent.stripeHostedUrl ?? '', { method: 'POST', body })
  expect(page.ok).toBe(true)
  await untilInvoice(installation, billed, ({ status }) => status === 'paid')
  const events = await waitFor(
    async () =>
      await installation.database.db
        .selectFrom('stripeEvents')
        .selectAll()
        .where('invoiceId', '=', sent.id)
        .execute(),
    ({ length }) => length >= 2,
  )
  expect(events.map(({ type }) => type).toSorted()).toEqual(['invoice.finalized', 'invoice.paid'])
})

test('an invoice is voided here, and one that is written off in the dashboard is written off here', async () => {
  const voided = await subscriber(null)
  const open = await untilInvoice(installation, voided, (row) => row.sentAt !== null && row.hasWorkflow)
  await installation.call('POST', `/api/v1/billing/invoices/${open.id}/void`, {
    reason: 'a test',
    action: { percentage: 100, action: { type: 'discard' } },
  })
  await untilInvoice(installation, voided, ({ status }) => status === 'voided')

  const given = await subscriber(null)
  const sent = await untilInvoice(installation, given, (row) => row.sentAt !== null && row.hasWorkflow)
  await stripePost(installation.sandboxUrl, `invoices/${sent.stripeInvoiceId ?? ''}/mark_uncollectible`)
  await untilInvoice(installation, given, ({ status }) => status === 'uncollectible')
})

test('nothing was asked of Stripe again and again that the key may not', async () => {
  const response = await fetch(`${installation.sandboxUrl}/_sandbox/requests`)
  const { requests } = (await response.json()) as { requests: readonly { status: number; path: string }[] }
  const refused = requests.filter(({ status }) => status === 403)
  // The probes of the installation, and one expansion.
  expect(refused.length).toBeLessThanOrEqual(20)
})
