import { rollUpFinished } from '../src/db/stores/usage-roller.ts'
import { startApi } from './support/api.ts'
import type { RunningApi } from './support/api.ts'
import { INVOICES_EACH, seededId, seedShop, subscriptionsWithUsage } from './support/billing-rows.ts'
import type { Benchmark, Case, Sample, Side } from './support/benchmark.ts'
import { startBenchChild } from './support/child.ts'
import type { BenchChild } from './support/child.ts'
import { cpuMeter } from './support/cpu.ts'
import type { Bench } from './support/environment.ts'
import { getRequest, sendAll } from './support/http-load.ts'

const sizes = { tiny: [200], small: [1000, 10_000], full: [1000, 10_000, 100_000] } as const
/** Of the calls of a round that is published. */
const share = { tiny: 0.02, small: 0.25, full: 1 } as const
/** Enough for the p99 of a round to be more than the calls it begins with; a page of many invoices takes long. */
const calls = { ofOne: 2000, short: 1000, page: 200 } as const
const FLOOR = 'Fastify and bare SQL'
const CONNECTIONS = 4

interface Read {
  readonly name: string
  /** Paths of ours and of the floor for the nth call: not the same row again and again. */
  readonly ours: (n: number) => string
  readonly floor: (n: number) => string
  /** In a round. */
  readonly calls: number
}

/** What people and programs read all day, as an installation grows. */
export const api: Benchmark = {
  name: 'api',
  about: 'lists, one subscription, the upcoming invoice, with an API key; against Fastify and bare SQL',
  cases: async function* (bench) {
    for (const invoices of sizes[bench.size]) {
      bench.log(`seeding ${invoices} invoices`)
      await seedShop(bench.pool, invoices)
      // As workers keep it.
      while (await rollUpFinished(bench.db));
      await bench.pool.query('VACUUM ANALYZE usage_rollups, usage_series')
      const ours = await startApi(bench, 'read')
      const floor = await startBenchChild('floor-process.ts', { BENCH_DATABASE_URL: bench.url })
      try {
        for (const read of reads(invoices)) yield readCase(bench, { read, ours, floor, invoices })
      } finally {
        await ours.stop()
        await floor.stop()
      }
    }
  },
}

function reads(invoices: number): readonly Read[] {
  const customers = invoices / INVOICES_EACH
  const spread = (n: number, count: number): number => (n * 7919) % count
  const withUsage = subscriptionsWithUsage(invoices)
  const open = (n: number): string => withUsage[n % withUsage.length] ?? ''
  const lastPage = Math.max(1, Math.floor(invoices / 100) - 1)
  const list = '/api/v1/billing/invoices'
  return [
    { name: 'invoices, first page', ours: () => list, floor: () => '/invoices', calls: calls.page },
    {
      name: 'invoices, last page',
      ours: () => `${list}?page=${lastPage}`,
      floor: () => `/invoices?offset=${(lastPage - 1) * 100}`,
      calls: calls.page,
    },
    {
      name: 'invoices, newest first',
      ours: () => `${list}?order=DESC`,
      floor: () => '/invoices?order=desc',
      calls: calls.page,
    },
    {
      name: 'invoices, one status',
      ours: () => `${list}?statuses=issued`,
      floor: () => '/invoices?status=issued',
      calls: calls.page,
    },
    {
      name: 'invoices, one customer',
      ours: (n) => `${list}?customers=${seededId('C', spread(n, customers))}`,
      floor: (n) => `/invoices?customer=${seededId('C', spread(n, customers))}`,
      calls: calls.short,
    },
    {
      name: 'customers, first page',
      ours: () => '/api/v1/customers',
      floor: () => '/customers',
      calls: calls.short,
    },
    {
      name: 'subscription by id',
      ours: (n) => `/api/v1/subscriptions/${seededId('S', spread(n, customers))}`,
      floor: (n) => `/subscriptions/${seededId('S', spread(n, customers))}`,
      calls: calls.ofOne,
    },
    {
      name: 'upcoming invoice',
      ours: (n) => `/api/v1/subscriptions/${open(n)}/upcoming-invoice`,
      floor: (n) => `/subscriptions/${open(n)}/upcoming`,
      calls: calls.ofOne,
    },
  ]
}

interface ReadCase {
  readonly read: Read
  readonly ours: RunningApi
  readonly floor: BenchChild
  readonly invoices: number
}

function readCase(bench: Bench, { read, ours, floor, invoices }: ReadCase): Case {
  const count = Math.ceil(read.calls * share[bench.size])
  const asked = (path: (n: number) => string, key: string): readonly Buffer[] =>
    Array.from({ length: count }, (_unused, n) => getRequest(path(n), key))
  return {
    name: `${read.name}, of ${invoices.toLocaleString('en-US')}`,
    unit: 'ms',
    setup: `${CONNECTIONS} connections`,
    targets: [{ figure: 'p99', of: FLOOR, bound: 'most', value: 2 }],
    point: { curve: read.name, counted: 'invoices', size: invoices },
    sides: [
      timed(bench, { name: 'ours', child: ours, requests: asked(read.ours, ours.key) }),
      timed(bench, { name: FLOOR, child: floor, requests: asked(read.floor, 'none') }),
    ],
  }
}

interface Timed {
  readonly name: string
  readonly child: BenchChild
  readonly requests: readonly Buffer[]
}

function timed(bench: Bench, { name, child, requests }: Timed): Side {
  const run = async (): Promise<Sample> => {
    const cpu = await cpuMeter(bench, [child.pid])
    const { p50Ms, p99Ms } = await sendAll({ port: child.port, connections: CONNECTIONS, requests })
    return { value: p50Ms, p99: p99Ms, ...(await cpu(requests.length)) }
  }
  return { name, run }
}
