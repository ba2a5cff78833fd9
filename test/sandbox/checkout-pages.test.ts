import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Stripe } from 'stripe'
import { customerWith, eventTypes, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const post = (url: string, form: Readonly<Record<string, string>>) =>
  fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
const textOf = async (reply: Response) => (await reply.text()).replaceAll('&#39;', "'")
const card = { card: '4242 4242 4242 4242', expiry: '12 / 40', cvc: '123', name: 'Ada Lovelace' }
const home = { line1: 'Unter den Linden 1', city: 'Berlin', postal_code: '10117', country: 'DE' }

const openSession = (more: Partial<Stripe.Checkout.SessionCreateParams> = {}) =>
  world.stripe.checkout.sessions.create({
    mode: 'setup',
    currency: 'eur',
    success_url: 'http://127.0.0.1/done',
    cancel_url: 'http://127.0.0.1/cancelled',
    ...more,
  })

test('the page asks for what the session asks for, with a label to each field and a way out', async () => {
  const customer = await customerWith(world.stripe, null)
  const plain = await openSession({ customer: customer.id })
  const page = await textOf(await fetch(String(plain.url)))
  for (const name of ['card', 'expiry', 'cvc', 'name']) {
    expect(page).toContain(`<label for="${name}">`)
    expect(page).toMatch(new RegExp(`<input\\s+id="${name}"`))
  }
  expect(page).toContain('href="http://127.0.0.1/cancelled"')
  expect(page).not.toContain('name="line1"')
  const full = await openSession({
    customer: customer.id,
    billing_address_collection: 'required',
    customer_update: { address: 'auto', name: 'auto' },
    tax_id_collection: { enabled: true },
  })
  const asked = await textOf(await fetch(String(full.url)))
  for (const name of ['line1', 'city', 'postal_code', 'country', 'state', 'tax_id', 'business_name'])
    expect(asked).toContain(`name="${name}"`)
})

test('address, name and tax id go to the customer, whose next invoice has them', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, null)
  const session = await openSession({
    customer: customer.id,
    billing_address_collection: 'required',
    customer_update: { address: 'auto', name: 'auto' },
    tax_id_collection: { enabled: true },
  })
  const retyped = await textOf(await post(String(session.url), { ...card, business_name: 'Half Ltd' }))
  expect(retyped).toContain('Your billing address is incomplete.')
  expect(retyped).toContain('value="Half Ltd"')
  const typed = { ...card, ...home, business_name: 'Analytical Engines GmbH', tax_id: 'DE 123456789' }
  expect((await post(String(session.url), typed)).headers.get('location')).toBe('http://127.0.0.1/done')
  const after = await stripe.customers.retrieve(customer.id, { expand: ['tax_ids', 'tax'] })
  expect(after).toMatchObject({
    name: 'Analytical Engines GmbH',
    address: { line1: 'Unter den Linden 1', country: 'DE' },
    tax_ids: { data: [{ type: 'eu_vat', value: 'DE123456789' }] },
    tax: { automatic_tax: 'supported', location: { country: 'DE' } },
  })
  expect(await stripe.checkout.sessions.retrieve(session.id)).toMatchObject({
    customer_details: { email: 'ada@example.com', tax_ids: [{ type: 'eu_vat', value: 'DE123456789' }] },
  })
  const [method] = (await stripe.paymentMethods.list({ customer: customer.id })).data
  expect(method).toMatchObject({
    billing_details: { name: 'Ada Lovelace', address: { city: 'Berlin' } },
    card: { exp_month: 12, exp_year: 2040 },
  })
  const invoice = await openInvoice(stripe, customer.id, 1000, { automatic_tax: { enabled: true } })
  expect(invoice).toMatchObject({ total: 1200, customer_tax_ids: [{ type: 'eu_vat' }] })
})

test('without customer_update the customer stays as it was', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, null)
  const session = await openSession({ customer: customer.id, billing_address_collection: 'required' })
  expect((await post(String(session.url), { ...card, ...home })).status).toBe(303)
  expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ name: 'Ada', address: null })
})

test('a declined card and wrong entries are told and leave the session open', async () => {
  const { stripe } = world
  const session = await openSession({ customer: (await customerWith(stripe, null)).id })
  const url = String(session.url)
  const wrongs: readonly (readonly [Record<string, string>, string])[] = [
    [{ card: '4000 0000 0000 0002' }, 'Your card was declined.'],
    [{ card: '1234' }, 'Your card number is incorrect.'],
    [{ expiry: '01/20' }, "Your card's expiration date is in the past."],
    [{ expiry: '13/30' }, "Your card's expiration date is invalid."],
    [{ cvc: '1' }, "Your card's security code is incomplete."],
  ]
  for (const [wrong, words] of wrongs) {
    const reply = await post(url, { ...card, ...wrong })
    expect(reply.status).toBe(402)
    expect(await textOf(reply)).toMatch(new RegExp(`role="alert"[^>]*>\\s*${words}`))
  }
  expect((await stripe.checkout.sessions.retrieve(session.id)).status).toBe('open')
  const intent = session.setup_intent as string
  expect((await stripe.setupIntents.retrieve(intent)).last_setup_error?.code).toBe('card_declined')
  expect((await post(url, card)).status).toBe(303)
  expect(await eventTypes(stripe, intent)).toEqual([
    'setup_intent.created',
    'setup_intent.setup_failed',
    'setup_intent.succeeded',
  ])
})

test('3-D Secure leads to the bank: failing keeps the session open, completing saves the card', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, null)
  const session = await openSession({ customer: customer.id })
  const url = String(session.url)
  const asked = { ...card, card: '4000 0025 0000 3155' }
  const bank = `${url}/authenticate`
  expect((await post(url, asked)).headers.get('location')).toBe(new URL(bank).pathname)
  const page = await textOf(await fetch(bank))
  expect(page).toContain('value="complete"')
  expect(page).toContain('value="fail"')
  const failed = await post(bank, { outcome: 'fail' })
  expect(failed.status).toBe(402)
  expect(await textOf(failed)).toContain('We are unable to authenticate your payment method.')
  expect((await stripe.checkout.sessions.retrieve(session.id)).status).toBe('open')
  await post(url, asked)
  expect((await post(bank, { outcome: 'complete' })).headers.get('location')).toBe('http://127.0.0.1/done')
  expect((await stripe.paymentMethods.list({ customer: customer.id })).data).toHaveLength(1)
  expect(await eventTypes(stripe, session.setup_intent as string)).toEqual([
    'setup_intent.created',
    'setup_intent.requires_action',
    'setup_intent.setup_failed',
    'setup_intent.requires_action',
    'setup_intent.succeeded',
  ])
})

test('a session without a customer makes one when it should', async () => {
  const { stripe } = world
  const session = await openSession({ customer_creation: 'always', customer_email: 'grace@example.com' })
  await post(String(session.url), card)
  const { customer, setup_intent } = await stripe.checkout.sessions.retrieve(session.id, {
    expand: ['setup_intent', 'customer'],
  })
  expect(customer).toMatchObject({ email: 'grace@example.com', name: 'Ada Lovelace' })
  expect(setup_intent).toMatchObject({ status: 'succeeded', customer: (customer as Stripe.Customer).id })
  const both = { customer_email: 'a@example.com', customer: (customer as Stripe.Customer).id }
  expect((await refusalOf(openSession(both))).message).toContain('customer, customer_email')
})

test('an embedded session has the same form under its secret, and returns to return_url', async () => {
  const { stripe, url } = world
  const session = await stripe.checkout.sessions.create({
    mode: 'setup',
    currency: 'usd',
    customer: (await customerWith(stripe, null)).id,
    ui_mode: 'embedded_page',
    return_url: 'http://127.0.0.1/back?session={CHECKOUT_SESSION_ID}',
  })
  expect(session.url).toBeNull()
  const page = `${url}/c/embedded/${session.client_secret}`
  expect((await fetch(page)).status).toBe(200)
  expect((await fetch(`${url}/c/embedded/${session.id}_secret_wrong`)).status).toBe(404)
  await post(page, { ...card, card: '4000 0027 6000 3184' })
  const done = await post(`${page}/authenticate`, { outcome: 'complete' })
  expect(done.headers.get('location')).toBe(`http://127.0.0.1/back?session=${session.id}`)
})

test('tax ids are kept, listed and removed over the API', async () => {
  const { stripe } = world
  const tax_id_data = [{ type: 'eu_vat' as const, value: 'FR12345678901' }]
  const { id } = await stripe.customers.create({ tax_id_data })
  const made = await stripe.customers.createTaxId(id, { type: 'gb_vat', value: 'GB123456789' })
  expect((await stripe.customers.listTaxIds(id)).data.map(({ value }) => value)).toEqual([
    'GB123456789',
    'FR12345678901',
  ])
  await stripe.customers.deleteTaxId(id, made.id)
  expect((await refusalOf(stripe.customers.retrieveTaxId(id, made.id))).statusCode).toBe(404)
  expect((await refusalOf(stripe.customers.createTaxId(id, { type: 'eu_vat', value: '!' }))).code).toBe(
    'tax_id_invalid',
  )
})
