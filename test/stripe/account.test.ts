import { afterAll, beforeAll, expect, test } from 'vitest'
import { ulid } from 'ulid'
import { endpointEvents } from '../../src/stripe/events.ts'
import { classifyStripeError } from '../../src/stripe/failures.ts'
import { collect, customerWith, invoiceFor, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test('a key is asked whose it is', async () => {
  const inspected = await world.gateway.inspectKey('rk_test_sandbox_1234')
  expect(inspected).toMatchObject({ livemode: false, kind: 'restricted', keyMask: 'rk_test_…1234' })
  expect(inspected.accountId).toMatch(/^acct_/)
})

test('a live key never reaches the sandbox', async () => {
  world.proxy.restore()
  await expect(world.gateway.inspectKey('sk_live_51Habc')).rejects.toMatchObject({
    code: 'stripe_key_live_refused',
  })
  expect(world.proxy.passed()).toEqual([])
})

test('an installed endpoint sends what we need; asked twice it is one; deleted twice it is gone', async () => {
  const request = { url: 'http://127.0.0.1:9/webhook', appId: ulid() }
  const created = await world.gateway.createWebhookEndpoint('sk_test_sandbox', request)
  expect(created.secret).toMatch(/^whsec_/)
  expect(await world.gateway.createWebhookEndpoint('sk_test_sandbox', request)).toEqual(created)
  const app = { ...world.app, webhookEndpointId: created.endpointId }
  expect(await world.gateway.checkWebhookEndpoint(app)).toEqual({
    exists: true,
    enabled: true,
    url: request.url,
    missingEvents: [],
    spareEvents: [],
    apiVersion: '2026-10-28.endive',
  })
  await world.gateway.deleteWebhookEndpoint(app)
  await world.gateway.deleteWebhookEndpoint(app)
  expect(await world.gateway.checkWebhookEndpoint(app)).toMatchObject({
    exists: false,
    missingEvents: endpointEvents,
  })
  const again = await world.gateway.createWebhookEndpoint('sk_test_sandbox', request)
  expect(again.endpointId).not.toBe(created.endpointId)
  await world.gateway.deleteWebhookEndpoint({ ...app, webhookEndpointId: again.endpointId })
})

test('a customer is read with its default card; a deleted one is told; an unknown one is refused', async () => {
  const id = await customerWith(world)
  const customer = await world.gateway.getCustomer(world.app, id)
  expect(customer).toMatchObject({ id, deleted: false, email: 'ada@example.com', testClockId: null })
  const card = await world.gateway.getPaymentMethod(world.app, customer.defaultPaymentMethodId ?? '')
  expect(card).toMatchObject({ type: 'card', customerId: id, cardBrand: 'visa', cardLast4: '4242' })
  await world.stripe.customers.del(id)
  expect(await world.gateway.getCustomer(world.app, id)).toMatchObject({ id, deleted: true })
  await expect(world.gateway.getCustomer(world.app, 'cus_none')).rejects.toMatchObject({
    code: 'stripe_customer_not_found',
  })
  await expect(world.gateway.getPaymentMethod(world.app, 'pm_none')).rejects.toMatchObject({
    code: 'stripe_payment_method_not_found',
  })
})

test('a card that is refused when it is attached is an outcome', async () => {
  const refused = await customerWith(world, { card: 'pm_card_visa_chargeDeclinedLostCard' }).then(
    () => null,
    classifyStripeError,
  )
  expect(refused).toMatchObject({ kind: 'outcome', declineCode: 'lost_card' })
})

test('events are polled from a cursor, oldest first, and none is seen twice', async () => {
  const start = await world.gateway.newestEventId(world.app)
  const invoice = invoiceFor(await customerWith(world))
  await collect(world, invoice)
  const page = await world.gateway.listEvents(world.app, { cursor: start })
  const ours = page.events.filter((event) => event.invoiceId === invoice.invoiceId)
  expect(ours.map((event) => event.type)).toEqual([
    'invoice.created',
    'invoice.updated',
    'invoice.finalized',
    'invoice.updated',
    'invoice.paid',
  ])
  expect(page.events.find((event) => event.type === 'invoice_payment.paid')?.stripeInvoiceId).toBe(
    ours[0]?.stripeInvoiceId,
  )
  const next = await world.gateway.listEvents(world.app, { cursor: page.cursor })
  expect(next).toEqual({ events: [], cursor: page.cursor })
})

test.each([null, 'evt_forgotten'])(
  'polling from %s reads all events that Stripe still has',
  async (after) => {
    const cursor = await world.gateway.newestEventId(world.app)
    const customer = await customerWith(world)
    // More than a page.
    for (let made = 0; made < 101; made++) {
      await world.stripe.customers.update(customer, { description: `${made}` })
    }
    const recent = await world.gateway.listEvents(world.app, { cursor })
    const all = await world.gateway.listEvents(world.app, { cursor: after })
    const ids = all.events.map((event) => event.id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBeGreaterThan(100)
    const from = ids.indexOf(recent.events[0]?.id ?? '')
    expect(ids.slice(from, from + recent.events.length)).toEqual(recent.events.map((event) => event.id))
  },
)

test('a test clock is advanced once, and never back', async () => {
  const january = Date.UTC(2026, 0, 31)
  const february = Date.UTC(2026, 1, 28)
  const { id } = await world.gateway.createTestClock(world.app, { name: 'year', frozenTimeMs: january })
  const moved = await world.gateway.advanceTestClock(world.app, { testClockId: id, toMs: february })
  expect(moved).toEqual({ id, status: 'ready', frozenTimeMs: february })
  expect(await world.gateway.advanceTestClock(world.app, { testClockId: id, toMs: february })).toEqual(moved)
  expect(await world.gateway.advanceTestClock(world.app, { testClockId: id, toMs: january })).toEqual(moved)
  expect(await world.gateway.getTestClock(world.app, id)).toEqual(moved)
})

test('an invoice on a test clock is found without a lower bound in real time', async () => {
  const clock = await world.gateway.createTestClock(world.app, {
    name: 'past',
    frozenTimeMs: Date.UTC(2020, 0, 1),
  })
  const customer = await customerWith(world, { testClockId: clock.id })
  const invoice = invoiceFor(customer, { createdMs: null })
  const { stripeInvoiceId } = await world.gateway.syncInvoice(world.app, invoice)
  const again = await world.gateway.syncInvoice(world.app, { ...invoice, generation: 2 })
  expect(again).toMatchObject({ stripeInvoiceId, adopted: true })
})
