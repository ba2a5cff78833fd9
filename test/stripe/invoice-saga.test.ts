import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { classifyStripeError } from '../../src/stripe/failures.ts'
import type { Cut } from './cutting-proxy.ts'
import { collect, customerWith, invoiceFor, invoicesAt, linesOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => world.proxy.restore())
afterAll(() => world.close())

const manyAmounts = Array.from({ length: 120 }, (_, index) => BigInt(index * 7 + 1))
const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n)

test('an invoice is created, filled, finalized and paid, to the cent', async () => {
  const customer = await customerWith(world)
  const invoice = invoiceFor(customer, { number: 'PER-0001', lines: linesOf([1234n, -34n, 0n]) })
  const view = await collect(world, invoice)
  expect(view).toMatchObject({
    invoiceId: invoice.invoiceId,
    status: 'paid',
    number: 'PER-0001',
    currency: 'USD',
    subtotalMinor: 1200n,
    taxMinor: 0n,
    totalMinor: 1200n,
    amountPaidMinor: 1200n,
    amountRemainingMinor: 0n,
    payment: { kind: 'succeeded', hard: false },
  })
  expect(view.paidMs).not.toBeNull()
  const [theirs] = await invoicesAt(world, customer)
  expect(theirs?.metadata).toEqual({
    perennial_invoice_id: invoice.invoiceId,
    perennial_subscription_id: invoice.subscriptionId,
  })
  expect(theirs?.auto_advance).toBe(false)
  expect(theirs?.automatic_tax.enabled).toBe(false)
})

test('the number that is bound just before finalizing is the one on the invoice', async () => {
  const invoice = invoiceFor(await customerWith(world))
  const { stripeInvoiceId } = await world.gateway.syncInvoice(world.app, invoice)
  const ref = { invoiceId: invoice.invoiceId, stripeInvoiceId, generation: 1, number: 'PER-0002' }
  expect(await world.gateway.finalizeInvoice(world.app, ref)).toMatchObject({
    status: 'open',
    number: 'PER-0002',
  })
  expect(await world.gateway.finalizeInvoice(world.app, ref)).toMatchObject({
    status: 'open',
    number: 'PER-0002',
  })
})

test.each([
  ['JPY', 1234n, 1234],
  ['KWD', 12_340n, 12_340],
  ['ISK', 1234n, 123_400],
])('rule 18: an invoice of %s is %d for us and %d for Stripe', async (currency, ours, theirs) => {
  const customer = await customerWith(world)
  const view = await collect(world, invoiceFor(customer, { currency, lines: linesOf([ours]) }))
  expect(view).toMatchObject({ status: 'paid', currency, totalMinor: ours, amountPaidMinor: ours })
  expect((await invoicesAt(world, customer)).map((each) => each.total)).toEqual([theirs])
})

test('250 lines go in three requests, and the total is theirs to the cent', async () => {
  const amounts = Array.from({ length: 250 }, (_, index) => BigInt(index + 1))
  const customer = await customerWith(world)
  const view = await collect(world, invoiceFor(customer, { lines: linesOf(amounts), mayExist: false }))
  expect(view).toMatchObject({ status: 'paid', totalMinor: sum(amounts) })
  expect(world.proxy.passed().filter((request) => request.endsWith('/add_lines'))).toHaveLength(3)
})

test('on the happy path an invoice costs four requests', async () => {
  const customer = await customerWith(world)
  world.proxy.restore()
  await collect(world, invoiceFor(customer, { mayExist: false }))
  expect(world.proxy.passed().map((request) => request.replace(/in_\w+/, '{id}'))).toEqual([
    'POST /v1/invoices',
    'POST /v1/invoices/{id}/add_lines',
    'POST /v1/invoices/{id}/finalize',
    'POST /v1/invoices/{id}/pay',
  ])
})

/** Requests of the saga over 120 lines: found by a run that nothing disturbs. */
const sagaLength = 8

test('the saga with 120 lines has the requests that the kill points are generated for', async () => {
  const customer = await customerWith(world)
  world.proxy.restore()
  await collect(world, invoiceFor(customer, { lines: linesOf(manyAmounts) }))
  expect(world.proxy.passed()).toHaveLength(sagaLength)
})

const killPoints = Array.from({ length: sagaLength }, (_, n) => n).flatMap((n) =>
  (['before', 'after'] as const satisfies readonly Cut[]).map((cut) => [cut, n] as const),
)

test.each(killPoints)(
  'rule 31: killed %s request %d, the saga repeated makes one paid invoice',
  async (cut, n) => {
    const customer = await customerWith(world)
    const invoice = invoiceFor(customer, { lines: linesOf(manyAmounts) })
    world.proxy.restore()
    world.proxy.cutAt(n, cut)
    const failure = await collect(world, invoice).then(() => null, classifyStripeError)
    expect(failure).toMatchObject({ kind: 'retryable', afterSend: true })
    world.proxy.restore()
    const view = await collect(world, invoice)
    expect(view).toMatchObject({ status: 'paid', totalMinor: sum(manyAmounts) })
    const theirs = await invoicesAt(world, customer)
    expect(theirs.map((each) => [each.status, each.total])).toEqual([['paid', Number(sum(manyAmounts))]])
    const charges = await world.stripe.charges.list({ customer })
    expect(charges.data.filter((charge) => charge.paid)).toHaveLength(1)
  },
)

test('rule 31: when the keys are forgotten too, the metadata finds the invoice over all pages', async () => {
  const customer = await customerWith(world)
  const invoice = invoiceFor(customer)
  const { stripeInvoiceId } = await world.gateway.syncInvoice(world.app, invoice)
  for (let page = 0; page < 105; page += 1) await world.stripe.invoices.create({ customer, currency: 'usd' })
  const again = await world.gateway.syncInvoice(world.app, { ...invoice, generation: 2 })
  expect(again).toMatchObject({ stripeInvoiceId, adopted: true })
  const query = { invoiceId: invoice.invoiceId, stripeCustomerId: customer, createdMs: invoice.createdMs }
  expect(await world.gateway.findInvoice(world.app, query)).toBe(stripeInvoiceId)
  expect(await world.gateway.findInvoice(world.app, { ...query, invoiceId: 'unknown' })).toBeNull()
  expect(await world.gateway.findInvoice(world.app, { ...query, createdMs: null })).toBe(stripeInvoiceId)
})

test('rule 31: a lost part of the lines is added, and what is there is not added twice', async () => {
  const customer = await customerWith(world)
  const invoice = invoiceFor(customer, { lines: linesOf([100n, 200n]) })
  const { stripeInvoiceId } = await world.gateway.syncInvoice(world.app, invoice)
  const grown = { ...invoice, stripeInvoiceId, generation: 2, lines: linesOf([100n, 200n, 300n]) }
  await world.gateway.syncInvoice(world.app, grown)
  expect((await invoicesAt(world, customer)).map((each) => each.subtotal)).toEqual([600])
})

test('rule 17: an invoice that somebody changed at Stripe is not finalized', async () => {
  const customer = await customerWith(world)
  const invoice = invoiceFor(customer)
  const { stripeInvoiceId } = await world.gateway.syncInvoice(world.app, invoice)
  await world.stripe.invoices.addLines(stripeInvoiceId, { lines: [{ amount: 1, description: 'foreign' }] })
  await expect(world.gateway.syncInvoice(world.app, { ...invoice, stripeInvoiceId })).rejects.toMatchObject({
    code: 'stripe_totals_differ',
    details: { ours: { subtotal: 6912, lines: 2 }, stripe: { subtotal: 6913, lines: 3 } },
  })
  expect((await invoicesAt(world, customer)).map((each) => each.status)).toEqual(['draft'])
})

test('an invoice in another currency than ours is refused', async () => {
  const invoice = invoiceFor(await customerWith(world))
  const { stripeInvoiceId } = await world.gateway.syncInvoice(world.app, invoice)
  const other = { ...invoice, stripeInvoiceId, currency: 'EUR' }
  await expect(world.gateway.syncInvoice(world.app, other)).rejects.toMatchObject({
    code: 'stripe_totals_differ',
  })
})

test('a draft that a person deleted at Stripe is made again only under the next generation', async () => {
  const customer = await customerWith(world)
  const invoice = invoiceFor(customer)
  const { stripeInvoiceId } = await world.gateway.syncInvoice(world.app, invoice)
  await world.gateway.deleteDraft(world.app, stripeInvoiceId)
  await world.gateway.deleteDraft(world.app, stripeInvoiceId)
  const refused = await world.gateway
    .syncInvoice(world.app, { ...invoice, stripeInvoiceId })
    .then(() => null, classifyStripeError)
  expect(refused).toMatchObject({ kind: 'final', code: 'stripe_invoice_deleted' })
  const again = await world.gateway.syncInvoice(world.app, { ...invoice, generation: 2 })
  expect(again.adopted).toBe(false)
  expect(again.stripeInvoiceId).not.toBe(stripeInvoiceId)
})

test('rule 31: a create with other parameters under a spent key adopts what the key made', async () => {
  const customer = await customerWith(world)
  const invoice = invoiceFor(customer)
  const { stripeInvoiceId } = await world.gateway.syncInvoice(world.app, invoice)
  const changed = { ...invoice, mayExist: false, description: 'now with words' }
  expect(await world.gateway.syncInvoice(world.app, changed)).toMatchObject({
    stripeInvoiceId,
    adopted: false,
  })
  expect(await invoicesAt(world, customer)).toHaveLength(1)
})
