import { afterAll, afterEach, expect, test } from 'vitest'
import { assertJournalMatchesSpec } from '../support/stripe-request-schemas.ts'
import { DAY, FEBRUARY, HOUR, MARCH, scenesOf, START } from './subscription-scene.ts'
import { advanceTo, customerWith, eventTypes, refusalOf, startWorld, until } from './world.ts'

const world = await startWorld()
const { stripe } = world
const { priceOf, scene, subscribe, latestOf } = scenesOf(stripe)
afterEach(() => assertJournalMatchesSpec(world.url))
afterAll(() => world.close())

test('another price in the middle of a period is credited and charged at the renewal', async () => {
  const on = await scene()
  const made = await subscribe(on)
  const dearer = await priceOf(3000)
  await advanceTo(stripe, on.clock, START + 14 * DAY)
  const [item] = made.items.data
  const changed = await stripe.subscriptions.update(made.id, {
    items: [{ id: String(item?.id), price: dearer.id }],
  })
  expect(changed.items.data).toMatchObject([{ id: item?.id, quantity: 3, price: { id: dearer.id } }])
  const pending = await stripe.invoiceItems.list({ customer: on.customer, pending: true })
  expect(pending.data.map(({ amount }) => amount)).toEqual([4500, -3000])
  await advanceTo(stripe, on.clock, FEBRUARY + 60)
  const draft = await latestOf(made.id)
  expect(draft.total).toBe(4500 - 3000 + 9000)
  expect(draft.lines.data.map(({ parent }) => parent?.subscription_item_details?.proration)).toEqual([
    true,
    true,
    false,
  ])
})

test('items are added and removed without a proration when told so, and one must stay', async () => {
  const on = await scene()
  const made = await subscribe(on)
  const more = await priceOf(500)
  const id = String(made.items.data[0]?.id)
  const changed = await stripe.subscriptions.update(made.id, {
    items: [
      { price: more.id, quantity: 2 },
      { id, deleted: true },
    ],
    proration_behavior: 'none',
  })
  expect(changed.items.data).toMatchObject([
    { quantity: 2, current_period_end: FEBRUARY, price: { id: more.id } },
  ])
  expect((await stripe.invoiceItems.list({ customer: on.customer, pending: true })).data).toEqual([])
  const last = String(changed.items.data[0]?.id)
  const refused = await refusalOf(
    stripe.subscriptions.update(made.id, { items: [{ id: last, deleted: true }] }),
  )
  expect(refused.statusCode).toBe(400)
  await advanceTo(stripe, on.clock, FEBRUARY + 60)
  expect((await latestOf(made.id)).total).toBe(1000)
})

test('one advance over three periods makes three renewals, each at its own time', async () => {
  const on = await scene()
  const made = await subscribe(on)
  const april = Date.UTC(2027, 3, 30) / 1000
  await advanceTo(stripe, on.clock, april + 2 * HOUR)
  const invoices = await stripe.invoices.list({ subscription: made.id })
  expect(invoices.data.map(({ created, status }) => [created, status])).toEqual(
    [april, MARCH, FEBRUARY, START].map((at) => [at, 'paid']),
  )
})

test('an e-mailed subscription is active at once, its invoices are sent, and late ones make it past due', async () => {
  const on = await scene(null)
  const made = await subscribe(on, { collection_method: 'send_invoice', days_until_due: 7 })
  expect(made).toMatchObject({ status: 'active', latest_invoice: { status: 'draft', total: 6000 } })
  await advanceTo(stripe, on.clock, START + 2 * HOUR)
  const sent = await latestOf(made.id)
  expect(sent).toMatchObject({ status: 'open', due_date: START + HOUR + 1 + 7 * DAY })
  expect(await eventTypes(stripe, sent.id)).toContain('invoice.sent')
  await advanceTo(stripe, on.clock, START + 8 * DAY)
  expect(await stripe.subscriptions.retrieve(made.id)).toMatchObject({ status: 'past_due' })
  await stripe.invoices.pay(sent.id, { paid_out_of_band: true })
  expect(await stripe.subscriptions.retrieve(made.id)).toMatchObject({ status: 'active' })
})

test('a debit that is on its way makes active, and one that comes back past due', async () => {
  const on = await scene(null)
  const good = await stripe.paymentMethods.attach('pm_usBankAccount_success', { customer: on.customer })
  const paid = await subscribe(on, { default_payment_method: good.id })
  expect(paid).toMatchObject({ status: 'active', latest_invoice: { status: 'open', attempted: true } })
  const poor = await stripe.paymentMethods.attach('pm_usBankAccount_insufficientFunds', {
    customer: on.customer,
  })
  const returned = await subscribe(on, { default_payment_method: poor.id })
  expect(returned.status).toBe('active')
  await advanceTo(stripe, on.clock, START + 6 * DAY)
  expect(await latestOf(paid.id)).toMatchObject({ status: 'paid' })
  expect(await stripe.subscriptions.retrieve(paid.id)).toMatchObject({ status: 'active' })
  expect(await stripe.subscriptions.retrieve(returned.id)).toMatchObject({ status: 'past_due' })
})

test('without a clock real time renews', async () => {
  const customer = await customerWith(stripe)
  const price = await priceOf(2000)
  // Far enough to be told of before it comes.
  const anchor = Math.ceil(Date.now() / 1000) + 5
  const made = await stripe.subscriptions.create({
    customer: customer.id,
    items: [{ price: price.id }],
    billing_cycle_anchor: anchor,
    proration_behavior: 'none',
  })
  expect(made.items.data[0]?.current_period_end).toBe(anchor)
  const draft = await until(
    () => latestOf(made.id),
    ({ billing_reason: reason }) => reason === 'subscription_cycle',
  )
  expect(draft).toMatchObject({ status: 'draft', total: 2000, auto_advance: true })
})
