import { afterAll, beforeAll, expect, test } from 'vitest'
import { classifyStripeError } from '../../src/stripe/failures.ts'
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
  expect(view.lineTax).toEqual(Object.fromEntries(amounts.map((_, index) => [`line-${index}`, 200n])))
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
