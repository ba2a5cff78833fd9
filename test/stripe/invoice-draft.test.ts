import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { InvoiceToSync } from '../../src/stripe/invoice-types.ts'
import type { Cut } from './cutting-proxy.ts'
import { collect, customerWith, invoiceFor, invoicesAt, linesOf, startWorld } from './world.ts'
import type { World } from './world.ts'

/** A draft that is kept in line with ours, run by run. */
let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => world.proxy.restore())
afterAll(() => world.close())

const amounts = (count: number, step: number) => Array.from({ length: count }, (_, n) => BigInt(n * step + 1))
const sum = (all: readonly bigint[]) => all.reduce((total, amount) => total + amount, 0n)

/** The invoice at its next run: other lines, the same Stripe invoice. */
const next = (invoice: InvoiceToSync, run: number, of: readonly bigint[]): InvoiceToSync => ({
  ...invoice,
  run,
  isGrowing: true,
  lines: linesOf(of),
})

async function theirs(customer: string) {
  const [invoice] = await invoicesAt(world, customer)
  const lines = await world.stripe.invoices
    .listLineItems(invoice?.id ?? '', { limit: 100 })
    .autoPagingToArray({
      limit: 1000,
    })
  return { invoice, amounts: lines.map((line) => line.amount) }
}

test('each run adds, changes and removes what differs, and sends nothing where nothing does', async () => {
  const customer = await customerWith(world)
  const base = invoiceFor(customer)
  const first = await world.gateway.syncDraft(world.app, next(base, 1, [100n, 200n]))
  const known = { ...base, stripeInvoiceId: first.stripeInvoiceId }
  await world.gateway.syncDraft(world.app, next(known, 2, [100n, 250n, 300n]))
  expect((await theirs(customer)).amounts).toEqual([100, 250, 300])
  world.proxy.restore()
  await world.gateway.syncDraft(world.app, next(known, 3, [100n, 250n, 300n]))
  expect(world.proxy.passed().map((request) => request.replace(/in_\w+/, '{id}'))).toEqual([
    'GET /v1/invoices/{id}',
  ])
  await world.gateway.syncDraft(world.app, next(known, 4, [150n]))
  expect((await theirs(customer)).amounts).toEqual([150])
  // Back to what it was: the key of the first change is not answered from Stripe's store.
  await world.gateway.syncDraft(world.app, next(known, 5, [100n]))
  await world.gateway.syncDraft(world.app, next(known, 6, [150n]))
  expect((await theirs(customer)).amounts).toEqual([150])
  expect(await collect(world, next(known, 7, [150n]))).toMatchObject({ status: 'paid', totalMinor: 150n })
})

test('an invoice that never ran keeps what a person changed, and is refused', async () => {
  const customer = await customerWith(world)
  const invoice = invoiceFor(customer, { lines: linesOf([100n, 200n]) })
  await world.gateway.syncInvoice(world.app, invoice)
  const changed = { ...invoice, lines: linesOf([100n, 300n]) }
  await expect(world.gateway.syncInvoice(world.app, changed)).rejects.toThrow('300')
  expect((await theirs(customer)).amounts).toEqual([100, 200])
})

test('more than 250 lines are folded in a draft as in an issued invoice, run by run', async () => {
  const customer = await customerWith(world)
  const base = invoiceFor(customer)
  const { stripeInvoiceId } = await world.gateway.syncDraft(world.app, next(base, 1, amounts(249, 1)))
  const grown = amounts(300, 3)
  const known = { ...base, stripeInvoiceId }
  await world.gateway.syncDraft(world.app, next(known, 2, grown))
  const { invoice, amounts: there } = await theirs(customer)
  expect([there.length, invoice?.total]).toEqual([250, Number(sum(grown))])
  const more = amounts(320, 5)
  expect(await collect(world, next(known, 3, more))).toMatchObject({ status: 'paid', totalMinor: sum(more) })
})

test('what a profile changed meanwhile is set on the draft', async () => {
  const customer = await customerWith(world)
  const base = invoiceFor(customer)
  const { stripeInvoiceId } = await world.gateway.syncDraft(world.app, next(base, 1, [100n]))
  const emailed = { collectionMethod: 'send_invoice', daysUntilDue: 14 } as const
  await world.gateway.syncDraft(world.app, { ...next(base, 2, [100n]), stripeInvoiceId, ...emailed })
  expect((await theirs(customer)).invoice).toMatchObject({ collection_method: 'send_invoice' })
})

test('a line that is taxed otherwise than when it was made is made anew, and stays when nothing changes', async () => {
  const customer = await customerWith(world)
  const base = invoiceFor(customer)
  const coded = (run: number, more: Partial<InvoiceToSync>): InvoiceToSync => {
    const invoice = next(base, run, [100n, 200n])
    const lines = invoice.lines.map((line) => ({ ...line, taxCode: 'txcd_10103001' }))
    return { ...invoice, lines, ...more }
  }
  const { stripeInvoiceId } = await world.gateway.syncDraft(world.app, coded(1, { automaticTax: false }))
  const taxed = { stripeInvoiceId, automaticTax: true, taxSkipped: true }
  world.proxy.restore()
  await world.gateway.syncDraft(world.app, coded(2, taxed))
  const made = world.proxy.passed().filter((request) => request === 'POST /v1/invoiceitems')
  expect(made).toHaveLength(2)
  expect((await theirs(customer)).amounts).toEqual([100, 200])
  world.proxy.restore()
  await world.gateway.syncDraft(world.app, coded(3, taxed))
  expect(world.proxy.passed()).toHaveLength(1)
})

const before = amounts(130, 2)
/** 115 of 130 lines change and 15 go. */
const after = [...amounts(110, 7), ...amounts(5, 9)]
/** Requests of that run: look, all lines, remove, change twice, all lines. */
const runLength = 8
const killPoints = Array.from({ length: runLength }, (_, n) => n).flatMap((n) =>
  (['before', 'after'] as const satisfies readonly Cut[]).map((cut) => [cut, n] as const),
)

test('that run has the requests that the kill points are generated for', async () => {
  const base = invoiceFor(await customerWith(world))
  const { stripeInvoiceId } = await world.gateway.syncDraft(world.app, next(base, 1, before))
  world.proxy.restore()
  await world.gateway.syncDraft(world.app, next({ ...base, stripeInvoiceId }, 2, after))
  expect(world.proxy.passed()).toHaveLength(runLength)
})

test.each(killPoints)(
  'rule 31: killed %s request %d of a run, the run repeated leaves exactly its lines',
  async (cut, n) => {
    const customer = await customerWith(world)
    const base = invoiceFor(customer)
    const { stripeInvoiceId } = await world.gateway.syncDraft(world.app, next(base, 1, before))
    const run = next({ ...base, stripeInvoiceId }, 2, after)
    world.proxy.restore()
    world.proxy.cutAt(n, cut)
    await expect(world.gateway.syncDraft(world.app, run)).rejects.toThrow()
    world.proxy.restore()
    await world.gateway.syncDraft(world.app, run)
    expect((await theirs(customer)).invoice?.total).toBe(Number(sum(after)))
    expect(await invoicesAt(world, customer)).toHaveLength(1)
  },
)
