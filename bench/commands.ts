import { generateApiKey, insertApiKey } from '../src/db/stores/api-keys.ts'
import { newId } from '../src/new-id.ts'
import { asleep, prepare, stripeCustomers, subscribeMany } from './close/subscribers.ts'
import { storeEnded } from './commands/ended.ts'
import { startEmptyWorkflows } from './commands/floor.ts'
import { startStack } from './stack/stack.ts'
import type { Stack } from './stack/stack.ts'
import type { Benchmark, Case, Sample, Side } from './support/benchmark.ts'
import { startBenchChild } from './support/child.ts'
import type { Bench } from './support/environment.ts'
import { benchFolder } from './support/folder.ts'
import { bodyRequest, sendAll } from './support/http-load.ts'

/** Subscriptions that are commanded, each once a turn; as many empty workflows. */
const counts = { tiny: 4, small: 20, full: 50 } as const
/** Subscriptions that there are in all. */
const sizes = { tiny: [8, 80], small: [100, 1000], full: [100, 1000, 10_000] } as const
/** Up to so many sleep, each with its workflow. Of more there are rows: they have ended. */
const ASLEEP_MOST = { tiny: 8, small: 100, full: 1000 } as const
const FLOOR = 'update of an empty workflow'
const DAY_MS = 86_400_000
const json = { 'content-type': 'application/json' }

/** A cancelation at the period's end, and its withdrawal, of each of some sleeping subscriptions. */
export const commands: Benchmark = {
  name: 'commands',
  about:
    'cancel a subscription and take it back, over HTTP with an API key; against an update of an empty workflow, over HTTP too',
  cases: async function* (bench) {
    const { folder, remove } = await benchFolder('commands')
    const stack = await startStack({ folder, apis: 1, workers: 1, temporal: 'server', say: bench.log })
    try {
      yield* commandCases(bench, stack)
    } finally {
      await stack.stop()
      await remove()
    }
  },
}

async function* commandCases(bench: Bench, stack: Stack): AsyncGenerator<Case> {
  const count = counts[bench.size]
  const empty = await startEmptyWorkflows(stack, count)
  const floor = await startBenchChild('update-process.ts', { BENCH_TEMPORAL_ADDRESS: stack.temporal.address })
  const sleepers = await startSleepers(stack, ASLEEP_MOST[bench.size])
  const update = (withActivity: boolean): readonly Buffer[] =>
    empty.ids.map((workflowId) => bodyRequest('/update', json, JSON.stringify({ workflowId, withActivity })))
  const port = Number(new URL(stack.apis[0]?.url ?? '').port)
  try {
    for (const size of sizes[bench.size]) {
      bench.log(`storing subscriptions until there are ${size}`)
      await sleepers.until(size)
      const { cancels, withdrawals } = await sleepers.requests(count)
      for (const connections of [1, 8]) {
        const side = (name: string, target: number, turns: readonly (readonly Buffer[])[]): Side =>
          inTurns({ name, port: target, connections, turns })
        const callers = connections === 1 ? 'one caller' : `${connections} callers`
        yield {
          name: `cancel and take back, ${callers}, of ${size.toLocaleString('en-US')}`,
          unit: 'ms',
          setup: setupOf(bench),
          targets: [{ figure: 'p99', of: FLOOR, bound: 'most', value: 2 }],
          sides: [
            side('ours', port, [cancels, withdrawals]),
            side(FLOOR, floor.port, [update(false), update(false)]),
            side('the same with an empty activity', floor.port, [update(true), update(true)]),
          ],
          point: { curve: `cancel and take back, ${callers}`, counted: 'subscriptions', size },
        }
      }
    }
  } finally {
    await floor.stop()
    await empty.stop()
  }
}

/** What of the subscriptions is there, so that nobody takes ten thousand rows for ten thousand workflows. */
function setupOf({ size }: Bench): string {
  const [most, count] = [ASLEEP_MOST[size], counts[size]].map((one) => one.toLocaleString('en-US'))
  return (
    'Temporal 1.29.1 on PostgreSQL, 512 shards; one worker, one API process; ' +
    `${count} subscriptions are commanded; up to ${most} sleep with a workflow each, more than these are rows of some that have ended ` +
    '(customer, invoice, closing, command, timeline)'
  )
}

interface Sleepers {
  /** Stores more until there are as many. */
  readonly until: (size: number) => Promise<void>
  /** Commands on the first ones. */
  readonly requests: (count: number) => Promise<{
    readonly cancels: readonly Buffer[]
    readonly withdrawals: readonly Buffer[]
  }>
}

/** Their periods end in a day: nothing comes between. */
async function startSleepers(stack: Stack, asleepMost: number): Promise<Sleepers> {
  const { db, sandbox } = stack
  const scenario = await prepare(stack)
  const dueMs = Math.ceil(Date.now() / 1000) * 1000 + DAY_MS
  const key = generateApiKey()
  await insertApiKey(db, { id: newId(), name: 'bench', key, scopes: ['admin'] })
  const headers = { ...json, authorization: `Bearer ${key}` }
  let stored = 0
  return {
    until: async (size) => {
      const awake = Math.max(0, Math.min(size, asleepMost) - stored)
      if (awake > 0) {
        const stripeCustomerIds = await stripeCustomers(sandbox.url, awake)
        await subscribeMany(stack, scenario, { count: awake, dueMs, stripeCustomerIds })
        await asleep(stack, { dueMs, count: stored + awake, reserveMs: 0 })
      }
      if (size > stored + awake) await storeEnded(db, size - stored - awake)
      stored = size
    },
    requests: async (count) => {
      const sleeping = db.selectFrom('subscriptions').select('id').where('lifecycle', '!=', 'ended')
      const rows = await sleeping.orderBy('id').limit(count).execute()
      const commands = (path: string, body: string): readonly Buffer[] =>
        rows.map(({ id }) => bodyRequest(`/api/v1/subscriptions/${id}/${path}`, headers, body))
      return {
        cancels: commands('cancel', '{"timing":"next_billing_cycle"}'),
        withdrawals: commands('unschedule-cancelation', '{}'),
      }
    },
  }
}

interface Turns {
  readonly name: string
  readonly port: number
  readonly connections: number
  /** One after the other: what is withdrawn has to be there. */
  readonly turns: readonly (readonly Buffer[])[]
}

function inTurns({ name, port, connections, turns }: Turns): Side {
  const run = async (): Promise<Sample> => {
    const parts: { readonly p50Ms: number; readonly p99Ms: number }[] = []
    for (const requests of turns) parts.push(await sendAll({ port, connections, requests }))
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length
    return {
      value: mean(parts.map(({ p50Ms }) => p50Ms)),
      p99: Math.max(...parts.map(({ p99Ms }) => p99Ms)),
    }
  }
  return { name, run }
}
