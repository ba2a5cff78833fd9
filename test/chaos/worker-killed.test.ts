import { afterAll, beforeAll, expect, test } from 'vitest'
import { activityPoints, commitPoints, outsideOfCycles, stripeCalls, stripePoints } from './kill-points.ts'
import { surviveKill } from './killed-worker.ts'
import type { Kill } from './killed-worker.ts'
import { createLanes } from './lane.ts'

const LIMIT_MS = 200_000
const lanes = createLanes()
const kills: Kill[] = []
const points = [...activityPoints, ...stripePoints, ...commitPoints]

beforeAll(async () => {
  await lanes.open()
})
afterAll(async () => {
  const hits = kills.filter(({ wasInFlight }) => wasInFlight).length
  process.stdout.write(`The worker was killed ${kills.length} times; ${hits} of them hit work in flight.\n`)
  process.stdout.write(`Stripe calls that no cycle makes, so not killed at: ${outsideOfCycles.join(', ')}.\n`)
  await lanes.close()
})

test.concurrent.for(points.map((point) => [point.name, point] as const))(
  'rules 29 and 31: the worker is killed at %s, and everything happens once',
  { timeout: LIMIT_MS },
  async ([, point]) => {
    kills.push(await lanes.use(async (lane) => await surviveKill(lane, point)))
  },
)

test('every Stripe call is killed at, or named as one that no cycle makes', () => {
  const killedAt = new Set(stripePoints.map(({ name }) => name.split(':')[1]))
  expect(new Set([...killedAt, ...outsideOfCycles])).toEqual(new Set(stripeCalls))
  expect(killedAt.size + outsideOfCycles.length).toBe(stripeCalls.length)
})
