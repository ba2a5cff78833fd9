import { Client } from 'pg'
import { startApi } from '../support/api.ts'
import type { RunningApi } from '../support/api.ts'
import type { Benchmark, Case } from '../support/benchmark.ts'
import { undoneAtLast } from '../support/early-end.ts'
import type { Bench } from '../support/environment.ts'
import { benchFolder } from '../support/folder.ts'
import { killBillClient } from './client.ts'
import type { KillBill, KillBillSubscriber } from './client.ts'
import { closeCases } from './close-case.ts'
import type { Downloads } from './download.ts'
import { versions } from './download.ts'
import { ingestCases } from './ingest-cases.ts'
import { previewCase } from './preview-case.ts'
import { startKillBill } from './server.ts'

/** Both, running. */
export interface Sides {
  readonly bench: Bench
  readonly setup: string
  readonly api: RunningApi
  readonly killBill: KillBill & { readonly port: number; readonly pid: number }
  /** Its tables: what it has done is counted there. */
  readonly killBillDb: Client
  readonly subscribers: readonly KillBillSubscriber[]
}

/** As many as the benchmark `close` has of each size. */
const subscriberCounts = { tiny: 20, small: 100, full: 1000 } as const
/** The name of the other side in every case. */
export const THEM = 'Kill Bill'
const STARTS_AT = '2025-01-01T00:00:00.000Z'

/** The same work for the product and for Kill Bill, in turn. */
export function comparison(downloads: Downloads): Benchmark {
  return {
    name: 'kill-bill',
    about: 'previews, a close, usage, one by one and by the hundred: ours and Kill Bill in turn',
    cases: (bench) => cases(bench, downloads),
  }
}

async function* cases(bench: Bench, downloads: Downloads): AsyncGenerator<Case> {
  const { folder, remove } = await benchFolder('kill-bill')
  const databaseUrl = new URL(bench.url)
  databaseUrl.pathname += '_kill_bill'
  const database = databaseUrl.pathname.slice(1)
  await bench.pool.query(`CREATE DATABASE ${database}`)
  const drop = undoneAtLast(async () => {
    await bench.pool.query(`DROP DATABASE IF EXISTS ${database} WITH (FORCE)`)
  })
  const killBillDb = new Client({ connectionString: databaseUrl.href })
  const server = await startKillBill({ downloads, folder, databaseUrl })
  const api = await startApi(bench, 'admin')
  try {
    await killBillDb.connect()
    const killBill = { ...killBillClient(server.port), port: server.port, pid: server.pid }
    await killBill.setUp(STARTS_AT)
    const count = subscriberCounts[bench.size]
    bench.log(`subscribing ${count} to Kill Bill`)
    const subscribers = await subscribe(killBill, count)
    const setup = `${THEM} ${versions.killBill} in Tomcat ${versions.tomcat}, its queues claim 100 in 10 threads, credentials hashed once`
    const sides = { bench, setup, api, killBill, killBillDb, subscribers }
    yield await previewCase(sides)
    yield* closeCases(sides)
    yield* ingestCases(sides)
  } finally {
    await api.stop()
    await killBillDb.end()
    await server.stop()
    await drop()
    await remove()
  }
}

const CALLERS = 4

async function subscribe(killBill: KillBill, count: number): Promise<readonly KillBillSubscriber[]> {
  const subscribers: KillBillSubscriber[] = []
  const callers = Array.from({ length: CALLERS }, async (_unused, caller) => {
    for (let n = caller; n < count; n += CALLERS) subscribers.push(await killBill.subscribe())
  })
  await Promise.all(callers)
  return subscribers
}
