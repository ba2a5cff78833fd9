import { randomUUID } from 'node:crypto'
import type { Walker } from '../test/support/billing-paths.ts'
import { aliveForADay } from '../test/support/asked-of-stripe.ts'
import { caller } from '../test/support/caller.ts'
import { addTokenPlan, startScenario } from '../test/support/scenario.ts'
import { counted, counts } from './budget/counted.ts'
import { addUsagePlan, paths } from './budget/paths.ts'
import type { Path } from './budget/paths.ts'
import { worldSetup } from './close/world.ts'
import { startStack } from './stack/stack.ts'
import type { Stack } from './stack/stack.ts'
import type { Benchmark, Case } from './support/benchmark.ts'
import { benchFolder } from './support/folder.ts'

/** Counts, no times: as true on a busy machine as on a quiet one. */
export const budget: Benchmark = {
  name: 'budget',
  about:
    'What each way through billing costs at Temporal and at Stripe: tasks, activities, events, requests, events of Stripe that are kept',
  cases: async function* ({ log }) {
    const { folder, remove } = await benchFolder('budget')
    const stack = await startStack({ folder, apis: 1, workers: 1, temporal: 'server', say: log })
    try {
      const walker = await walkerOf(stack)
      for (const path of paths) yield walked(walker, path)
    } finally {
      await stack.stop()
      await remove()
    }
  },
}

async function walkerOf({ apis, client, db, sandbox }: Stack): Promise<Walker> {
  const call = caller(apis[0]?.url ?? '')
  const installation = { call, client, sandboxUrl: sandbox.url, database: { db } }
  const walker = { installation, scenario: await startScenario(installation) }
  await addTokenPlan(installation)
  await addUsagePlan(walker)
  await aliveForADay(db)
  return walker
}

function walked(walker: Walker, { name, targets, walk }: Path): Case {
  return {
    name,
    unit: 'events of history',
    setup: worldSetup,
    ...(targets && { targets }),
    shown: counts,
    warmsUp: false,
    sides: [
      {
        name: 'ours',
        run: async () => await counted(walker, async () => await walk(walker, `budget-${randomUUID()}`)),
      },
    ],
  }
}
