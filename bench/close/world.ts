import { sandboxService } from '../stack/sandbox-service.ts'
import type { Service } from '../stack/service.ts'
import { startStack } from '../stack/stack.ts'
import type { Stack } from '../stack/stack.ts'
import type { Bench } from '../support/environment.ts'
import { benchFolder } from '../support/folder.ts'
import { startFloor } from './floor.ts'
import type { Floor } from './floor.ts'
import { prepare } from './subscribers.ts'
import type { BilledScenario } from './subscribers.ts'

/** The product on Temporal's server, with a plan to subscribe to, and the floor's worker beside it. */
export interface World {
  readonly stack: Stack
  readonly scenario: BilledScenario
  readonly floor: Floor
  /** Where the floor bills: an account without webhooks, whose invoices are no work to us. */
  readonly floorSandbox: Service & { readonly url: string }
  readonly say: (line: string) => void
}

export const worldSetup = 'Temporal 1.29.1 on PostgreSQL, 512 shards; one worker, one API process'

/** Starts it; `stop` stops and removes all of it. */
export async function openWorld(
  bench: Bench,
  workerEnv: Readonly<Record<string, string>> = {},
): Promise<{ world: World; stop: () => Promise<void> }> {
  const { folder, remove } = await benchFolder('world')
  const stack = await startStack({
    folder,
    apis: 1,
    workers: 1,
    temporal: 'server',
    workerEnv,
    say: bench.log,
  })
  const floorSandbox = await sandboxService('floor-sandbox', folder)
  await floorSandbox.start()
  const floor = await startFloor(stack, floorSandbox.url)
  const stop = async (): Promise<void> => {
    await floor.stop()
    await floorSandbox.stop()
    await stack.stop()
    await remove()
  }
  return { world: { stack, scenario: await prepare(stack), floor, floorSandbox, say: bench.log }, stop }
}
