import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  advanceTo,
  customerWith,
  draftOf,
  eventTypes,
  openInvoice,
  refusalOf,
  startReceiver,
  startWorld,
  until,
} from './world.ts'
import type { World } from './world.ts'

const START = Date.UTC(2027, 0, 1) / 1000
const HOUR = 3600
const DAY = 24 * HOUR

let world: World
let clock: string
beforeEach(async () => {
  world = await startWorld()
  clock = (await world.stripe.testHelpers.testClocks.create({ frozen_time: START })).id
})
afterEach(() => world.close())

test('objects of a customer on a clock take its time', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_visa', { test_clock: clock })
  const draft = await draftOf(stripe, customer.id, 500)
  expect(draft).toMatchObject({ created: START, test_clock: clock })
  const [created] = (await stripe.events.list({ type: 'invoice.created' })).data
  expect(created?.created).toBe(START)
  expect((await stripe.customers.list()).data).toEqual([])
  expect((await stripe.customers.list({ test_clock: clock })).data).toHaveLength(1)
})

test('auto_advance finalizes an hour after creation and then charges', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_visa', { test_clock: clock })
  const draft = await draftOf(stripe, customer.id, 500, { auto_advance: true })
  expect(draft).toMatchObject({
    automatically_finalizes_at: START + HOUR + 1,
    next_payment_attempt: START + HOUR,
  })
  await advanceTo(stripe, clock, START + HOUR)
  expect((await stripe.invoices.retrieve(draft.id)).status).toBe('draft')
  await advanceTo(stripe, clock, START + 2 * HOUR)
  const paid = await stripe.invoices.retrieve(draft.id)
  expect(paid.status).toBe('paid')
  expect(paid.status_transitions.finalized_at).toBe(START + HOUR + 1)
})

test('without auto_advance a draft stays a draft', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_visa', { test_clock: clock })
  const draft = await draftOf(stripe, customer.id, 500)
  await advanceTo(stripe, clock, START + 90 * DAY)
  expect(await stripe.invoices.retrieve(draft.id)).toMatchObject({
    status: 'draft',
    next_payment_attempt: null,
  })
})

test('a failing card is tried again on the schedule, and then no more', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_chargeCustomerFail', { test_clock: clock })
  const draft = await draftOf(stripe, customer.id, 500, { auto_advance: true })
  await advanceTo(stripe, clock, START + 60 * DAY)
  const after = await stripe.invoices.retrieve(draft.id)
  expect(after).toMatchObject({ status: 'open', attempt_count: 8, next_payment_attempt: null })
  const failures = (await eventTypes(stripe, draft.id)).filter((type) => type === 'invoice.payment_failed')
  expect(failures).toHaveLength(8)
  expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ delinquent: true })
})

test('an e-mailed invoice is sent, and overdue once its due date passes', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, null, { test_clock: clock })
  const draft = await draftOf(stripe, customer.id, 500, {
    auto_advance: true,
    collection_method: 'send_invoice',
    days_until_due: 30,
  })
  await advanceTo(stripe, clock, START + 30 * DAY)
  expect(await eventTypes(stripe, draft.id)).toContain('invoice.sent')
  expect(await eventTypes(stripe, draft.id)).not.toContain('invoice.overdue')
  await advanceTo(stripe, clock, START + 31 * DAY)
  expect((await eventTypes(stripe, draft.id)).filter((type) => type === 'invoice.overdue')).toHaveLength(1)
  expect((await stripe.invoices.retrieve(draft.id)).status).toBe('open')
})

test('automatic finalization that fails keeps the draft and says why', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_visa', { test_clock: clock })
  const draft = await draftOf(stripe, customer.id, 500, {
    auto_advance: true,
    automatic_tax: { enabled: true },
  })
  await advanceTo(stripe, clock, START + DAY)
  const after = await stripe.invoices.retrieve(draft.id)
  expect(after).toMatchObject({
    status: 'draft',
    last_finalization_error: { code: 'customer_tax_location_invalid' },
  })
  expect(await eventTypes(stripe, draft.id)).toContain('invoice.finalization_failed')
})

test('an endpoint that refuses invoice.created delays automatic finalization by 72 hours', async () => {
  const { stripe } = world
  const receiver = await startReceiver()
  receiver.answer(...Array.from({ length: 50 }, () => 500))
  await stripe.webhookEndpoints.create({ url: receiver.url, enabled_events: ['invoice.created'] })
  const customer = await customerWith(stripe, 'pm_card_visa', { test_clock: clock })
  const draft = await draftOf(stripe, customer.id, 500, { auto_advance: true })
  await until(
    () => receiver.received,
    ({ length }) => length > 0,
  )
  await advanceTo(stripe, clock, START + 2 * DAY)
  expect((await stripe.invoices.retrieve(draft.id)).status).toBe('draft')
  await advanceTo(stripe, clock, START + 4 * DAY)
  expect((await stripe.invoices.retrieve(draft.id)).status).toBe('paid')
  await receiver.close()
})

test('a clock goes forward only, one advance at a time, and takes its customers with it', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_visa', { test_clock: clock })
  expect(
    (await refusalOf(stripe.testHelpers.testClocks.advance(clock, { frozen_time: START }))).statusCode,
  ).toBe(400)
  const open = await openInvoice(stripe, customer.id, 500)
  await stripe.testHelpers.testClocks.del(clock)
  expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ deleted: true })
  expect((await stripe.invoices.retrieve(open.id)).status).toBe('open')
})
