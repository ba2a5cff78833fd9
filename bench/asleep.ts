import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { addCustomers, asleep, inTurn, subscribe } from './close/subscribers.ts'
import { openWorld, worldSetup } from './close/world.ts'
import type { World } from './close/world.ts'
import { cpuMsOfTree } from './stack/cpu.ts'
import { DATABASES } from './stack/temporal-config.ts'
import type { Benchmark, Case, Sample } from './support/benchmark.ts'
import type { Bench } from './support/environment.ts'

const FLOOR = 'an empty workflow that waits on one timer'
/** Put to sleep in each round; the rounds add up. */
const SIZES = { tiny: 50, small: 250, full: 2_500 } as const
const DAY_MS = 86_400_000
/** How long nothing is done, to see what that costs. */
const IDLE_MS = 20_000
/** What the first step of the last one leaves to be written. */
const CALM_MS = 5_000

export const sleepers: Benchmark = {
  name: 'asleep',
  about: 'Subscriptions that wait for the end of their period: bytes, memory, and work while nothing is due',
  cases: async function* (bench: Bench): AsyncGenerator<Case> {
    const { world, stop } = await openWorld(bench)
    try {
      yield sleeping(world, SIZES[bench.size])
    } finally {
      await stop()
    }
  },
}

function sleeping(world: World, size: number): Case {
  let day = 10
  return {
    name: `bytes of Temporal's databases each, ${size.toLocaleString('en-US')} a round`,
    unit: 'bytes',
    setup: worldSetup,
    sides: [
      {
        name: 'ours',
        run: async () => await measured(world, size, async () => await fallAsleep(world, size, (day += 1))),
      },
      {
        name: FLOOR,
        run: async () => await measured(world, size, async () => await startEmpty(world, size)),
      },
    ],
    targets: [{ figure: 'median', of: FLOOR, bound: 'most', value: 1.2 }],
    point: { curve: 'asleep', counted: 'subscriptions asleep', size },
  }
}

/** Subscriptions whose period ends on a day of their own. */
async function fallAsleep(world: World, size: number, day: number): Promise<void> {
  const { stack, setup } = world
  const dueMs = Math.floor(Date.now() / DAY_MS + day) * DAY_MS
  const customers = await addCustomers(world, size)
  await inTurn(size, async (index) => await subscribe(setup.call, customers[index]?.id ?? '', dueMs))
  await asleep(stack, { dueMs, count: size, reserveMs: 0 })
}

async function startEmpty({ floor }: World, size: number): Promise<void> {
  const dueMs = Date.now() + 10 * DAY_MS
  await inTurn(size, async () => await floor.start({ dueMs, customer: '' }))
}

async function measured(world: World, size: number, putToSleep: () => Promise<void>): Promise<Sample> {
  const before = await bytesOf(world)
  await putToSleep()
  await delay(CALM_MS)
  const after = await bytesOf(world)
  const idle = await idleFor(world)
  const each = (name: keyof Bytes): number => (after[name] - before[name]) / size
  return {
    value: each('temporal') + each('visibility'),
    more: {
      'bytes each: Temporal': each('temporal'),
      'bytes each: visibility': each('visibility'),
      'bytes each: Perennial': each('perennial'),
      ...idle,
      'worker MiB': (await residentBytes(world.stack.workers[0]?.pid() ?? 0)) / 2 ** 20,
    },
  }
}

interface Bytes {
  readonly temporal: number
  readonly visibility: number
  readonly perennial: number
}

async function bytesOf({ stack }: World): Promise<Bytes> {
  const sizes = await query(
    stack.databaseUrl,
    'SELECT datname AS name, pg_database_size(oid) AS value FROM pg_database',
  )
  const of = (name: string): number => sizes.get(name) ?? 0
  return { temporal: of(DATABASES.main), visibility: of(DATABASES.visibility), perennial: of('perennial') }
}

/** What is spent, and written to histories, while every workflow sleeps: these are of the whole server. */
async function idleFor({ stack }: World): Promise<Readonly<Record<string, number>>> {
  const pids = {
    Temporal: stack.temporal.pid(),
    PostgreSQL: stack.postgresPid,
    worker: stack.workers[0]?.pid() ?? 0,
  }
  const cpu = async (): Promise<readonly number[]> => await Promise.all(Object.values(pids).map(cpuMsOfTree))
  const before = { cpu: await cpu(), nodes: await historyNodes(stack.databaseUrl) }
  await delay(IDLE_MS)
  const after = { cpu: await cpu(), nodes: await historyNodes(stack.databaseUrl) }
  const seconds = IDLE_MS / 1000
  const spent = Object.keys(pids).map((name, index) => [
    `idle CPU-ms/s: ${name}`,
    ((after.cpu[index] ?? 0) - (before.cpu[index] ?? 0)) / seconds,
  ])
  return { ...Object.fromEntries(spent), 'history writes while idle': after.nodes - before.nodes }
}

async function historyNodes(databaseUrl: string): Promise<number> {
  const url = new URL(databaseUrl)
  url.pathname = `/${DATABASES.main}`
  const counts = await query(url.href, "SELECT 'nodes' AS name, count(*) AS value FROM history_node")
  return counts.get('nodes') ?? 0
}

async function query(url: string, text: string): Promise<ReadonlyMap<string, number>> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string; value: string }>(text)
    return new Map(rows.map(({ name, value }) => [name, Number(value)]))
  } finally {
    await client.end()
  }
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}
