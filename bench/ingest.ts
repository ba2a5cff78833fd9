import type { PoolClient } from 'pg'
import { ulid } from 'ulid'
import { insertMeter } from '../src/db/stores/meters.ts'
import { rollUpFinished } from '../src/db/stores/usage-roller.ts'
import { startUsageRollups } from '../src/relay/usage-rollups.ts'
import type { Benchmark, Case, Sample, Side, Target } from './support/benchmark.ts'
import { copyIn } from './support/copy.ts'
import { logMeter, WAL_EACH } from './ingest/log-meter.ts'
import { fillTo, sampleStored } from './ingest/stored-events.ts'
import { startApi } from './support/api.ts'
import type { RunningApi } from './support/api.ts'
import type { Bench } from './support/environment.ts'
import { chunks, makeEvents } from './support/events.ts'
import type { BenchEvent, EventShape } from './support/events.ts'
import { postRequest, sendAll } from './support/http-load.ts'
import { cpuMeter } from './support/cpu.ts'

/** A stream: customers whose events of the last minutes arrive. */
const stream: EventShape = { subjects: 100, spreadMs: 5 * 60_000 }
/** The worst case for rollups: hardly two events of a customer in one bucket. */
const sparse: EventShape = { subjects: 10_000, spreadMs: 30 * 86_400_000 }

const sizes = [
  { batch: 1, events: 3000, connections: 64 },
  { batch: 10, events: 10_000, connections: 16 },
  { batch: 100, events: 100_000, connections: 8 },
  { batch: 1000, events: 80_000, connections: 4 },
] as const
type Size = Readonly<Record<keyof (typeof sizes)[number], number>>
const [, , batch100] = sizes
/** Among the fewest that are stored they are a multiple of those by the last round, among the most they are hardly seen. */
const added: Size = { ...batch100, events: 20_000 }
/** Duplicates add nothing: enough of them that a round takes a second. */
const REPEATED = 100_000

const storedCounts = {
  tiny: [10_000, 20_000],
  small: [100_000, 1_000_000],
  full: [100_000, 1_000_000, 10_000_000],
} as const

export const ingest: Benchmark = {
  name: 'ingest',
  about: 'new events over HTTP with an API key, against the same rows by unnest and by COPY',
  cases: (bench) =>
    withApi(bench, async function* (api) {
      for (const size of sizes)
        yield freshCase(bench, api, { name: `batch ${size.batch}`, size, shape: stream })
      yield freshCase(bench, api, { name: 'batch 100, sparse', size: batch100, shape: sparse })
      yield* storedCases(bench, api)
    }),
}

export const duplicates: Benchmark = {
  name: 'duplicates',
  about: 'events that are all there already, over HTTP, against the unnest insert that finds the same',
  cases: (bench) =>
    withApi(bench, async function* (api) {
      for (const size of sizes) yield await duplicateCase(bench, api, size)
    }),
}

/** Whether it matters how many there are already. */
async function* storedCases(bench: Bench, api: RunningApi): AsyncGenerator<Case> {
  await bench.pool.query('TRUNCATE events, event_identities, usage_rollups')
  for (const stored of storedCounts[bench.size]) {
    await fillTo(bench, stored)
    const among = `batch 100, among ${stored.toLocaleString('en-US')}`
    const point = { counted: 'events that are stored', size: stored }
    const fresh = { bench, size: added, events: () => makeEvents(added.events, stream) }
    yield {
      name: among,
      unit: 'events/s',
      point: { ...point, curve: 'new events' },
      shown: [WAL_EACH],
      sides: [overHttp({ ...fresh, api }), byInsert(fresh)],
    }
    const events = await sampleStored(bench, REPEATED)
    const same = { bench, size: { ...batch100, events: events.length }, events: () => events }
    yield {
      name: `${among}, all of them duplicates`,
      unit: 'events/s',
      point: { ...point, curve: 'duplicates' },
      sides: [overHttp({ ...same, api }), byInsert(same)],
    }
  }
}

async function* withApi(
  bench: Bench,
  cases: (api: RunningApi) => AsyncGenerator<Case>,
): AsyncGenerator<Case> {
  await truncate(bench)
  await addMeter(bench)
  const api = await startApi(bench)
  try {
    yield* cases(api)
  } finally {
    await api.stop()
  }
}

async function truncate({ pool }: Bench): Promise<void> {
  await pool.query('TRUNCATE events, event_identities, usage_rollups, usage_series')
  await pool.query('DELETE FROM meters')
}

async function addMeter({ db }: Bench): Promise<void> {
  const meter = {
    id: ulid(),
    key: 'tokens',
    name: null,
    description: null,
    metadata: null,
    eventType: 'inference',
    eventFrom: null,
    aggregation: 'SUM' as const,
    valueProperty: '$.tokens',
    groupBy: { model: '$.model' },
  }
  await insertMeter(db, meter, new Date())
}

interface FreshCase {
  readonly name: string
  readonly size: Size
  readonly shape: EventShape
}

function freshCase(bench: Bench, api: RunningApi, { name, size, shape }: FreshCase): Case {
  const fresh = (): readonly BenchEvent[] => makeEvents(size.events, shape)
  return {
    name,
    unit: 'events/s',
    targets: targetsOf(size),
    sides: [
      overHttp({ bench, api, size, events: fresh }),
      byInsert({ bench, size, events: fresh }),
      byCopy(bench, size, fresh),
    ],
  }
}

function targetsOf({ batch }: Size): readonly Target[] {
  if (batch === 1) return [{ figure: 'median', bound: 'least', value: 2000 }]
  if (batch !== 100) return []
  return [
    { figure: 'median', bound: 'least', value: 20_000 },
    { figure: 'median', of: 'unnest insert', bound: 'least', value: 0.5 },
  ]
}

async function duplicateCase(bench: Bench, api: RunningApi, size: Size): Promise<Case> {
  const events = makeEvents(size.events, stream)
  await byInsert({ bench, size: sizes[3], events: () => events }).run()
  const same = (): readonly BenchEvent[] => events
  return {
    name: `batch ${size.batch}`,
    unit: 'events/s',
    targets: [{ figure: 'median', of: 'new events over HTTP', bound: 'least', value: 1 }],
    sides: [
      overHttp({ bench, api, size, events: same }),
      byInsert({ bench, size, events: same }),
      overHttp({
        bench,
        api,
        size,
        events: () => makeEvents(size.events, stream),
        name: 'new events over HTTP',
      }),
    ],
  }
}

interface Sending {
  readonly bench: Bench
  readonly size: Size
  readonly events: () => readonly BenchEvent[]
}

function overHttp({ bench, api, size, events, name }: Sending & { api: RunningApi; name?: string }): Side {
  const run = async (): Promise<Sample> => {
    const requests = chunks(events(), size.batch).map((batch) =>
      postRequest('/api/v1/events', api.key, JSON.stringify(batch)),
    )
    // What others have stored is not rolled up at our expense, nor what we store at theirs.
    while (await rollUpFinished(bench.db));
    const cpu = await cpuMeter(bench, [api.pid])
    const log = await logMeter(bench)
    const rollups = startUsageRollups({ db: bench.db, log: console })
    const { seconds, p99Ms } = await sendAll({ port: api.port, connections: size.connections, requests })
    await rollups.stop()
    while (await rollUpFinished(bench.db));
    return {
      value: size.events / seconds,
      p99: p99Ms,
      ...(await cpu(size.events)),
      ...(await log(size.events)),
    }
  }
  return { name: name ?? 'ours, over HTTP', run }
}

const insertStatement = `
  WITH given AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[])
      AS t (source, id, type, subject, time, data)
  ), fresh AS (
    INSERT INTO event_identities (source, id) SELECT source, id FROM given ORDER BY source, id
    ON CONFLICT DO NOTHING RETURNING source, id
  )
  INSERT INTO events (source, id, type, subject, time, data, ingested_at)
  SELECT source, id, type, subject, time, data::jsonb, now() FROM given JOIN fresh USING (source, id)`

/** The floor: the same rows into the same tables, deduplicated, prepared, on as many connections, without HTTP. */
function byInsert({ bench, size, events }: Sending): Side {
  const run = async (): Promise<Sample> => {
    const batches = chunks(events(), size.batch).map((batch) => [
      batch.map(({ source }) => source),
      batch.map(({ id }) => id),
      batch.map(({ type }) => type),
      batch.map(({ subject }) => subject),
      batch.map(({ time }) => time),
      batch.map(({ data }) => JSON.stringify(data)),
    ])
    return await onConnections(bench, size, async (client, take) => {
      for (let values = batches[take()]; values !== undefined; values = batches[take()])
        await client.query({ name: 'bench_insert', text: insertStatement, values })
    })
  }
  return { name: 'unnest insert', run }
}

type Worker = (client: PoolClient, take: () => number) => Promise<void>

async function onConnections(bench: Bench, size: Size, work: Worker): Promise<Sample> {
  const count = Math.min(size.connections, 10)
  const clients = await Promise.all(Array.from({ length: count }, async () => await bench.pool.connect()))
  let next = 0
  const cpu = await cpuMeter(bench, [])
  const log = await logMeter(bench)
  const begun = performance.now()
  await Promise.all(clients.map(async (client) => await work(client, () => next++)))
  const seconds = (performance.now() - begun) / 1000
  const spent = { ...(await cpu(size.events)), ...(await log(size.events)) }
  for (const client of clients) client.release()
  return { value: size.events / seconds, ...spent }
}

/** COPY cannot pass over what is there already: it says what the tables and their indexes cost at the very least. */
function byCopy(bench: Bench, size: Size, events: () => readonly BenchEvent[]): Side {
  const run = async (): Promise<Sample> => {
    const batches = chunks(events(), size.batch).map((batch) => ({
      identities: Buffer.from(batch.map(({ source, id }) => `${source}\t${id}\n`).join('')),
      rows: Buffer.from(batch.map(copyRow).join('')),
    }))
    return await onConnections(bench, size, async (client, take) => {
      for (let batch = batches[take()]; batch !== undefined; batch = batches[take()]) {
        await client.query('BEGIN')
        await copyIn(client, 'COPY event_identities (source, id) FROM STDIN', batch.identities)
        await copyIn(
          client,
          'COPY events (source, id, type, subject, time, data, ingested_at) FROM STDIN',
          batch.rows,
        )
        await client.query('COMMIT')
      }
    })
  }
  return { name: 'COPY', run }
}

function copyRow({ source, id, type, subject, time, data }: BenchEvent): string {
  return `${[source, id, type, subject, time, JSON.stringify(data), time].join('\t')}\n`
}
