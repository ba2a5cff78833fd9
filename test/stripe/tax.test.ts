import { afterAll, beforeAll, expect, test } from 'vitest'
import { classifyStripeError } from '../../src/stripe/failures.ts'
import { foldLines } from '../../src/stripe/line-folding.ts'
import type { LineToSync } from '../../src/stripe/invoice-types.ts'
import { collect, customerWith, invoiceFor, invoicesAt, linesOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test('rule 17: the tax that Stripe computes is adopted, line by line beyond the first ten', async () => {
  const customer = await customerWith(world)
  await world.stripe.customers.update(customer, {
    address: { country: 'DE', line1: 'Weg 1', postal_code: '10115' },
  })
  const amounts = Array.from({ length: 12 }, () => 1000n)
  const view = await collect(world, invoiceFor(customer, { automaticTax: true, lines: linesOf(amounts) }))
  expect(view).toMatchObject({
    status: 'paid',
    subtotalMinor: 12_000n,
    taxMinor: 2400n,
    totalMinor: 14_400n,
    amountPaidMinor: 14_400n,
  })
  expect(view.lineTax).toEqual(
    Object.fromEntries(amounts.map((_, index) => [`line-${index}`, { taxMinor: 200n, includedMinor: 0n }])),
  )
})

test('without a location automatic tax refuses to finalize, and the invoice stays a draft', async () => {
  const customer = await customerWith(world)
  const refusal = await collect(world, invoiceFor(customer, { automaticTax: true })).then(
    () => null,
    classifyStripeError,
  )
  expect(refusal).toMatchObject({ kind: 'final', code: 'customer_tax_location_invalid' })
  expect((await invoicesAt(world, customer)).map((each) => each.status)).toEqual(['draft'])
})

const line = (index: number, amountMinor: bigint, more: Partial<LineToSync> = {}): LineToSync => ({
  lineId: `line-${index}`,
  amountMinor,
  description: `Line ${index}`,
  fromMs: 0,
  toMs: 1000,
  ...more,
})

async function taxedCustomer(): Promise<string> {
  const customer = await customerWith(world)
  await world.stripe.customers.update(customer, { address: { country: 'DE', postal_code: '10115' } })
  return customer
}

test('a line with a tax code or behaviour is sent with it, in the order of the invoice', async () => {
  const customer = await taxedCustomer()
  const lines = [
    line(0, 1000n),
    line(1, 1200n, { taxCode: 'txcd_10103001', taxBehavior: 'inclusive' }),
    line(2, 500n),
  ]
  const invoice = invoiceFor(customer, { automaticTax: true, lines })
  const view = await collect(world, invoice)
  expect(view).toMatchObject({ status: 'paid', taxMinor: 500n, totalMinor: 3000n })
  expect(view.lineTax).toEqual({
    'line-0': { taxMinor: 200n, includedMinor: 0n },
    'line-1': { taxMinor: 200n, includedMinor: 200n },
    'line-2': { taxMinor: 100n, includedMinor: 0n },
  })
  const repeated = await world.gateway.syncInvoice(world.app, invoice)
  expect(repeated).toEqual({ stripeInvoiceId: view.stripeInvoiceId, adopted: true, isFinal: true })
})

test('with automatic tax a credit is taken off a line that is taxed alike, and no line is negative', () => {
  const lines = [
    line(0, 5000n),
    line(1, 900n, { taxCode: 'txcd_a' }),
    line(2, -1000n, { taxCode: 'txcd_a' }),
    line(3, -300n),
  ]
  const folded = foldLines({ invoiceId: 'inv', automaticTax: true, lines })
  expect(folded.map(({ lineId, amountMinor, taxCode }) => [lineId, amountMinor, taxCode])).toEqual([
    ['net:line-0', 4600n, undefined],
  ])
  expect(folded[0]?.parts).toHaveLength(4)
  expect(foldLines({ invoiceId: 'inv', automaticTax: false, lines })).toHaveLength(4)
})

test('rule 17: lines beyond 250 are folded by tax treatment', () => {
  const lines = Array.from({ length: 300 }, (_, index) =>
    line(index, 10n, index % 2 === 0 ? { taxCode: 'txcd_a', taxBehavior: 'exclusive' } : {}),
  )
  const folded = foldLines({ invoiceId: 'inv', automaticTax: true, lines })
  expect(folded).toHaveLength(250)
  expect(folded.slice(-2).map(({ lineId, amountMinor }) => [lineId, amountMinor])).toEqual([
    ['rest:inv:txcd_a:exclusive', 260n],
    ['rest:inv', 260n],
  ])
})

test('rule 18: tax in parts of a króna is rounded, and the parts still add up', async () => {
  const customer = await taxedCustomer()
  const lines = [line(0, 101n), line(1, 102n)]
  const view = await collect(world, invoiceFor(customer, { currency: 'ISK', automaticTax: true, lines }))
  expect(view).toMatchObject({ isRounded: true, subtotalMinor: 203n, taxMinor: 41n, totalMinor: 244n })
  const sum = Object.values(view.lineTax).reduce((total, tax) => total + tax.taxMinor, 0n)
  expect(sum).toBe(41n)
})
