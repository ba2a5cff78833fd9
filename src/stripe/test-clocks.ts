import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Stripe } from 'stripe'
import type { Connection } from './client.ts'
import { classifyStripeError, stripeFailure } from './failures.ts'
import type { TestClockTarget, TestClockView } from './types.ts'

const firstLookMs = 50
const slowestLookMs = 2_000
/** How long one call waits for Stripe; the caller tries again, and finds the clock advancing. */
const patienceMs = 120_000

export async function createTestClock(
  connection: Connection,
  { name, frozenTimeMs }: { readonly name: string; readonly frozenTimeMs: number },
): Promise<TestClockView> {
  const clock = await connection.call('test_clocks.create', (stripe) =>
    stripe.testHelpers.testClocks.create({ name, frozen_time: toSeconds(frozenTimeMs) }),
  )
  return clockView(clock)
}

export async function getTestClock(connection: Connection, testClockId: string): Promise<TestClockView> {
  const clock = await connection.call('test_clocks.retrieve', (stripe) =>
    stripe.testHelpers.testClocks.retrieve(testClockId),
  )
  return clockView(clock)
}

/** Repeatable: a clock that stands there or later, or is on its way, is not moved again. */
export async function advanceTestClock(
  connection: Connection,
  { testClockId, toMs }: TestClockTarget,
): Promise<TestClockView> {
  const to = toSeconds(toMs)
  const before = await untilReady(connection, await getTestClock(connection, testClockId))
  if (before.frozenTimeMs >= to * 1000) return before
  const advance = async (idempotencyKey: string): Promise<Stripe.TestHelpers.TestClock> =>
    await connection.call('test_clocks.advance', (stripe) =>
      stripe.testHelpers.testClocks.advance(testClockId, { frozen_time: to }, { idempotencyKey }),
    )
  const key = `clock:${testClockId}:${before.frozenTimeMs / 1000}:${to}`
  const moving = await advance(key).catch(async (error: unknown) => {
    // Stripe keeps a failure under its key for a day (rule 31); the clock, seen just now, has not moved by it.
    if (classifyStripeError(error).kind !== 'pinned') throw error
    return await advance(`${key}:${randomUUID()}`)
  })
  // The reply may be a stored one: how far the clock is, only the clock knows.
  return untilReady(connection, { ...clockView(moving), status: 'advancing' })
}

async function untilReady(connection: Connection, clock: TestClockView): Promise<TestClockView> {
  const startedMs = performance.now()
  let seen = clock
  let waitMs = firstLookMs
  while (seen.status === 'advancing') {
    if (performance.now() - startedMs > patienceMs) {
      throw stripeFailure({
        kind: 'retryable',
        code: 'test_clock_advancing',
        message: `${clock.id} is still advancing`,
      })
    }
    seen = await getTestClock(connection, clock.id)
    if (seen.status !== 'advancing') break
    await delay(waitMs)
    waitMs = Math.min(waitMs * 2, slowestLookMs)
  }
  if (seen.status === 'internal_failure') {
    throw stripeFailure({
      kind: 'final',
      code: 'test_clock_failed',
      message: `Stripe gave up advancing ${clock.id}`,
    })
  }
  return seen
}

/** Stripe counts whole seconds; ours is never overtaken. */
function toSeconds(ms: number): number {
  return Math.floor(ms / 1000)
}

const statuses: readonly TestClockView['status'][] = ['ready', 'advancing', 'internal_failure']

function clockView(clock: Stripe.TestHelpers.TestClock): TestClockView {
  const status = statuses.find((each) => each === clock.status) ?? 'advancing'
  return { id: clock.id, status, frozenTimeMs: clock.frozen_time * 1000 }
}
