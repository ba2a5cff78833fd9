import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { classifyStripeError } from '../../src/stripe/failures.ts'
import type { InvoiceToSync } from '../../src/stripe/invoice-types.ts'
import { collect, customerWith, invoiceFor, invoicesAt, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => fetch(`${world.url}/_sandbox/faults`, { method: 'DELETE' }))
afterAll(() => world.close())

type FaultKind =
  | 'lock_timeout'
  | 'error_before'
  | 'error_after'
  | 'truncate_after'
  | 'reset_after'
  | 'rate_limit'

async function fault(kind: FaultKind, path: string): Promise<void> {
  const response = await fetch(`${world.url}/_sandbox/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ kind, method: 'POST', path }),
  })
  if (!response.ok) throw new Error(await response.text())
}

/** What a worker does with a failure: again, and after a pinned one under the next generation. */
async function collectPatiently(invoice: InvoiceToSync): Promise<{ kinds: string[]; generation: number }> {
  const kinds: string[] = []
  let generation = invoice.generation
  for (let tries = 0; tries < 5; tries += 1) {
    const failure = await collect(world, { ...invoice, generation }).then(() => null, classifyStripeError)
    if (failure === null) return { kinds, generation }
    kinds.push(failure.kind)
    if (failure.kind === 'pinned') generation += 1
  }
  return { kinds, generation }
}

const steps = [
  ['create', '/v1/invoices$'],
  ['add_lines', '/add_lines$'],
  ['finalize', '/finalize$'],
  ['pay', '/pay$'],
] as const

test.each(steps)(
  'rule 31: a lock_timeout stored under the key of %s needs the next generation, once',
  async (_step, path) => {
    const customer = await customerWith(world)
    await fault('lock_timeout', path)
    const run = await collectPatiently(invoiceFor(customer))
    expect(run).toEqual({ kinds: ['retryable', 'pinned'], generation: 2 })
    expect((await invoicesAt(world, customer)).map((each) => [each.status, each.total])).toEqual([
      ['paid', 6912],
    ])
  },
)

test.each(steps)('rule 31: a 500 that hid the success of %s is settled by looking', async (_step, path) => {
  const customer = await customerWith(world)
  await fault('error_after', path)
  const run = await collectPatiently(invoiceFor(customer))
  expect(run).toEqual({ kinds: ['retryable'], generation: 1 })
  expect((await invoicesAt(world, customer)).map((each) => [each.status, each.total])).toEqual([
    ['paid', 6912],
  ])
})

test.each(steps)('a reply to %s that was cut in the middle is settled by repeating', async (_step, path) => {
  const customer = await customerWith(world)
  await fault('truncate_after', path)
  const run = await collectPatiently(invoiceFor(customer))
  expect(run).toEqual({ kinds: ['retryable'], generation: 1 })
  expect((await invoicesAt(world, customer)).map((each) => [each.status, each.total])).toEqual([
    ['paid', 6912],
  ])
})

test.each(steps)(
  'the global rate limit at %s is not stored: the same key goes through',
  async (_step, path) => {
    const customer = await customerWith(world)
    await fault('rate_limit', path)
    expect(await collectPatiently(invoiceFor(customer))).toEqual({ kinds: ['retryable'], generation: 1 })
  },
)

test('rule 31: a create whose 500 hid an invoice adopts it even when told that none can be there', async () => {
  const customer = await customerWith(world)
  await fault('error_after', '/v1/invoices$')
  const run = await collectPatiently(invoiceFor(customer, { mayExist: false }))
  expect(run).toEqual({ kinds: ['retryable'], generation: 1 })
  expect(await invoicesAt(world, customer)).toHaveLength(1)
})

test('rule 31: what was made under a later key is adopted by who begins anew, even when told that none can be there', async () => {
  const customer = await customerWith(world)
  await fault('lock_timeout', '/v1/invoices$')
  const invoice = invoiceFor(customer)
  expect(await collectPatiently(invoice)).toEqual({ kinds: ['retryable', 'pinned'], generation: 2 })
  const [made] = await invoicesAt(world, customer)
  const again = await world.gateway.syncInvoice(world.app, { ...invoice, mayExist: false })
  expect(again).toMatchObject({ stripeInvoiceId: made?.id, isFinal: true })
  expect(await invoicesAt(world, customer)).toHaveLength(1)
})

test.each(['lock_timeout', 'error_before', 'error_after'] as const)(
  'rule 31: a %s that is stored under the key of an advance does not hold the test clock up',
  async (kind) => {
    const { gateway, app } = world
    const clock = await gateway.createTestClock(app, { name: kind, frozenTimeMs: Date.UTC(2026, 0, 31) })
    const target = { testClockId: clock.id, toMs: Date.UTC(2026, 1, 28) }
    await fault(kind, '/advance$')
    await expect(gateway.advanceTestClock(app, target)).rejects.toThrow()
    const moved = await gateway.advanceTestClock(app, target)
    expect(moved).toMatchObject({ status: 'ready', frozenTimeMs: target.toMs })
  },
)
