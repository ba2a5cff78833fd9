import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Fault } from '../../../src/sandbox/faults.ts'
import { startSandbox } from '../../../src/sandbox/server.ts'
import { keepArmed } from './armed.ts'
import { steer } from './client.ts'
import { createRandom } from './random.ts'
import { createTally } from './tally.ts'

type Sandbox = Awaited<ReturnType<typeof startSandbox>>
let sandbox: Sandbox
beforeAll(async () => {
  sandbox = await startSandbox({ port: 0 })
})
afterAll(async () => await sandbox.close())

const REQUESTS = 40
const ARMED = 5

test('as many faults as asked for are armed, and each request that runs into one is a hit', async () => {
  const tally = createTally()
  const statuses: number[] = []
  const armedAtOnce: number[] = []
  const spent: Fault[] = []
  await keepArmed(sandbox.url, tally, {
    path: '/faults',
    list: 'faults',
    slots: ARMED,
    draw: (random) => ({ kind: 'rate_limit' as const, times: random.int(1, 2), nth: random.int(1, 6) }),
    nameOf: ({ kind }) => kind,
    random: createRandom('armed'),
    isOver: () => statuses.length >= REQUESTS,
    // What the product asks of Stripe meanwhile.
    async pause() {
      const { faults } = await steer<{ faults: readonly Fault[] }>(sandbox.url, 'GET', '/faults')
      armedAtOnce.push(faults.length)
      // What other rules took is over for a rule, too: it would take up room and hit nothing.
      spent.push(...faults.filter(({ nth = 1, times = 1, seen }) => seen >= nth + times - 1))
      const answer = await fetch(`${sandbox.url}/v1/customers`, {
        headers: { authorization: 'Bearer sk_test_sandbox' },
      })
      statuses.push(answer.status)
    },
  })
  const refused = statuses.filter((status) => status === 429).length
  expect(refused).toBeGreaterThan(0)
  expect(tally.hits()).toBe(refused)
  expect(new Set(armedAtOnce)).toEqual(new Set([ARMED]))
  expect(spent).toEqual([])
})
