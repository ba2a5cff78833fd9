import { expect } from 'vitest'
import { accountOf, expectedAccount } from './account.ts'
import { cycles } from './cycles.ts'
import type { KillPoint } from './kill-points.ts'
import type { Lane } from './lane.ts'

/** Every kill of this file and whether the cycle was under way when the worker died. */
export interface Kill {
  readonly point: string
  readonly wasInFlight: boolean
}

/** Runs a cycle, kills the worker at the point, and checks that everything happened exactly once. */
export async function surviveKill(lane: Lane, point: KillPoint): Promise<Kill> {
  const cycle = cycles[point.cycle]
  const billed = await cycle.prepare(lane)
  const { died } = await lane.worker.arm(point.name)
  let isOver = false
  const wasInFlight = died.then(() => !isOver)
  wasInFlight.catch(() => {})
  await cycle.run(lane, billed)
  isOver = true
  await expect(within(wasInFlight, point.name)).resolves.toBeTypeOf('boolean')
  const account = await accountOf(lane, billed)
  const stored = cycle.tokens === '0' ? 0 : 2
  expect(account).toEqual(expectedAccount(cycle.invoices, { stored, tokens: cycle.tokens }))
  return { point: point.name, wasInFlight: await wasInFlight }
}

/** A cycle that is over has passed its kill point: the worker dies at once or never does. */
async function within<T>(promise: Promise<T>, point: string): Promise<T> {
  return await Promise.race([
    promise,
    new Promise<T>((_resolve, reject) =>
      setTimeout(() => reject(new Error(`no cycle came by ${point}`)), 15_000).unref(),
    ),
  ])
}
