import { asleep, prepare, stripeCustomers, subscribeMany } from './close/subscribers.ts'
import { startEmptyWorkflows } from './commands/floor.ts'
import { startStack } from './stack/stack.ts'
import type { Stack } from './stack/stack.ts'
import type { Benchmark, Case, Sample, Side } from './support/benchmark.ts'
import { startBenchChild } from './support/child.ts'
import type { Bench } from './support/environment.ts'
import { benchFolder } from './support/folder.ts'
import { bodyRequest, sendAll } from './support/http-load.ts'

const counts = { tiny: 4, small: 20, full: 50 } as const
const FLOOR = 'update of an empty workflow'
const DAY_MS = 86_400_000
const json = { 'content-type': 'application/json' }

/** A cancelation at the period's end, and its withdrawal, of each of some sleeping subscriptions. */
export const commands: Benchmark = {
  name: 'commands',
  about:
    'cancel a subscription and take it back, over HTTP; against an update of an empty workflow, over HTTP too',
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
  const subscriptionIds = await sleepingSubscriptions(stack, count)
  const empty = await startEmptyWorkflows(stack, count)
  const floor = await startBenchChild('update-process.ts', { BENCH_TEMPORAL_ADDRESS: stack.temporal.address })
  const update = (withActivity: boolean): readonly Buffer[] =>
    empty.ids.map((workflowId) => bodyRequest('/update', json, JSON.stringify({ workflowId, withActivity })))
  const command = (path: string, body: string): readonly Buffer[] =>
    subscriptionIds.map((id) => bodyRequest(`/api/v1/subscriptions/${id}/${path}`, json, body))
  const cancels = command('cancel', '{"timing":"next_billing_cycle"}')
  const withdrawals = command('unschedule-cancelation', '{}')
  const port = Number(new URL(stack.apis[0]?.url ?? '').port)
  try {
    for (const connections of [1, 8]) {
      const side = (name: string, target: number, turns: readonly (readonly Buffer[])[]): Side =>
        inTurns({ name, port: target, connections, turns })
      yield {
        name: `cancel and take back, ${connections === 1 ? 'one caller' : `${connections} callers`}`,
        unit: 'ms',
        setup: 'Temporal 1.29.1 on PostgreSQL, 512 shards; one worker, one API process',
        targets: [{ figure: 'p99', of: FLOOR, bound: 'most', value: 2 }],
        sides: [
          side('ours', port, [cancels, withdrawals]),
          side(FLOOR, floor.port, [update(false), update(false)]),
          side('the same with an empty activity', floor.port, [update(true), update(true)]),
        ],
      }
    }
  } finally {
    await floor.stop()
    await empty.stop()
  }
}

/** Their periods end in a day: nothing comes between. */
async function sleepingSubscriptions(stack: Stack, count: number): Promise<readonly string[]> {
  const scenario = await prepare(stack)
  const dueMs = Math.ceil(Date.now() / 1000) * 1000 + DAY_MS
  const stripeCustomerIds = await stripeCustomers(stack.sandbox.url, count)
  await subscribeMany(stack, scenario, { count, dueMs, stripeCustomerIds })
  await asleep(stack, { dueMs, count, reserveMs: 0 })
  const rows = await stack.db.selectFrom('subscriptions').select('id').execute()
  return rows.map(({ id }) => id)
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
