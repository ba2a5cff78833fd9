import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripePost } from '../support/stripe-client.ts'
import { countHistory, readHistory } from '../support/history.ts'
import type { HistoryEvent } from '../support/history.ts'

/**
 * What a period and a slow invoice cost at Temporal (DESIGN, "Cheap by design"), on real timers: no test clock's ticks
 * are in these counts. Upper bounds, since how a webhook falls between two steps may save or add a task.
 */
const HAPPY = { workflowTasks: 2, activities: 1 }
const PERIOD_EVENTS = 25
const INVOICE_EVENTS = 30
/** Long enough for the subscription to wait for it, whatever the machine. */
const AHEAD_MS = 6_000

let installation: Installation
let scenario: Scenario

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

interface Invoice {
  readonly id: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly hostedInvoiceUrl?: string
}

const firstInvoice = async (customerId: string, wanted: string): Promise<Invoice> => {
  const { items } = await waitFor(
    async () =>
      await installation.call<{ items: Invoice[] }>(
        'GET',
        `/api/v1/billing/invoices?customers=${customerId}`,
      ),
    ({ items: [first] }) => first?.status === wanted || first?.statusDetails.extendedStatus === wanted,
  )
  if (items[0] === undefined) throw new Error('there is no invoice')
  return items[0]
}

interface Subscribed {
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly subscriptionId: string
}

async function subscribe(
  key: string,
  options: { card?: string | null; profile?: object; body?: object } = {},
) {
  const { call } = installation
  const { card = 'pm_card_visa' } = options
  const customer = await addCustomer(installation, scenario, { key, card, email: `${key}@example.com` })
  if (options.profile) {
    const profile = await call<{ id: string }>('POST', '/api/v1/billing/profiles', {
      name: `For ${key}`,
      default: false,
      supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
      workflow: {},
      apps: { tax: scenario.appId, invoicing: scenario.appId, payment: scenario.appId },
      ...options.profile,
    })
    await call('PUT', `/api/v1/billing/customers/${customer.id}`, { billingProfileId: profile.id })
  }
  const { id } = await call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: 'tokens_monthly' },
    ...options.body,
  })
  const made: Subscribed = {
    customerId: customer.id,
    stripeCustomerId: customer.stripeCustomerId,
    subscriptionId: id,
  }
  return made
}

const historyOf = async (workflowId: string): Promise<readonly HistoryEvent[]> =>
  await readHistory(installation.client, workflowId)

/** The whole life of the customer's invoice, once its workflow has ended. */
async function lifeOf(invoiceId: string) {
  const handle = installation.client.workflow.getHandle(`invoice/${invoiceId}`)
  await handle.result()
  return countHistory(await historyOf(`invoice/${invoiceId}`))
}

test('the happy path from a boundary to paid costs two workflow tasks and one activity', async () => {
  const boundary = new Date(Math.ceil((Date.now() + AHEAD_MS) / 1000) * 1000)
  const { customerId, subscriptionId } = await subscribe('happy', {
    body: { billingAnchor: boundary.toISOString() },
  })
  const workflowId = `subscription/${subscriptionId}`
  await waitFor(
    async () =>
      await installation.call<{ items: Invoice[] }>(
        'GET',
        `/api/v1/billing/invoices?customers=${customerId}`,
      ),
    ({ items }) => items.length === 2 && items.every(({ status }) => status === 'paid'),
  )
  const isTimer = (event: HistoryEvent): boolean => event.kind === 'timerFired'
  const events = await waitFor(
    async () => await historyOf(workflowId),
    (list) => list.some(isTimer) && list.at(-1)?.kind === 'timerStarted',
  )
  // From the timer that the boundary fired to the next one: all that a period costs.
  const period = countHistory(events.slice(events.findIndex(isTimer)))
  expect(period.workflowTasks).toBeLessThanOrEqual(HAPPY.workflowTasks)
  expect(period.activities).toBeLessThanOrEqual(HAPPY.activities)
  expect(period.events).toBeLessThanOrEqual(PERIOD_EVENTS)
  expect(countHistory(events).events).toBeLessThanOrEqual(PERIOD_EVENTS)
  const { items } = await installation.call<{ items: Invoice[] }>(
    'GET',
    `/api/v1/billing/invoices?customers=${customerId}`,
  )
  // Neither invoice had to wait, so neither has a workflow.
  for (const { id } of items) {
    await expect(installation.client.workflow.getHandle(`invoice/${id}`).describe()).rejects.toThrow()
  }
})

const dunning = { retries: ['PT2S', 'PT4S', 'PT6S'], grace: 'P7D' }

test('dunning whose third retry recovers', async () => {
  const { customerId, stripeCustomerId } = await subscribe('recovered', {
    card: 'pm_card_chargeCustomerFail',
    profile: { dunning: { ...dunning, end: 'leave_overdue' } },
  })
  const { id } = await firstInvoice(customerId, 'issued.payment_failed')
  await waitFor(
    async () => await installation.call<{ paymentAttempts: number }>('GET', `/api/v1/billing/invoices/${id}`),
    ({ paymentAttempts }) => paymentAttempts === 3,
  )
  const method = await stripePost(installation.sandboxUrl, 'payment_methods/pm_card_visa/attach', {
    customer: stripeCustomerId,
  })
  await stripePost(installation.sandboxUrl, `customers/${stripeCustomerId}`, {
    'invoice_settings[default_payment_method]': method.id,
  })
  expect((await lifeOf(id)).events).toBeLessThanOrEqual(INVOICE_EVENTS)
})

test('dunning that fails three times and ends', async () => {
  const { customerId } = await subscribe('exhausted', {
    card: 'pm_card_chargeCustomerFail',
    profile: { dunning: { ...dunning, end: 'mark_uncollectible' } },
  })
  const { id } = await firstInvoice(customerId, 'uncollectible')
  expect((await lifeOf(id)).events).toBeLessThanOrEqual(INVOICE_EVENTS)
})

test('an invoice that waits for approval', async () => {
  const { customerId } = await subscribe('approved', {
    profile: { workflow: { invoicing: { autoAdvance: false } } },
  })
  const { id } = await firstInvoice(customerId, 'draft')
  await installation.call('POST', `/api/v1/billing/invoices/${id}/approve`)
  expect((await lifeOf(id)).events).toBeLessThanOrEqual(INVOICE_EVENTS)
})

test('an invoice that waits for its draft period', async () => {
  const { customerId } = await subscribe('drafted', {
    profile: { workflow: { invoicing: { draftPeriod: 'PT2S' } } },
  })
  const { id } = await firstInvoice(customerId, 'paid')
  expect((await lifeOf(id)).events).toBeLessThanOrEqual(INVOICE_EVENTS)
})

test('an e-mailed invoice that is paid on Stripe’s page and settled by the webhook', async () => {
  const workflow = { payment: { collectionMethod: 'send_invoice' }, invoicing: { dueAfter: 'P30D' } }
  const { customerId } = await subscribe('mailed', { card: null, profile: { workflow } })
  const { id, hostedInvoiceUrl = '' } = await firstInvoice(customerId, 'issued')
  // Paid before its workflow began, it would need none.
  const handle = installation.client.workflow.getHandle(`invoice/${id}`)
  await waitFor(
    async () => await handle.describe().catch(() => null),
    (description) => description !== null,
  )
  const page = await fetch(hostedInvoiceUrl, {
    method: 'POST',
    body: new URLSearchParams({ card: '4242424242424242' }),
  })
  expect(page.ok).toBe(true)
  expect((await lifeOf(id)).events).toBeLessThanOrEqual(INVOICE_EVENTS)
})
