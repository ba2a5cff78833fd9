import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { customerWith, openInvoice, refusalOf, startWorld, until } from './world.ts'
import type { World } from './world.ts'

interface Payload {
  readonly type: string
  readonly api_version: string
  readonly data: { readonly object: Readonly<Record<string, unknown>>; readonly previous_attributes?: object }
}

let world: World
const received: Payload[] = []
const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    received.push(JSON.parse(Buffer.concat(chunks).toString()) as Payload)
    response.end()
  })
})
beforeAll(async () => {
  world = await startWorld()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  await world.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const paidTo = async (version?: '2022-11-15') => {
  const { stripe } = world
  received.length = 0
  const endpoint = await stripe.webhookEndpoints.create({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    enabled_events: ['*'],
    ...(version === undefined ? {} : { api_version: version }),
  })
  const customer = await customerWith(stripe)
  const rate = await stripe.taxRates.create({ display_name: 'VAT', inclusive: false, percentage: 19 })
  const open = await openInvoice(stripe, customer.id, 1000, { default_tax_rates: [rate.id] })
  await stripe.invoices.pay(open.id)
  await until(
    () => world.control('GET', '/settled'),
    ({ settled }) => settled === true,
  )
  await stripe.webhookEndpoints.del(endpoint.id)
  const [charge] = (await stripe.charges.list({ customer: customer.id })).data
  return { open, charge, rate }
}
const of = (type: string) => received.find((payload) => payload.type === type)?.data.object ?? {}

test('an endpoint of 2022-11-15 gets invoices, charges and payment intents as that version shows them', async () => {
  const { open, charge, rate } = await paidTo('2022-11-15')
  const invoice = of('invoice.paid')
  expect(invoice).toMatchObject({
    id: open.id,
    paid: true,
    paid_out_of_band: false,
    charge: charge?.id,
    payment_intent: charge?.payment_intent,
    subscription: null,
    tax: 190,
    total_tax_amounts: [{ amount: 190, inclusive: false, tax_rate: rate.id, taxable_amount: 1000 }],
    lines: {
      data: [
        { type: 'invoiceitem', amount: 1000, tax_amounts: [{ amount: 190 }], price: { unit_amount: 1000 } },
      ],
    },
  })
  for (const gone of ['parent', 'payments', 'total_taxes']) expect(invoice).not.toHaveProperty(gone)
  expect(of('charge.succeeded')).toMatchObject({ invoice: open.id })
  expect(of('payment_intent.succeeded')).toMatchObject({ invoice: open.id })
  expect(new Set(received.map((payload) => payload.api_version))).toEqual(new Set(['2022-11-15']))
  const turned = received.find(
    ({ type, data }) => type === 'invoice.updated' && data.object['status'] === 'paid',
  )
  expect(turned?.data.previous_attributes).toMatchObject({ status: 'open', paid: false })
})

test('any other endpoint gets the shapes of today', async () => {
  await paidTo()
  expect(of('invoice.paid')).toHaveProperty('parent')
  expect(of('invoice.paid')).not.toHaveProperty('paid')
  expect(of('charge.succeeded')).not.toHaveProperty('invoice')
  const odd = { url: 'http://127.0.0.1:1/', enabled_events: ['*' as const], api_version: 'newest' as never }
  expect((await refusalOf(world.stripe.webhookEndpoints.create(odd))).param).toBe('api_version')
})
