import { expect, test } from 'vitest'
import { createLimiter } from '../../src/stripe/limiter.ts'

const limits = { livePerSecond: 100, testPerSecond: 25, endpointPerSecond: 10 }

/** Time that only passes when it is told to; what was waited is kept. */
function virtualClock() {
  const waits: number[] = []
  let nowMs = 0
  return {
    waits,
    now: () => nowMs,
    wait: async (ms: number) => void waits.push(ms),
    pass: (ms: number) => void (nowMs += ms),
  }
}

async function admitMany(
  limiter: ReturnType<typeof createLimiter>,
  count: number,
  account = 'acct_1',
  endpoint?: string,
) {
  for (let i = 0; i < count; i += 1) {
    await limiter.admit({ account, livemode: false, endpoint: endpoint ?? `endpoint ${i}` })
  }
}

test('a burst within the limit does not wait', async () => {
  const clock = virtualClock()
  await admitMany(createLimiter(limits, clock), 25)
  expect(clock.waits).toEqual([])
})

test('what exceeds the account is spread over the following time, in order', async () => {
  const clock = virtualClock()
  await admitMany(createLimiter(limits, clock), 28)
  expect(clock.waits).toEqual([40, 80, 120])
})

test('what was waited for is earned back', async () => {
  const clock = virtualClock()
  const limiter = createLimiter(limits, clock)
  await admitMany(limiter, 25)
  clock.pass(1000)
  await admitMany(limiter, 25)
  expect(clock.waits).toEqual([])
})

test('one endpoint is limited more tightly than its account', async () => {
  const clock = virtualClock()
  await admitMany(createLimiter(limits, clock), 11, 'acct_1', 'invoices.create')
  expect(clock.waits).toEqual([100])
})

test("one account's burst does not slow another's", async () => {
  const clock = virtualClock()
  const limiter = createLimiter(limits, clock)
  await admitMany(limiter, 100, 'acct_busy')
  const waited = clock.waits.length
  await admitMany(limiter, 25, 'acct_calm')
  expect(clock.waits).toHaveLength(waited)
})

test('switched off, it never waits', async () => {
  const clock = virtualClock()
  await admitMany(createLimiter(false, clock), 1000, 'acct_1', 'invoices.create')
  expect(clock.waits).toEqual([])
})
