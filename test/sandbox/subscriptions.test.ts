import type { Stripe } from 'stripe'
import { afterAll, afterEach, expect, test } from 'vitest'
import { assertJournalMatchesSpec } from '../support/stripe-request-schemas.ts'
import { DAY, FEBRUARY, HOUR, MARCH, scenesOf, START } from './subscription-scene.ts'
import { advanceTo, customerWith, eventTypes, refusalOf, startWorld } from './world.ts'

const world = await startWorld()
const { stripe } = world
const { priceOf, scene, subscribe, latestOf } = scenesOf(stripe)
afterEach(() => assertJournalMatchesSpec(world.url))
afterAll(() => world.close())

test('a price recurs, and what recurs is not for one-off items, nor the other way round', async () => {
  const monthly = await priceOf(900, { recurring: { interval: 'month', interval_count: 3 } })
  expect(monthly).toMatchObject({
    type: 'recurring',
    unit_amount: 900,
    recurring: { interval: 'month', interval_count: 3, usage_type: 'licensed', meter: null },
  })
  const changed = await stripe.prices.update(monthly.id, { active: false, metadata: { a: 'b' } })
  expect(changed).toMatchObject({ active: false, metadata: { a: 'b' }, unit_amount: 900 })
  const product = monthly.product as string
  expect((await stripe.prices.list({ product, active: true })).data).toEqual([])
  expect((await stripe.prices.list({ product, type: 'recurring' })).data).toHaveLength(1)
  const once = await stripe.prices.create({ currency: 'usd', unit_amount: 5, product })
  const { id: customer } = await customerWith(stripe)
  const wrong = await refusalOf(stripe.subscriptions.create({ customer, items: [{ price: once.id }] }))
  expect(wrong.message).toContain('type=one_time')
  const inactive = await refusalOf(stripe.subscriptions.create({ customer, items: [{ price: monthly.id }] }))
  expect(inactive.message).toContain('inactive')
})

test('a subscription is active once its first invoice is paid, at once', async () => {
  const on = await scene()
  const made = await subscribe(on)
  expect(made).toMatchObject({
    status: 'active',
    billing_cycle_anchor: START,
    collection_method: 'charge_automatically',
  })
  expect(made).not.toHaveProperty('current_period_end')
  expect(made.items.data[0]).toMatchObject({
    quantity: 3,
    current_period_start: START,
    current_period_end: FEBRUARY,
    price: { id: on.price },
    plan: { id: on.price, amount: 2000 },
  })
  const invoice = made.latest_invoice as Stripe.Invoice
  expect(invoice).toMatchObject({
    status: 'paid',
    billing_reason: 'subscription_create',
    total: 6000,
    amount_paid: 6000,
    parent: {
      type: 'subscription_details',
      subscription_details: { subscription: made.id, metadata: { team: 'red' } },
    },
  })
  expect(invoice.lines.data).toMatchObject([
    {
      amount: 6000,
      quantity: 3,
      description: '3 × Pro (at $20.00 / month)',
      metadata: { team: 'red' },
      period: { start: START, end: FEBRUARY },
      parent: {
        type: 'subscription_item_details',
        subscription_item_details: { subscription: made.id, subscription_item: made.items.data[0]?.id },
      },
    },
  ])
  expect(await eventTypes(stripe, made.id)).toEqual(['customer.subscription.created'])
  const items = await stripe.subscriptionItems.list({ subscription: made.id })
  expect(items.data.map(({ id }) => id)).toEqual(made.items.data.map(({ id }) => id))
  expect((await stripe.invoiceItems.list({ customer: on.customer })).data).toEqual([])
})

test('a renewal takes its own pending items and those of no subscription; others wait for theirs', async () => {
  const on = await scene()
  const mine = await subscribe(on)
  const other = await subscribe(on, { items: [{ price: on.price }] })
  const common = { customer: on.customer, currency: 'usd' }
  const own = await stripe.invoiceItems.create({
    ...common,
    subscription: mine.id,
    amount: 111,
    description: 'calls',
    metadata: { line: 'calls' },
    period: { start: START, end: FEBRUARY },
  })
  expect(own).toMatchObject({ invoice: null, parent: { subscription_details: { subscription: mine.id } } })
  const free = await stripe.invoiceItems.create({ ...common, amount: 70 })
  const theirs = await stripe.invoiceItems.create({ ...common, subscription: other.id, amount: 13 })
  const euros = await stripe.invoiceItems.create({ customer: on.customer, currency: 'eur', amount: 9 })
  await stripe.invoiceItems.update(own.id, {
    amount: 222,
    description: 'calls, February',
    metadata: { run: '2' },
  })

  await advanceTo(stripe, on.clock, FEBRUARY + 60)
  const draft = await latestOf(mine.id)
  expect(draft).toMatchObject({
    status: 'draft',
    billing_reason: 'subscription_cycle',
    auto_advance: true,
    total: 222 + 70 + 6000,
    period_start: START,
    period_end: FEBRUARY,
    automatically_finalizes_at: FEBRUARY + HOUR + 1,
  })
  expect(draft.lines.data.map(({ amount }) => amount)).toEqual([70, 222, 6000])
  expect(draft.lines.data[1]).toMatchObject({
    metadata: { line: 'calls', run: '2' },
    description: 'calls, February',
    parent: {
      type: 'invoice_item_details',
      invoice_item_details: { invoice_item: own.id, subscription: mine.id },
    },
  })
  expect(draft.lines.data[2]?.period).toEqual({ start: FEBRUARY, end: MARCH })
  expect(await stripe.invoiceItems.retrieve(own.id)).toMatchObject({ invoice: draft.id, amount: 222 })
  const late = await latestOf(other.id)
  expect(late.total).toBe(13 + 2000)
  expect(await stripe.invoiceItems.retrieve(theirs.id)).toMatchObject({ invoice: late.id })
  const pending = await stripe.invoiceItems.list({ customer: on.customer, pending: true })
  expect(pending.data.map(({ id }) => id)).toEqual([euros.id])
  expect((await stripe.invoiceItems.list({ invoice: draft.id })).data.map(({ id }) => id)).toEqual([
    free.id,
    own.id,
  ])

  const added = await stripe.invoiceItems.create({
    ...common,
    subscription: mine.id,
    invoice: draft.id,
    amount: 8,
  })
  await stripe.invoiceItems.update(own.id, { amount: 223 })
  await advanceTo(stripe, on.clock, FEBRUARY + 2 * HOUR)
  const paid = await stripe.invoices.retrieve(draft.id)
  expect(paid).toMatchObject({ status: 'paid', total: 223 + 70 + 6000 + 8 })
  expect(paid.status_transitions.finalized_at).toBe(FEBRUARY + HOUR + 1)
  expect(paid.lines.data.at(-1)?.parent?.invoice_item_details?.invoice_item).toBe(added.id)
  const refused = await refusalOf(stripe.invoiceItems.update(own.id, { amount: 1 }))
  expect(refused).toMatchObject({ statusCode: 400, code: 'invoice_not_editable' })
  expect((await refusalOf(stripe.invoiceItems.del(own.id))).statusCode).toBe(400)
  const renewed = await stripe.subscriptions.retrieve(mine.id)
  expect(renewed.items.data[0]).toMatchObject({ current_period_start: FEBRUARY, current_period_end: MARCH })
  expect((await stripe.invoices.list({ subscription: mine.id })).data.map(({ id }) => id)).toEqual([
    draft.id,
    (mine.latest_invoice as Stripe.Invoice).id,
  ])
  expect((await refusalOf(stripe.invoices.del(late.id))).statusCode).toBe(400)
})

test('a pending item that is deleted is not billed', async () => {
  const on = await scene()
  const made = await subscribe(on)
  const item = await stripe.invoiceItems.create({
    customer: on.customer,
    currency: 'usd',
    subscription: made.id,
    amount: 5,
  })
  await stripe.invoiceItems.del(item.id)
  await advanceTo(stripe, on.clock, FEBRUARY + 60)
  expect((await latestOf(made.id)).total).toBe(6000)
})

test('a card that fails at renewal makes past due, and paying the invoice active again', async () => {
  const on = await scene()
  const made = await subscribe(on)
  const bad = await stripe.paymentMethods.attach('pm_card_chargeCustomerFail', { customer: on.customer })
  await stripe.subscriptions.update(made.id, { default_payment_method: bad.id })
  await advanceTo(stripe, on.clock, FEBRUARY + 2 * HOUR)
  expect(await stripe.subscriptions.retrieve(made.id)).toMatchObject({ status: 'past_due' })
  const open = await latestOf(made.id)
  expect(open).toMatchObject({ status: 'open', attempt_count: 1 })
  const { data } = await stripe.events.list({ type: 'customer.subscription.updated', limit: 1 })
  expect(data[0]?.data.previous_attributes).toEqual({ status: 'active' })
  const good = await stripe.paymentMethods.attach('pm_card_visa', { customer: on.customer })
  await stripe.invoices.pay(open.id, { payment_method: good.id })
  expect(await stripe.subscriptions.retrieve(made.id)).toMatchObject({ status: 'active' })
})

test('a first payment that fails leaves it incomplete, or is refused, and expires after 23 hours', async () => {
  const on = await scene('pm_card_chargeCustomerFail')
  const refused = await refusalOf(subscribe(on, { payment_behavior: 'error_if_incomplete' }))
  expect(refused).toMatchObject({ statusCode: 402, code: 'card_declined' })
  expect((await stripe.subscriptions.list({ customer: on.customer, status: 'all' })).data).toEqual([])
  const made = await subscribe(on)
  expect(made).toMatchObject({ status: 'incomplete', latest_invoice: { status: 'open', attempt_count: 1 } })
  const waiting = await subscribe(on, { payment_behavior: 'default_incomplete' })
  expect(waiting).toMatchObject({
    status: 'incomplete',
    latest_invoice: { status: 'open', attempted: false },
  })
  const good = await stripe.paymentMethods.attach('pm_card_visa', { customer: on.customer })
  await stripe.invoices.pay((waiting.latest_invoice as Stripe.Invoice).id, { payment_method: good.id })
  await advanceTo(stripe, on.clock, START + DAY)
  expect(await stripe.subscriptions.retrieve(made.id)).toMatchObject({ status: 'incomplete_expired' })
  expect((await latestOf(made.id)).status).toBe('void')
  expect(await stripe.subscriptions.retrieve(waiting.id)).toMatchObject({ status: 'active' })
  const without = await scene(null)
  expect((await refusalOf(subscribe(without))).message).toContain('no attached payment source')
})

test('a trial costs nothing until it ends', async () => {
  const on = await scene()
  const made = await subscribe(on, { trial_end: START + 7 * DAY })
  expect(made).toMatchObject({ status: 'trialing', trial_start: START, trial_end: START + 7 * DAY })
  expect(made.latest_invoice).toMatchObject({ status: 'paid', total: 0 })
  await advanceTo(stripe, on.clock, START + 7 * DAY + 2 * HOUR)
  expect(await stripe.subscriptions.retrieve(made.id)).toMatchObject({ status: 'active' })
  expect(await latestOf(made.id)).toMatchObject({ status: 'paid', total: 6000 })
})

test('time before a later anchor is charged by its part of the period', async () => {
  const on = await scene()
  // The period before the 15th of February has 31 days; 15 of them are left.
  const anchor = Date.UTC(2027, 1, 15) / 1000
  const made = await subscribe(on, { billing_cycle_anchor: anchor })
  expect(made.latest_invoice).toMatchObject({ total: Math.round((6000 * 15) / 31), status: 'paid' })
  await advanceTo(stripe, on.clock, anchor + 2 * HOUR)
  expect(await latestOf(made.id)).toMatchObject({ total: 6000 })
})

test('cancelled at the end of the period it renews no more, and what is pending is still invoiced', async () => {
  const on = await scene()
  const made = await subscribe(on)
  const ending = await stripe.subscriptions.update(made.id, {
    cancel_at_period_end: true,
    metadata: { why: 'left' },
  })
  expect(ending).toMatchObject({
    status: 'active',
    cancel_at: FEBRUARY,
    canceled_at: START,
    metadata: { team: 'red', why: 'left' },
  })
  await stripe.invoiceItems.create({
    customer: on.customer,
    currency: 'usd',
    subscription: made.id,
    amount: 77,
  })
  await advanceTo(stripe, on.clock, FEBRUARY + 2 * HOUR)
  const ended = await stripe.subscriptions.retrieve(made.id)
  expect(ended).toMatchObject({ status: 'canceled', ended_at: FEBRUARY })
  expect(await latestOf(made.id)).toMatchObject({ status: 'paid', total: 77 })
  expect(await eventTypes(stripe, made.id)).toEqual([
    'customer.subscription.created',
    'customer.subscription.updated',
    'customer.subscription.deleted',
  ])
  const refused = await refusalOf(stripe.subscriptions.update(made.id, { cancel_at_period_end: false }))
  expect(refused.statusCode).toBe(400)
})

test('cancelled at once it invoices what is pending now, with the unused time credited if asked', async () => {
  const on = await scene()
  const made = await subscribe(on)
  await stripe.invoiceItems.create({
    customer: on.customer,
    currency: 'usd',
    subscription: made.id,
    amount: 4000,
  })
  await advanceTo(stripe, on.clock, START + 14 * DAY)
  const ended = await stripe.subscriptions.cancel(made.id, { invoice_now: true, prorate: true })
  expect(ended).toMatchObject({ status: 'canceled', ended_at: START + 14 * DAY })
  expect(await latestOf(made.id)).toMatchObject({ status: 'paid', total: 4000 - 3000 })
  expect((await refusalOf(stripe.subscriptions.cancel(made.id))).statusCode).toBe(404)
  expect((await stripe.subscriptions.list({ customer: on.customer })).data).toEqual([])
  expect((await stripe.subscriptions.list({ customer: on.customer, status: 'canceled' })).data).toHaveLength(
    1,
  )
  await stripe.customers.del(on.customer)
})

test('an invoice of a subscription takes only what is pending for it, and moves no cycle', async () => {
  const on = await scene()
  const made = await subscribe(on)
  const common = { customer: on.customer, currency: 'usd' }
  await stripe.invoiceItems.create({ ...common, subscription: made.id, amount: 31 })
  await stripe.invoiceItems.create({ ...common, amount: 900 })
  const draft = await stripe.invoices.create({ customer: on.customer, subscription: made.id })
  expect(draft).toMatchObject({
    total: 31,
    billing_reason: 'manual',
    parent: { type: 'subscription_details' },
  })
  expect((await stripe.subscriptions.retrieve(made.id)).latest_invoice).toBe(
    (made.latest_invoice as Stripe.Invoice).id,
  )
})
