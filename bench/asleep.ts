import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { asleep, inTurn, subscribeMany } from './close/subscribers.ts'
import { openWorld, worldSetup } from './close/world.ts'
import type { World } from './close/world.ts'
import { cpuMsOfTree } from './stack/cpu.ts'
import type { Stack } from './stack/stack.ts'
import { DATABASES } from './stack/temporal-config.ts'
import type { Benchmark, Case, Sample } from './support/benchmark.ts'
import type { Bench } from './support/environment.ts'

const FLOOR = 'an empty workflow that waits on one timer'
const SIZES = { tiny: [20, 50], small: [100, 1000], full: [100, 1000, 10_000] } as const
const DAY_MS = 86_400_000
const WRITES = 'history writes while idle'
const MEMORY = 'worker MiB held'
const PARTS = ['Temporal', 'PostgreSQL', 'worker'] as const
/** How long nothing is done, to see what that costs. */
const IDLE_MS = 20_000
/** So long nothing is written to histories before everything is taken to be asleep. */
const CALM_MS = 5_000
const COLLECTED_WITHIN_MS = 3_000

export const sleepers: Benchmark = {
  name: 'asleep',
  about: 'Subscriptions that wait for the end of their period: bytes, memory, and work while nothing is due',
  cases: async function* (bench: Bench): AsyncGenerator<Case> {
    const { world, stop } = await openWorld(bench)
    try {
      for (const size of SIZES[bench.size]) yield sleeping(world, size)
    } finally {
      await stop()
    }
  },
}

function sleeping(world: World, size: number): Case {
  return {
    name: `${size.toLocaleString('en-US')} more asleep: bytes each`,
    unit: 'bytes',
    setup: worldSetup,
    // Bytes are counted: that once is enough.
    warmsUp: false,
    roundsMost: 1,
    shown: [
      'bytes each: Temporal',
      'bytes each: visibility',
      'bytes each: Perennial',
      MEMORY,
      WRITES,
      ...PARTS.map((part) => `idle CPU-ms/s: ${part}`),
    ],
    sides: [
      {
        name: 'ours',
        run: async () => {
          const sample = await measured(world, size, async () => await fallAsleep(world, size))
          return { ...sample, more: { ...sample.more, [MEMORY]: (await heldBytes(world)) / 2 ** 20 } }
        },
      },
      {
        name: FLOOR,
        run: async () => await measured(world, size, async () => await startEmpty(world, size)),
      },
    ],
    targets: [
      { figure: 'median', of: FLOOR, bound: 'most', value: 1.2 },
      { figure: WRITES, bound: 'most', value: 0 },
    ],
    point: { curve: 'asleep', counted: 'subscriptions put to sleep', size },
  }
}

/** Subscriptions whose period ends in ten days, at an instant of their own. */
async function fallAsleep({ stack, scenario }: World, count: number): Promise<void> {
  const dueMs = Math.floor(Date.now() / 1000) * 1000 + 10 * DAY_MS
  await subscribeMany(stack, scenario, { count, dueMs })
  await asleep(stack, { dueMs, count, reserveMs: 0 })
}

async function startEmpty({ floor }: World, size: number): Promise<void> {
  const dueMs = Date.now() + 10 * DAY_MS
  await inTurn(size, async () => await floor.start({ dueMs, customer: '' }))
}

async function measured(world: World, size: number, putToSleep: () => Promise<void>): Promise<Sample> {
  const before = await bytesOf(world)
  await putToSleep()
  await calm(world)
  const after = await bytesOf(world)
  const idle = await idleFor(world)
  const each = (name: keyof Bytes): number => (after[name] - before[name]) / size
  return {
    value: each('temporal') + each('visibility') + each('perennial'),
    more: {
      'bytes each: Temporal': each('temporal'),
      'bytes each: visibility': each('visibility'),
      'bytes each: Perennial': each('perennial'),
      ...idle,
    },
  }
}

/** A workflow that was started has its first task still to come. */
async function calm({ stack }: World): Promise<void> {
  for (let before = -1, nodes = 0; nodes !== before; nodes = await historyNodes(stack)) {
    before = nodes
    await delay(CALM_MS)
  }
}

interface Bytes {
  readonly temporal: number
  readonly visibility: number
  readonly perennial: number
}

/** As a server that vacuums leaves it: what was only passed through is no longer there. */
async function bytesOf({ stack }: World): Promise<Bytes> {
  for (const database of [DATABASES.main, DATABASES.visibility, 'perennial'])
    await query(urlOf(stack, database), 'VACUUM')
  const sizes = await query(
    stack.databaseUrl,
    'SELECT datname AS name, pg_database_size(oid) AS value FROM pg_database',
  )
  const of = (name: string): number => sizes.get(name) ?? 0
  return { temporal: of(DATABASES.main), visibility: of(DATABASES.visibility), perennial: of('perennial') }
}

/** What is spent, and written to histories, while every workflow sleeps: these are of the whole server. */
async function idleFor({ stack }: World): Promise<Readonly<Record<string, number>>> {
  const pids: Readonly<Record<(typeof PARTS)[number], number>> = {
    Temporal: stack.temporal.pid(),
    PostgreSQL: stack.postgresPid,
    worker: stack.workers[0]?.pid() ?? 0,
  }
  const cpu = async (): Promise<readonly number[]> =>
    await Promise.all(PARTS.map(async (part) => await cpuMsOfTree(pids[part])))
  const before = { cpu: await cpu(), nodes: await historyNodes(stack) }
  await delay(IDLE_MS)
  const after = { cpu: await cpu(), nodes: await historyNodes(stack) }
  const seconds = IDLE_MS / 1000
  const spent = PARTS.map((name, index) => [
    `idle CPU-ms/s: ${name}`,
    ((after.cpu[index] ?? 0) - (before.cpu[index] ?? 0)) / seconds,
  ])
  return { ...Object.fromEntries(spent), [WRITES]: after.nodes - before.nodes }
}

async function historyNodes(stack: Stack): Promise<number> {
  const counts = await query(
    urlOf(stack, DATABASES.main),
    "SELECT 'nodes' AS name, count(*) AS value FROM history_node",
  )
  return counts.get('nodes') ?? 0
}

function urlOf({ databaseUrl }: Stack, database: string): string {
  const url = new URL(databaseUrl)
  url.pathname = `/${database}`
  return url.href
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

/** What the worker keeps in memory once everything that nobody holds was collected (stack/collect-garbage.mjs). */
async function heldBytes({ stack }: World): Promise<number> {
  const pid = stack.workers[0]?.pid() ?? 0
  process.kill(pid, 'SIGUSR2')
  await delay(COLLECTED_WITHIN_MS)
  return await residentBytes(pid)
}

async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024
}
