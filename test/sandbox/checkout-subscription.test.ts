import type { Stripe } from 'stripe'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { assertJournalMatchesSpec } from '../support/stripe-request-schemas.ts'
import { customerWith, eventTypes, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
let stripe: Stripe
let price: string
beforeAll(async () => {
  world = await startWorld()
  stripe = world.stripe
  const made = await stripe.prices.create({
    currency: 'eur',
    unit_amount: 1500,
    recurring: { interval: 'month' },
    product_data: { name: 'Pro' },
  })
  price = made.id
})
afterEach(() => assertJournalMatchesSpec(world.url))
afterAll(() => world.close())

const sessionFor = (
  more: Partial<Stripe.Checkout.SessionCreateParams> = {},
): Promise<Stripe.Checkout.Session> =>
  stripe.checkout.sessions.create({
    mode: 'subscription',
    line_items: [{ price, quantity: 2 }],
    success_url: 'https://shop.example.com/done?session={CHECKOUT_SESSION_ID}',
    cancel_url: 'https://shop.example.com/no',
    ...more,
  })

/** What a customer sends from the page. */
const send = (path: string, fields: Readonly<Record<string, string>>): Promise<Response> =>
  fetch(new URL(path, world.url), { method: 'POST', redirect: 'manual', body: new URLSearchParams(fields) })

const typed = {
  card: '4242 4242 4242 4242',
  expiry: '12 / 34',
  cvc: '123',
  name: 'Grace',
  email: 'grace@example.com',
}

test('a stranger who subscribes becomes a customer with a card, a subscription and a paid invoice', async () => {
  const session = await sessionFor({
    customer_email: 'grace@example.com',
    client_reference_id: 'ours-7',
    subscription_data: { metadata: { plan: 'pro' } },
    expand: ['line_items'],
  })
  expect(session).toMatchObject({
    status: 'open',
    payment_status: 'unpaid',
    amount_total: 3000,
    currency: 'eur',
    customer: null,
    setup_intent: null,
    line_items: { data: [{ quantity: 2, amount_total: 3000, description: 'Pro', price: { id: price } }] },
  })
  const page = await (await fetch(String(session.url))).text()
  expect(page).toContain('30.00 EUR due today')
  const reply = await send(`/c/${session.id}`, typed)
  expect(reply.status).toBe(303)
  expect(reply.headers.get('location')).toBe(`https://shop.example.com/done?session=${session.id}`)
  const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription', 'invoice'] })
  expect(done).toMatchObject({
    status: 'complete',
    payment_status: 'paid',
    client_reference_id: 'ours-7',
    customer_details: { email: 'grace@example.com' },
    invoice: { status: 'paid', total: 3000, billing_reason: 'subscription_create' },
  })
  const subscription = done.subscription as Stripe.Subscription
  expect(subscription).toMatchObject({ status: 'active', customer: done.customer, metadata: { plan: 'pro' } })
  expect(subscription.default_payment_method).toMatch(/^pm_/)
  const customer = done.customer as string
  expect(await stripe.customers.retrieve(customer)).toMatchObject({
    email: 'grace@example.com',
    name: 'Grace',
  })
  expect((await stripe.customers.listPaymentMethods(customer)).data).toHaveLength(1)
  expect(await eventTypes(stripe, customer)).toContain('customer.created')
  expect(await eventTypes(stripe, subscription.id)).toEqual(['customer.subscription.created'])
  expect(await eventTypes(stripe, session.id)).toEqual(['checkout.session.completed'])
  expect((await stripe.checkout.sessions.list({ subscription: subscription.id })).data).toHaveLength(1)
})

test('a declined first payment is said on the page and leaves the session open and nothing else behind', async () => {
  const session = await sessionFor()
  for (const card of ['4000 0000 0000 0341', '4000 0000 0000 0002']) {
    const reply = await send(`/c/${session.id}`, { ...typed, card, email: 'ada@shop.example.com' })
    expect(reply.status).toBe(402)
    expect(await reply.text()).toContain('Your card was declined.')
  }
  expect(await stripe.checkout.sessions.retrieve(session.id)).toMatchObject({
    status: 'open',
    subscription: null,
    customer: null,
  })
  expect((await stripe.customers.list({ email: 'ada@shop.example.com' })).data).toEqual([])
  expect((await send(`/c/${session.id}`, { ...typed, email: 'ada@shop.example.com' })).status).toBe(303)
  expect((await stripe.customers.list({ email: 'ada@shop.example.com' })).data).toHaveLength(1)
})

test('a card whose bank asks waits for the answer', async () => {
  const session = await sessionFor()
  const sent = await send(`/c/${session.id}`, { ...typed, card: '4000 0027 6000 3184' })
  const asking = sent.headers.get('location') ?? ''
  expect(asking).toContain('/authenticate')
  await send(asking, { outcome: 'fail' })
  expect((await stripe.checkout.sessions.retrieve(session.id)).status).toBe('open')
  await send(`/c/${session.id}`, { ...typed, card: '4000 0027 6000 3184' })
  const back = await send(asking, { outcome: 'complete' })
  expect([await back.text(), back.status]).toEqual(['', 303])
  expect(await stripe.checkout.sessions.retrieve(session.id)).toMatchObject({
    status: 'complete',
    payment_status: 'paid',
  })
})

test('a customer that exists is kept, and a trial costs nothing today', async () => {
  const customer = await customerWith(stripe, null)
  const session = await sessionFor({ customer: customer.id, subscription_data: { trial_period_days: 14 } })
  expect(session).toMatchObject({ amount_total: 0, payment_status: 'no_payment_required' })
  expect((await send(`/c/${session.id}`, typed)).status).toBe(303)
  const done = await stripe.checkout.sessions.retrieve(session.id, { expand: ['subscription'] })
  expect(done).toMatchObject({
    customer: customer.id,
    payment_status: 'no_payment_required',
    subscription: { status: 'trialing' },
  })
})

test('what belongs to another mode is refused', async () => {
  expect((await refusalOf(sessionFor({ line_items: [] }))).statusCode).toBe(400)
  const setup = { mode: 'setup', currency: 'eur', success_url: 'https://shop.example.com' } as const
  const refused = await refusalOf(
    stripe.checkout.sessions.create({ ...setup, subscription_data: { metadata: { a: 'b' } } }),
  )
  expect(refused.statusCode).toBe(400)
  const lines = await refusalOf(
    stripe.checkout.sessions.create({ ...setup, line_items: [{ price, quantity: 1 }] }),
  )
  expect(lines).toMatchObject({ statusCode: 400, param: 'line_items' })
})
