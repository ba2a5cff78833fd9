import { afterAll, beforeAll, expect, test } from 'vitest'
import { customerWith, eventTypes, openInvoice, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const post = (url: string, form: Readonly<Record<string, string>>) =>
  fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
const textOf = async (url: string) => (await (await fetch(url)).text()).replaceAll('&#39;', "'")
const card = { card: '4242 4242 4242 4242', expiry: '12/40', cvc: '123', name: 'Ada Lovelace' }
const portalOf = async (customer: string, more = {}) =>
  (await world.stripe.billingPortal.sessions.create({ customer, ...more })).url
const defaultOf = async (customer: string) => {
  const found = await world.stripe.customers.retrieve(customer)
  if (found.deleted) return ''
  const { default_payment_method: method } = found.invoice_settings
  return typeof method === 'string' ? method : ''
}

test('the portal lists methods and invoices, and leads back', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe)
  const open = await openInvoice(stripe, customer.id, 1234)
  const page = await textOf(await portalOf(customer.id, { return_url: 'http://127.0.0.1/account' }))
  expect(page).toMatch(/Visa ending in 4242[\s\S]*Default/)
  expect(page).toContain(String(open.number))
  expect(page).toContain('$12.34')
  expect(page).toContain(`href="${open.hosted_invoice_url}"`)
  expect(page).toContain(`href="${open.invoice_pdf}"`)
  expect(page).toContain('href="http://127.0.0.1/account"')
})

test('another card becomes the default after 3-D Secure; the old one can return or go', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe)
  const first = await defaultOf(customer.id)
  const url = await portalOf(customer.id)
  const asked = { ...card, action: 'add_card', card: '4000 0025 0000 3155' }
  await post(url, asked)
  expect((await post(`${url}/authenticate`, { outcome: 'fail' })).status).toBe(402)
  expect(await defaultOf(customer.id)).toBe(first)
  expect((await post(url, asked)).headers.get('location')).toBe(`${new URL(url).pathname}/authenticate`)
  await post(`${url}/authenticate`, { outcome: 'complete' })
  const second = await defaultOf(customer.id)
  expect(second).not.toBe(first)
  await post(url, { action: 'make_default', payment_method: first })
  expect(await defaultOf(customer.id)).toBe(first)
  await post(url, { action: 'remove', payment_method: second })
  expect((await stripe.paymentMethods.list({ customer: customer.id })).data.map(({ id }) => id)).toEqual([
    first,
  ])
  const other = await customerWith(stripe)
  const foreign = await defaultOf(other.id)
  expect((await post(url, { action: 'remove', payment_method: foreign })).status).toBe(402)
  expect((await post(url, { ...card, card: '4000 0000 0000 0002' })).status).toBe(402)
})

test('billing information changes as far as the configuration lets it', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe)
  const url = await portalOf(customer.id)
  const form = {
    action: 'update_customer',
    email: 'new@example.com',
    customer_name: 'Ada GmbH',
    line1: 'Gasse 1',
    country: 'AT',
    tax_id: 'ATU12345678',
  }
  expect((await post(url, form)).status).toBe(303)
  expect(await stripe.customers.retrieve(customer.id, { expand: ['tax_ids'] })).toMatchObject({
    email: 'new@example.com',
    name: 'Ada GmbH',
    address: { country: 'AT' },
    tax_ids: { data: [{ type: 'eu_vat', value: 'ATU12345678' }] },
  })
  const { id } = await stripe.billingPortal.configurations.create({
    features: { invoice_history: { enabled: true } },
  })
  const closed = await portalOf(customer.id, { configuration: id })
  expect(await textOf(closed)).not.toContain('Payment methods')
  expect((await post(closed, form)).status).toBe(402)
})

test('the login page opens the portal of the customer with that email', async () => {
  const { stripe } = world
  await customerWith(stripe, 'pm_card_visa', { email: 'login@example.com' })
  const { login_page } = await stripe.billingPortal.configurations.create({
    features: { payment_method_update: { enabled: true } },
    login_page: { enabled: true },
  })
  const url = String(login_page.url)
  expect(await textOf(url)).toContain('<label for="email">')
  expect((await post(url, { email: 'nobody@example.com' })).status).toBe(402)
  const opened = await post(url, { email: 'Login@example.com' })
  expect(await textOf(String(opened.headers.get('location')))).toContain('Visa ending in 4242')
})

test('the invoice page pays with the saved card, or after 3-D Secure with a new one', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe)
  const first = await openInvoice(stripe, customer.id, 1000)
  const url = String(first.hosted_invoice_url)
  expect(await textOf(url)).toContain('Pay with Visa ending in 4242')
  await post(url, { method: await defaultOf(customer.id) })
  expect((await stripe.invoices.retrieve(first.id)).status).toBe('paid')
  const second = await openInvoice(stripe, customer.id, 2000)
  const page = String(second.hosted_invoice_url)
  const asked = await post(page, { ...card, card: '4000 0025 0000 3155' })
  expect(asked.headers.get('location')).toBe(`${new URL(page).pathname}/authenticate`)
  expect(await textOf(`${page}/authenticate`)).toContain('$20.00')
  expect((await post(`${page}/authenticate`, { outcome: 'fail' })).status).toBe(402)
  await post(page, { ...card, card: '4000 0027 6000 3184' })
  await post(`${page}/authenticate`, { outcome: 'complete' })
  expect((await stripe.invoices.retrieve(second.id)).status).toBe('paid')
  expect(await eventTypes(stripe, second.id)).toContain('invoice.payment_action_required')
  expect(await textOf(page)).toContain('This invoice is paid')
})

test('a payment that waits for the bank can be confirmed on the invoice page', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_authenticationRequired')
  const open = await openInvoice(stripe, customer.id, 1000)
  await stripe.invoices.pay(open.id).catch(() => {})
  const url = String(open.hosted_invoice_url)
  expect(await textOf(url)).toContain('Confirm with Visa ending in 3184')
  expect((await post(url, { ...card, card: '1' })).status).toBe(402)
  await post(`${url}/authenticate`, { outcome: 'complete' })
  expect((await stripe.invoices.retrieve(open.id)).status).toBe('paid')
})

test('the document of an invoice is a PDF with a sound cross-reference table', async () => {
  const { stripe } = world
  const open = await openInvoice(
    stripe,
    (await customerWith(stripe, 'pm_card_visa', { name: 'Müller (Söhne)' })).id,
    1000,
  )
  const reply = await fetch(String(open.invoice_pdf))
  const pdf = Buffer.from(await reply.arrayBuffer()).toString('latin1')
  expect(reply.headers.get('content-disposition')).toContain(`Invoice-${open.number}.pdf`)
  const start = Number(/startxref\n(\d+)/.exec(pdf)?.[1])
  expect(pdf.slice(start, start + 4)).toBe('xref')
  const [, ...offsets] = [...pdf.slice(start).matchAll(/^(\d{10}) \d{5} [nf]/gm)].map(([, at]) => Number(at))
  offsets.forEach((at, index) => expect(pdf.slice(at)).toMatch(new RegExp(`^${index + 1} 0 obj`)))
  expect(pdf).toContain('Müller \\(Söhne\\)')
})
