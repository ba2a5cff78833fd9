import { afterAll, beforeAll, expect, test } from 'vitest'
import { customerWith, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const automatic = { automatic_tax: { enabled: true } }
const berlin = { address: { country: 'DE' } }

test('automatic tax is refused until the account has a head office', async () => {
  const { stripe, control } = world
  const { id } = await customerWith(stripe, null, berlin)
  await control('POST', '/tax', { status: 'pending' })
  expect(await stripe.tax.settings.retrieve()).toMatchObject({
    status: 'pending',
    status_details: { pending: { missing_fields: ['head_office'] } },
  })
  const refusal = await refusalOf(stripe.invoices.create({ customer: id, currency: 'eur', ...automatic }))
  expect(refusal.message).toContain('You must have a valid head office address')
  const product = await stripe.products.create({ name: 'Plan' })
  const recurring = { interval: 'month' as const }
  const price = await stripe.prices.create({
    currency: 'eur',
    product: product.id,
    recurring,
    unit_amount: 900,
  })
  const subscribing = stripe.subscriptions.create({
    customer: id,
    items: [{ price: price.id }],
    ...automatic,
  })
  expect((await refusalOf(subscribing)).message).toContain('head office')
  const plain = await stripe.invoices.create({ customer: id, currency: 'eur' })
  expect((await refusalOf(stripe.invoices.update(plain.id, automatic))).statusCode).toBe(400)
  await stripe.tax.settings.update({ head_office: { address: { country: 'DE' } } })
  expect((await stripe.invoices.update(plain.id, automatic)).automatic_tax.enabled).toBe(true)
})

test('a customer without a known place cannot be invoiced with tax', async () => {
  const { stripe } = world
  for (const address of [undefined, { country: 'XX' }]) {
    const customer = await customerWith(stripe, null, address === undefined ? {} : { address })
    const { id } = await stripe.invoices.create({ customer: customer.id, currency: 'eur', ...automatic })
    const draft = await stripe.invoices.addLines(id, { lines: [{ amount: 1000 }] })
    expect(draft.automatic_tax.status).toBe('requires_location_inputs')
    expect(await refusalOf(stripe.invoices.finalizeInvoice(id))).toMatchObject({
      statusCode: 400,
      code: 'customer_tax_location_invalid',
    })
    await stripe.customers.update(customer.id, berlin)
    expect(await stripe.invoices.finalizeInvoice(id)).toMatchObject({ total: 1200 })
  }
})

test('a line is taxed as its own code and behaviour say', async () => {
  const { stripe } = world
  const { id: customer } = await customerWith(stripe, null, berlin)
  const { id: invoice } = await stripe.invoices.create({ customer, currency: 'eur', ...automatic })
  const line = { customer, invoice, currency: 'eur', amount: 1200 }
  await stripe.invoiceItems.create({ ...line, tax_code: 'txcd_10103001', tax_behavior: 'exclusive' })
  await stripe.invoiceItems.create({ ...line, tax_code: 'txcd_10103001', tax_behavior: 'inclusive' })
  await stripe.invoiceItems.create({ ...line, tax_code: 'txcd_00000000' })
  const open = await stripe.invoices.finalizeInvoice(invoice)
  const taxes = open.lines.data.map((shown) => shown.taxes?.[0])
  expect(taxes).toMatchObject([
    { amount: 240, tax_behavior: 'exclusive', taxability_reason: 'standard_rated' },
    { amount: 200, tax_behavior: 'inclusive', taxable_amount: 1000 },
    { amount: 0, taxability_reason: 'not_subject_to_tax' },
  ])
  expect(open).toMatchObject({ subtotal: 3600, total: 3840, total_excluding_tax: 3400 })
})

test('who is exempt or owes the tax himself is charged none', async () => {
  const { stripe } = world
  for (const [tax_exempt, reason] of [
    ['exempt', 'customer_exempt'],
    ['reverse', 'reverse_charge'],
  ] as const) {
    const { id } = await customerWith(stripe, null, { ...berlin, tax_exempt })
    const open = await openInvoice(stripe, id, 1000, automatic)
    expect(open).toMatchObject({ total: 1000, total_taxes: [{ amount: 0, taxability_reason: reason }] })
  }
})

test('an issued invoice keeps its tax when the customer moves', async () => {
  const { stripe } = world
  const { id } = await customerWith(stripe, null, berlin)
  const open = await openInvoice(stripe, id, 1000, automatic)
  await stripe.customers.update(id, { address: { country: 'US' } })
  const [line] = (await stripe.invoices.listLineItems(open.id)).data
  expect(line?.taxes?.[0]?.amount).toBe(200)
})

test('a calculation that fails keeps the invoice a draft', async () => {
  const { stripe, control } = world
  const { id } = await customerWith(stripe, null, berlin)
  await control('POST', '/tax', { failing: true })
  const draft = await stripe.invoices.create({ customer: id, currency: 'eur', ...automatic })
  expect(draft.automatic_tax.status).toBe('failed')
  expect((await refusalOf(stripe.invoices.finalizeInvoice(draft.id))).message).toContain('calculation')
  await control('POST', '/tax', { failing: false })
  expect((await stripe.invoices.retrieve(draft.id)).automatic_tax.status).toBe('complete')
})
