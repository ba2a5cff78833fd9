import { afterAll, beforeAll, expect, test } from 'vitest'
import { customerWith, eventTypes, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const submit = (url: string, card: string) =>
  fetch(url, { method: 'POST', body: new URLSearchParams({ card }), redirect: 'manual' })

test('the hosted invoice page shows the lines, shows a decline, and takes a good card', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_chargeCustomerFail')
  const open = await openInvoice(stripe, customer.id, 1234)
  const url = String(open.hosted_invoice_url)
  const page = await (await fetch(url)).text()
  expect(page).toContain('$12.34')
  expect(page).toContain('usage')
  const declined = await submit(url, '4000 0000 0000 9995')
  expect(declined.status).toBe(402)
  expect(await declined.text()).toContain('insufficient funds')
  expect((await submit(url, '1234')).status).toBe(402)
  expect((await submit(url, '4242 4242 4242 4242')).status).toBe(303)
  expect((await stripe.invoices.retrieve(open.id)).status).toBe('paid')
  expect(await (await fetch(url)).text()).toContain('This invoice is paid')
  expect((await fetch(String(open.invoice_pdf))).headers.get('content-type')).toBe('application/pdf')
})

test('Checkout in setup mode saves a card, which does not become the default', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, null)
  const session = await stripe.checkout.sessions.create({
    mode: 'setup',
    currency: 'usd',
    customer: customer.id,
    success_url: 'http://127.0.0.1/done?id={CHECKOUT_SESSION_ID}',
    client_reference_id: 'ours',
  })
  expect((await submit(String(session.url), '4000 0000 0000 0002')).status).toBe(402)
  const done = await submit(String(session.url), '4242 4242 4242 4242')
  expect(done.headers.get('location')).toBe(`http://127.0.0.1/done?id=${session.id}`)
  const after = await stripe.checkout.sessions.retrieve(session.id, { expand: ['setup_intent'] })
  expect(after).toMatchObject({
    status: 'complete',
    url: null,
    client_reference_id: 'ours',
    setup_intent: { status: 'succeeded' },
  })
  expect((await stripe.paymentMethods.list({ customer: customer.id })).data).toHaveLength(1)
  expect(await stripe.customers.retrieve(customer.id)).toMatchObject({
    invoice_settings: { default_payment_method: null },
  })
  expect(await eventTypes(stripe, session.id)).toEqual(['checkout.session.completed'])
})

test('the portal swaps the default card', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_chargeCustomerFail')
  const { url } = await stripe.billingPortal.sessions.create({ customer: customer.id })
  expect(await (await fetch(url)).text()).toContain('ending in 0341')
  await submit(url, '4242 4242 4242 4242')
  expect(await (await fetch(url)).text()).toContain('ending in 4242')
})

test('a setup intent that needs 3-D Secure waits, then saves the card', async () => {
  const { stripe, control } = world
  const customer = await customerWith(stripe, null)
  const intent = await stripe.setupIntents.create({
    customer: customer.id,
    confirm: true,
    payment_method: 'pm_card_authenticationRequiredOnSetup',
    return_url: 'http://127.0.0.1/',
  })
  expect(intent.status).toBe('requires_action')
  await control('POST', `/authenticate/${intent.id}`)
  expect((await stripe.setupIntents.retrieve(intent.id)).status).toBe('succeeded')
  const refused = { customer: customer.id, confirm: true, payment_method: 'pm_card_visa_chargeDeclined' }
  expect(await refusalOf(stripe.setupIntents.create(refused))).toMatchObject({
    statusCode: 402,
    code: 'card_declined',
  })
})

test('a credit note lowers what an open invoice asks for, down to paid', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe)
  const open = await openInvoice(stripe, customer.id, 1000)
  const note = await stripe.creditNotes.create({ invoice: open.id, amount: 400 })
  expect(note).toMatchObject({ type: 'pre_payment', number: `${open.number}-CN-01` })
  expect(await stripe.invoices.retrieve(open.id)).toMatchObject({
    amount_remaining: 600,
    pre_payment_credit_notes_amount: 400,
  })
  await stripe.creditNotes.voidCreditNote(note.id)
  expect(await stripe.invoices.retrieve(open.id)).toMatchObject({ amount_remaining: 1000 })
  await stripe.creditNotes.create({ invoice: open.id, amount: 1000 })
  expect((await stripe.invoices.retrieve(open.id)).status).toBe('paid')
})

test('a credit note on a paid invoice refunds and credits exactly its amount', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe)
  const open = await openInvoice(stripe, customer.id, 1000)
  await stripe.invoices.pay(open.id)
  const [line] = (await stripe.invoices.listLineItems(open.id)).data
  const lines = [{ type: 'invoice_line_item' as const, invoice_line_item: String(line?.id), amount: 700 }]
  expect((await refusalOf(stripe.creditNotes.create({ invoice: open.id, lines }))).message).toContain(
    'must equal',
  )
  const note = await stripe.creditNotes.create({
    invoice: open.id,
    lines,
    refund_amount: 500,
    credit_amount: 200,
  })
  expect(note.refunds).toHaveLength(1)
  expect(await stripe.customers.retrieve(customer.id)).toMatchObject({ balance: -200 })
  const [charge] = (await stripe.charges.list({ customer: customer.id, expand: ['data.refunds'] })).data
  expect(charge).toMatchObject({ amount_refunded: 500, refunded: false, refunds: { total_count: 1 } })
  expect(
    (await refusalOf(stripe.creditNotes.create({ invoice: open.id, amount: 400, refund_amount: 400 })))
      .statusCode,
  ).toBe(400)
})

test('a charge is refunded once, in parts', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe)
  const open = await openInvoice(stripe, customer.id, 1000)
  await stripe.invoices.pay(open.id)
  const [charge] = (await stripe.charges.list({ customer: customer.id })).data
  await stripe.refunds.create({ charge: String(charge?.id), amount: 300 })
  await stripe.refunds.create({ payment_intent: charge?.payment_intent as string })
  expect((await refusalOf(stripe.refunds.create({ charge: String(charge?.id) }))).code).toBe(
    'charge_already_refunded',
  )
})

test('tax rates are exclusive or inclusive', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe)
  const exclusive = await stripe.taxRates.create({ display_name: 'VAT', inclusive: false, percentage: 19 })
  const inclusive = await stripe.taxRates.create({ display_name: 'VAT', inclusive: true, percentage: 19 })
  expect(await openInvoice(stripe, customer.id, 1000, { default_tax_rates: [exclusive.id] })).toMatchObject({
    total: 1190,
    total_excluding_tax: 1000,
  })
  expect(await openInvoice(stripe, customer.id, 1190, { default_tax_rates: [inclusive.id] })).toMatchObject({
    total: 1190,
    total_excluding_tax: 1000,
  })
})
