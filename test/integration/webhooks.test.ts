import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { billedCustomers } from '../support/billed.ts'
import type { BilledCustomer } from '../support/billed.ts'
import { holdRequest } from '../support/faults.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { invoiceOf, untilInvoice } from '../support/invoice-rows.ts'
import type { InvoiceRow } from '../support/invoice-rows.ts'
import { addTokenPlan, advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { giveCard, steerSandbox, stripeGet } from '../support/stripe-client.ts'

let installation: Installation
let scenario: Scenario
let count = 0

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation, {
    dunning: { retries: ['P3D', 'P7D'], end: 'leave_overdue', grace: 'P7D' },
  })
  await addTokenPlan(installation)
})
afterEach(async () => {
  await sandbox('DELETE', '/webhooks/rules')
  await sandbox('DELETE', '/faults')
})
afterAll(async () => {
  await installation.close()
})

const sandbox = async <T>(method: string, path: string, body?: object): Promise<T> =>
  await steerSandbox(installation.sandboxUrl, { method, path, ...(body && { body }) })

const rule = async (action: string, type: string, more: object = {}): Promise<unknown> =>
  await sandbox('POST', '/webhooks/rules', { action, type, ...more })

type Billed = BilledCustomer

/** A customer on a clock of their own; without a card they are sent their invoices. */
const newCustomer = async (card: string | null): Promise<Billed> =>
  await billedCustomers(installation, scenario).newCustomer({
    key: `customer-${(count += 1)}`,
    card,
    ...(card === null && { workflow: { payment: { collectionMethod: 'send_invoice' } } }),
  })

async function subscribe({ customerId }: Billed): Promise<void> {
  await installation.call('POST', '/api/v1/subscriptions', { customerId, plan: { key: 'tokens_monthly' } })
}

/** A customer with an invoice that waits for them on Stripe's page. */
async function withSentInvoice(): Promise<Billed & { readonly invoice: InvoiceRow }> {
  const billed = await newCustomer(null)
  await subscribe(billed)
  const invoice = await untilInvoice(installation, billed, (row) => row.sentAt !== null && row.hasWorkflow)
  await settled(invoice.id)
  return { ...billed, invoice }
}

async function payOnPage(invoice: InvoiceRow): Promise<void> {
  const body = new URLSearchParams({ card: '4242424242424242' })
  const page = await fetch(invoice.stripeHostedUrl ?? '', { method: 'POST', body })
  expect(page.ok).toBe(true)
}

const eventsOf = async (invoiceId: string, type: string) =>
  await installation.database.db
    .selectFrom('stripeEvents')
    .selectAll()
    .where('invoiceId', '=', invoiceId)
    .where('type', '=', type)
    .execute()

/** Everything that Stripe sent has been delivered, and whatever was woken by it has looked. */
async function settled(invoiceId: string): Promise<void> {
  await waitFor(
    async () => {
      const { pending, failing } = await sandbox<{ pending: number; failing: number }>('GET', '/settled')
      const open = await installation.database.db
        .selectFrom('stripeEvents')
        .select('eventId')
        .where('processedAt', 'is', null)
        .where('invoiceId', '=', invoiceId)
        .execute()
      return pending + failing + open.length
    },
    (onTheWay) => onTheWay === 0,
  )
}

/** How often each thing was booked: what is applied twice would be here twice. */
async function booked(invoiceId: string): Promise<readonly string[]> {
  const rows = await installation.database.db
    .selectFrom('timeline')
    .select(['kind', 'detail'])
    .where('subjectType', '=', 'invoice')
    .where('subjectId', '=', invoiceId)
    .orderBy('id')
    .execute()
  return rows.map(({ kind }) => kind)
}

const SENT_AND_PAID = ['created', 'issued', 'issued', 'paid']
const CHARGED = ['created', 'issued', 'paid']

interface List<T> {
  readonly data: readonly T[]
}

async function chargesOf({ stripeCustomerId }: Billed): Promise<readonly string[]> {
  const { data } = await stripeGet<List<{ status: string }>>(
    installation.sandboxUrl,
    `charges?customer=${stripeCustomerId}`,
  )
  return data.map(({ status }) => status).toSorted()
}

async function stripeInvoicesOf({ stripeCustomerId }: Billed): Promise<number> {
  const path = `invoices?customer=${stripeCustomerId}`
  return (await stripeGet<List<unknown>>(installation.sandboxUrl, path)).data.length
}

test('rule 30: a webhook that is delivered twice is stored and applied once', async () => {
  const { invoice, ...billed } = await withSentInvoice()
  await rule('duplicate', '^invoice\\.paid$')
  await payOnPage(invoice)
  await untilInvoice(installation, billed, ({ status }) => status === 'paid')
  await settled(invoice.id)
  const events = await eventsOf(invoice.id, 'invoice.paid')
  expect(events).toHaveLength(1)
  const { deliveries } = await sandbox<{ deliveries: Delivery[] }>('GET', '/webhooks/deliveries')
  const same = deliveries.filter(({ event }) => event === events[0]?.eventId)
  expect(same.map(({ state }) => state)).toEqual(['delivered', 'delivered'])
  expect(await booked(invoice.id)).toEqual(SENT_AND_PAID)
})

test('rule 30: one change that comes with two event ids is stored twice and applied once', async () => {
  const { invoice, ...billed } = await withSentInvoice()
  await rule('duplicate_new_id', '^invoice\\.paid$')
  await payOnPage(invoice)
  await untilInvoice(installation, billed, ({ status }) => status === 'paid')
  await settled(invoice.id)
  const events = await eventsOf(invoice.id, 'invoice.paid')
  expect(events).toHaveLength(2)
  for (const { outcome } of events) expect(['signalled', 'confirmed']).toContain(outcome)
  expect(await booked(invoice.id)).toEqual(SENT_AND_PAID)
  expect(await chargesOf(billed)).toEqual(['succeeded'])
})

test('rule 30: events that come in the wrong order end where the right order does', async () => {
  const { invoice, ...billed } = await withSentInvoice()
  await rule('reorder', '^invoice\\.(payment_failed|paid)$', { count: 2, times: 2 })
  const declined = new URLSearchParams({ card: '4000000000000341' })
  await fetch(invoice.stripeHostedUrl ?? '', { method: 'POST', body: declined })
  await payOnPage(invoice)
  await untilInvoice(installation, billed, ({ status }) => status === 'paid')
  await settled(invoice.id)
  const told = [
    ...(await eventsOf(invoice.id, 'invoice.paid')),
    ...(await eventsOf(invoice.id, 'invoice.payment_failed')),
  ].toSorted((a, b) => a.receivedAt.getTime() - b.receivedAt.getTime())
  expect(told.map(({ type }) => type)).toEqual(['invoice.paid', 'invoice.payment_failed'])
  expect(await booked(invoice.id)).toEqual(SENT_AND_PAID)
  expect(await chargesOf(billed)).toEqual(['failed', 'succeeded'])
})

test('rule 30: a failure that is told after the payment it came before changes nothing', async () => {
  await rule('hold', '^invoice\\.payment_failed$')
  const billed = await newCustomer('pm_card_chargeCustomerFail')
  await subscribe(billed)
  await untilInvoice(installation, billed, (row) => row.substatus === 'payment_failed' && row.hasWorkflow)
  await giveCard(installation.sandboxUrl, billed.stripeCustomerId)
  await advanceTo(installation, billed.clockId, '2026-01-04T00:00:00Z')
  const paid = await untilInvoice(installation, billed, ({ status }) => status === 'paid')
  await settled(paid.id)
  const before = await booked(paid.id)

  await sandbox('POST', '/webhooks/release')
  const [event] = await waitFor(
    async () => await eventsOf(paid.id, 'invoice.payment_failed'),
    (events) => events.length === 1 && events.every(({ processedAt }) => processedAt !== null),
  )
  expect(event?.outcome).toBe('confirmed')
  expect(await invoiceOf(installation, billed)).toMatchObject({
    status: 'paid',
    attempts: 1,
    substatus: null,
  })
  expect(await booked(paid.id)).toEqual(before)
  expect(await chargesOf(billed)).toEqual(['failed', 'succeeded'])
})

test('rule 30: a webhook that is faster than our own commit waits for it and starts nothing', async () => {
  // Stripe has charged and told so; its reply to our call is on its way.
  const held = await holdRequest(installation.sandboxUrl, { kind: 'hold_after', path: '/pay$' })
  const billed = await newCustomer('pm_card_visa')
  await subscribe(billed)
  const open = await untilInvoice(installation, billed, ({ status }) => status === 'issued')
  const early = await waitFor(
    async () => await eventsOf(open.id, 'invoice.paid'),
    (events) => events.some(({ lastError }) => lastError !== null),
  )
  expect(early).toMatchObject([{ processedAt: null, lastError: 'its own step is collecting it' }])
  expect((await invoiceOf(installation, billed))?.status).toBe('issued')
  await held.letGo()

  await untilInvoice(installation, billed, ({ status }) => status === 'paid')
  await settled(open.id)
  expect(await eventsOf(open.id, 'invoice.paid')).toMatchObject([{ outcome: 'confirmed' }])
  expect(await invoiceOf(installation, billed)).toMatchObject({ hasWorkflow: false, attempts: 0 })
  expect(await booked(open.id)).toEqual(CHARGED)
  expect(await chargesOf(billed)).toEqual(['succeeded'])
  const workflow = installation.client.workflow.getHandle(`invoice/${open.id}`)
  await expect(workflow.describe()).rejects.toMatchObject({ name: 'WorkflowNotFoundError' })
})

test.each(['wrong_signature', 'old_timestamp'])(
  'rule 30: a webhook with %s is refused, and its sound retry settles',
  async (action) => {
    const { invoice, ...billed } = await withSentInvoice()
    await rule(action, '^invoice\\.paid$')
    await payOnPage(invoice)
    await untilInvoice(installation, billed, ({ status }) => status === 'paid')
    await settled(invoice.id)
    const [event] = await eventsOf(invoice.id, 'invoice.paid')
    const { deliveries } = await sandbox<{ deliveries: Delivery[] }>('GET', '/webhooks/deliveries')
    const tried = deliveries.filter(({ event: id }) => id === event?.eventId)
    expect(tried).toMatchObject([{ attempts: 2, state: 'delivered' }])
    expect(await booked(invoice.id)).toEqual(SENT_AND_PAID)
  },
)

interface Delivery {
  readonly event: string
  readonly attempts: number
  readonly state: string
}

test('a webhook that somebody else made is refused and not stored', async () => {
  const { invoice } = await withSentInvoice()
  const forged = JSON.stringify({
    id: 'evt_forged',
    object: 'event',
    type: 'invoice.paid',
    created: Math.floor(Date.now() / 1000),
    livemode: false,
    data: { object: { id: invoice.stripeInvoiceId, object: 'invoice', metadata: {} } },
  })
  const response = await fetch(`${installation.url}/api/v1/apps/${scenario.appId}/stripe/webhook`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'stripe-signature': `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}`,
    },
    body: forged,
  })
  expect(response.status).toBe(400)
  const stored = await installation.database.db
    .selectFrom('stripeEvents')
    .select('eventId')
    .where('eventId', '=', 'evt_forged')
    .execute()
  expect(stored).toEqual([])
})

test('rule 30: where no webhook ever comes, the invoice looks at Stripe itself after a day', async () => {
  const { invoice, ...billed } = await withSentInvoice()
  await rule('drop', '.*', { times: 0 })
  await payOnPage(invoice)
  await advanceTo(installation, billed.clockId, '2026-01-01T23:00:00Z')
  expect((await invoiceOf(installation, billed))?.status).toBe('issued')
  await advanceTo(installation, billed.clockId, '2026-01-02T01:00:00Z')
  expect((await invoiceOf(installation, billed))?.status).toBe('paid')
  expect(await eventsOf(invoice.id, 'invoice.paid')).toEqual([])
  expect(await booked(invoice.id)).toEqual(SENT_AND_PAID)
})

test.each([
  ['the invoice was made', '^/v1/invoices$'],
  ['it was charged', '/pay$'],
])('rule 31: a reply that is lost after %s makes and charges nothing twice', async (_what, path) => {
  await sandbox('POST', '/faults', { kind: 'reset_after', method: 'POST', path })
  const billed = await newCustomer('pm_card_visa')
  await subscribe(billed)
  const paid = await untilInvoice(installation, billed, ({ status }) => status === 'paid')
  await settled(paid.id)
  expect(await stripeInvoicesOf(billed)).toBe(1)
  expect(await chargesOf(billed)).toEqual(['succeeded'])
  expect(await booked(paid.id)).toEqual(CHARGED)
})

test('an invoice that is charged at once is told of by three webhooks, of which two are kept', async () => {
  const billed = await newCustomer('pm_card_visa')
  await subscribe(billed)
  const first = await untilInvoice(installation, billed, ({ status }) => status === 'paid')
  await settled(first.id)
  const told = async () =>
    (await sandbox<{ deliveries: { id: string }[] }>('GET', '/webhooks/deliveries')).deliveries.map(
      ({ id }) => id,
    )
  const before = new Set(await told())
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:00Z')
  const second = await installation.database.db
    .selectFrom('invoices')
    .select(['id', 'status'])
    .where('customerId', '=', billed.customerId)
    .where('id', '!=', first.id)
    .executeTakeFirstOrThrow()
  expect(second.status).toBe('paid')
  await settled(second.id)
  // Created, finalized, paid.
  expect((await told()).filter((id) => !before.has(id))).toHaveLength(3)
  const kept = await installation.database.db
    .selectFrom('stripeEvents')
    .select('type')
    .where('invoiceId', '=', second.id)
    .execute()
  expect(kept.map(({ type }) => type).toSorted()).toEqual(['invoice.finalized', 'invoice.paid'])
})
