import { afterAll, beforeAll, expect, test } from 'vitest'
import { setWebhookProblem } from '../../src/db/stores/app-care.ts'
import { pollEvents, startEventPolling } from '../../src/relay/poll-events.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import type { EventsQuery } from '../../src/stripe/webhook-types.ts'
import { MASTER_KEY, startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripePost } from '../support/stripe-client.ts'

let installation: Installation
let scenario: Scenario
let stripe: StripeGateway
let count = 0

beforeAll(async () => {
  installation = await startInstallation()
  const { sandboxUrl } = installation
  // An account takes sixteen endpoints: ours is refused, as an address that Stripe cannot reach is.
  for (let made = 0; made < 16; made++) {
    await stripePost(sandboxUrl, 'webhook_endpoints', {
      url: 'http://127.0.0.1:9/elsewhere',
      'enabled_events[0]': 'charge.dispute.created',
    })
  }
  scenario = await startScenario(installation, {
    workflow: { payment: { collectionMethod: 'send_invoice' } },
  })
  await addTokenPlan(installation)
  stripe = createStripeGateway({ masterKey: MASTER_KEY, baseUrl: sandboxUrl, limits: false })
})
afterAll(async () => {
  await installation.close()
})

/** Polls from now on; what it asks Stripe and what fails is kept. */
function polled() {
  const queries: EventsQuery[] = []
  const warnings: object[] = []
  const listEvents: StripeGateway['listEvents'] = async (app, query) => {
    queries.push(query)
    return await stripe.listEvents(app, query)
  }
  const log = { warn: (fields: object) => void warnings.push(fields) }
  return { queries, warnings, deps: { db: installation.database.db, stripe: { ...stripe, listEvents }, log } }
}

const cursor = async (): Promise<string | null> => {
  const apps = installation.database.db.selectFrom('apps').where('id', '=', scenario.appId)
  return (await apps.select('eventsCursor').executeTakeFirstOrThrow()).eventsCursor
}

const setCursor = async (eventsCursor: string | null): Promise<void> => {
  await installation.database.db.updateTable('apps').set({ eventsCursor }).execute()
}

async function invoiceOf(customerId: string) {
  const invoices = installation.database.db.selectFrom('invoices').selectAll()
  return await invoices.where('customerId', '=', customerId).executeTakeFirst()
}

/** A new customer, with an invoice that waits for them on Stripe's page. */
async function sentInvoice() {
  const key = `polled-${(count += 1)}`
  const email = 'billing@example.com'
  const { id: customerId } = await addCustomer(installation, scenario, { key, card: null, email })
  await installation.call('POST', '/api/v1/subscriptions', { customerId, plan: { key: 'tokens_monthly' } })
  const invoice = await waitFor(
    async () => await invoiceOf(customerId),
    (row) => row?.hasWorkflow === true && row.sentAt !== null,
  )
  return { customerId, url: invoice?.stripeHostedUrl ?? '', invoiceId: invoice?.id ?? '' }
}

async function payOnPage(url: string): Promise<void> {
  const page = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams({ card: '4242424242424242' }),
  })
  expect(page.ok).toBe(true)
}

async function untilPaid(customerId: string): Promise<void> {
  await waitFor(
    async () => await invoiceOf(customerId),
    (row) => row?.status === 'paid',
  )
}

const stored = async () =>
  await installation.database.db.selectFrom('stripeEvents').selectAll().orderBy('eventId').execute()

test('rule 30: where Stripe refused the endpoint, an e-mailed invoice is settled by a polled event', async () => {
  const app = await installation.database.db.selectFrom('apps').selectAll().executeTakeFirstOrThrow()
  expect(app.webhookEndpointId).toBeNull()
  const { customerId, url, invoiceId } = await sentInvoice()
  const { deps, warnings } = polled()
  const polling = startEventPolling(deps, 50)
  await payOnPage(url)
  await untilPaid(customerId)
  await polling.stop()
  expect(warnings).toEqual([])
  const paid = (await stored()).filter((event) => event.invoiceId === invoiceId)
  expect(paid.find(({ type }) => type === 'invoice.paid')).toMatchObject({ appId: app.id })
})

test('rule 30: events that are polled again change nothing', async () => {
  const { customerId, url, invoiceId } = await sentInvoice()
  await payOnPage(url)
  await pollEvents(polled().deps)
  await untilPaid(customerId)
  const settled = await waitFor(stored, (events) => events.every(({ processedAt }) => processedAt !== null))
  const last = await cursor()
  expect(settled.some((event) => event.invoiceId === invoiceId && event.type === 'invoice.paid')).toBe(true)

  await setCursor(null)
  await pollEvents(polled().deps)
  expect(await stored()).toEqual(settled)
  expect(await cursor()).toBe(last)
})

test('polling begins where it ended when the worker is started again', async () => {
  await pollEvents(polled().deps)
  const before = await cursor()
  const { url, customerId, invoiceId } = await sentInvoice()
  await payOnPage(url)
  const { deps, queries } = polled()
  await pollEvents(deps)
  expect(queries).toEqual([{ cursor: before }, { cursor: await cursor() }])
  const types = (await stored()).filter((event) => event.invoiceId === invoiceId).map(({ type }) => type)
  expect(types).toContain('invoice.paid')
  await untilPaid(customerId)
})

test('one worker polls an account at a time', async () => {
  const second = polled()
  const { deps } = polled()
  let asked = 0
  const listEvents: StripeGateway['listEvents'] = async (app, query) => {
    asked += 1
    await pollEvents(second.deps)
    return await stripe.listEvents(app, query)
  }
  await pollEvents({ ...deps, stripe: { ...stripe, listEvents } })
  expect(asked).toBeGreaterThan(0)
  expect(second.queries).toEqual([])
})

test('polling after a repair ends when all is read, not when another worker reads it', async () => {
  const { db } = installation.database
  const update = async (values: { webhookEndpointId: string | null; pollsEvents: boolean }) =>
    await db.updateTable('apps').set(values).where('id', '=', scenario.appId).execute()
  await pollEvents(polled().deps)
  const before = (await stored()).length
  const { id } = await stripePost(installation.sandboxUrl, 'customers', { name: 'missed' })
  await stripePost(installation.sandboxUrl, `customers/${id}`, { name: 'missed 1' })
  await stripePost(installation.sandboxUrl, `customers/${id}`, { name: 'missed 2' })
  await update({ webhookEndpointId: 'we_repaired', pollsEvents: true })
  await setWebhookProblem(db, { id: scenario.appId, webhookEndpointId: 'we_repaired' }, null)
  const { deps } = polled()
  // A backlog of more than one page, while another worker looks too.
  const listEvents: StripeGateway['listEvents'] = async (app, query) => {
    const { events } = await stripe.listEvents(app, query)
    await pollEvents(polled().deps)
    return { events: events.slice(0, 1), cursor: events[0]?.id ?? query.cursor }
  }
  await pollEvents({ ...deps, stripe: { ...stripe, listEvents } })
  expect(await stored()).toHaveLength(before + 2)
  expect(await db.selectFrom('apps').select('pollsEvents').executeTakeFirst()).toEqual({ pollsEvents: false })
  await update({ webhookEndpointId: null, pollsEvents: false })
})

test('polling goes on where the endpoint was repaired after the last look', async () => {
  const { db } = installation.database
  const { deps } = polled()
  const app = () => db.updateTable('apps').where('id', '=', scenario.appId)
  const broken = { id: scenario.appId, webhookEndpointId: 'we_broken' }
  await app()
    .set({ webhookEndpointId: 'we_broken', webhookProblem: 'It is gone.', pollsEvents: true })
    .execute()
  const listEvents: StripeGateway['listEvents'] = async (asked, query) => {
    const page = await stripe.listEvents(asked, query)
    if (page.events.length === 0) await setWebhookProblem(db, broken, null)
    return page
  }
  await pollEvents({ ...deps, stripe: { ...stripe, listEvents } })
  expect(await db.selectFrom('apps').select('pollsEvents').executeTakeFirst()).toEqual({ pollsEvents: true })
  await pollEvents(deps)
  expect(await db.selectFrom('apps').select('pollsEvents').executeTakeFirst()).toEqual({ pollsEvents: false })
  await app().set({ webhookEndpointId: null }).execute()
})

test('an event and its cursor are stored together', async () => {
  const before = await cursor()
  await stripePost(installation.sandboxUrl, 'customers', { name: 'one more' }).then(
    async ({ id }) => await stripePost(installation.sandboxUrl, `customers/${id}`, { name: 'renamed' }),
  )
  const { deps, warnings } = polled()
  // Its second event cannot be stored.
  const listEvents: StripeGateway['listEvents'] = async (app, query) => {
    const page = await stripe.listEvents(app, query)
    const [event] = page.events
    if (!event) return page
    const broken = { ...event, id: 'evt_broken', type: '\u0000' }
    return { events: [event, broken], cursor: 'evt_broken' }
  }
  const events = await waitFor(stored, (all) => all.every(({ processedAt }) => processedAt !== null))
  await pollEvents({ ...deps, stripe: { ...stripe, listEvents } })
  expect(warnings).toHaveLength(1)
  expect(await stored()).toEqual(events)
  expect(await cursor()).toBe(before)
  await pollEvents(deps)
  expect(await stored()).toHaveLength(events.length + 1)
})

test('an account whose key is refused does not keep another from being polled', async () => {
  const { db } = installation.database
  const broken = { id: '0-first', type: 'stripe', name: 'Broken', stripeAccountId: 'acct_broken' }
  await db
    .insertInto('apps')
    .values({ ...broken, apiKeyEncrypted: 'damaged' })
    .execute()
  const { deps, queries, warnings } = polled()
  await pollEvents(deps)
  expect(warnings).toMatchObject([{ appId: broken.id }])
  // One for each of them.
  expect(queries).toHaveLength(2)
  await db.deleteFrom('apps').where('id', '=', broken.id).execute()
})
