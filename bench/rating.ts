import { sql } from 'kysely'
import { ulid } from 'ulid'
import { queryMeter } from '../src/db/stores/meter-query.ts'
import { insertMeter } from '../src/db/stores/meters.ts'
import { usageQuantity } from '../src/db/stores/usage-query.ts'
import type { UsageMeter } from '../src/domain/meters.ts'
import { rollUpFinished } from '../src/db/stores/usage-roller.ts'
import type { Benchmark, Case, Sample, Side, Target } from './support/benchmark.ts'
import { quantile } from './support/benchmark.ts'
import { cpuMeter } from './support/cpu.ts'
import type { Bench } from './support/environment.ts'

const FROM = new Date('2026-01-01T00:00:00Z')
const TO = new Date('2026-02-01T00:00:00Z')
const meter: UsageMeter = {
  eventType: 'inference',
  eventFrom: null,
  aggregation: 'SUM',
  valueProperty: '$.tokens',
  groupBy: { model: '$.model' },
}

/** The events that one subscription is given at most. */
const eventsMax = { tiny: 10_000, small: 100_000, full: 1_000_000 } as const

/** One subscription's month, among ten times as many events of others. */
export const rating: Benchmark = {
  name: 'rating',
  about:
    'the usage of one subscription in a month, as a closing asks for it; by hour and day; against bare SQL over raw rows',
  cases: async function* (bench) {
    for (const events of [10_000, 100_000, 1_000_000]) {
      if (events > eventsMax[bench.size]) continue
      bench.log(`loading ${events * 10} events`)
      await load(bench, events)
      yield* cases(bench, events)
    }
  },
}

const targets = [
  { figure: 'median', bound: 'most', value: 5 },
  { figure: 'p99', bound: 'most', value: 25 },
] as const satisfies readonly Target[]

function* cases(bench: Bench, events: number): Generator<Case> {
  const scope = { meter, subjects: ['customer-0'], from: FROM, to: TO }
  const rawCalls = events >= 1_000_000 ? 3 : 20
  yield {
    name: `month of ${events}`,
    unit: 'ms',
    targets,
    point: { curve: 'month', counted: 'events of the month', size: events },
    sides: [
      timed(bench, 100, async () => void (await usageQuantity(bench.db, scope))),
      timed(bench, rawCalls, async () => void (await bench.pool.query(rawSum)), 'sum over raw rows'),
      timed(bench, 100, async () => void (await bench.pool.query(nothing)), 'SELECT 1'),
    ],
  }
  // Neither begins nor ends with a bucket.
  const ragged = { ...scope, from: new Date(FROM.getTime() + 40_000_001), to: new Date(TO.getTime() - 1) }
  yield {
    name: `month of ${events}, ragged`,
    unit: 'ms',
    targets,
    point: { curve: 'month that begins at odd times', counted: 'events of the month', size: events },
    sides: [
      timed(bench, 100, async () => void (await usageQuantity(bench.db, ragged))),
      timed(bench, 100, async () => void (await bench.pool.query(nothing)), 'SELECT 1'),
    ],
  }
  const zoned = { ...scope, timeZone: 'America/New_York' } as const
  yield {
    name: `by day and model, ${events}`,
    unit: 'ms',
    targets,
    point: { curve: 'by day and model', counted: 'events of the month', size: events },
    sides: [
      timed(bench, 50, async () => {
        await queryMeter(bench.db, { ...zoned, windowSize: 'DAY', groupBy: ['model'] })
      }),
      timed(bench, rawCalls, async () => void (await bench.pool.query(rawDays)), 'sum over raw rows'),
    ],
  }
  yield {
    name: `by hour, ${events}`,
    unit: 'ms',
    targets,
    point: { curve: 'by hour', counted: 'events of the month', size: events },
    sides: [
      timed(bench, 50, async () => {
        await queryMeter(bench.db, { ...zoned, windowSize: 'HOUR', groupBy: [] })
      }),
      timed(bench, rawCalls, async () => void (await bench.pool.query(rawHours)), 'sum over raw rows'),
    ],
  }
}

const slice = `type = 'inference' AND subject = 'customer-0'
  AND time >= '${FROM.toISOString()}' AND time < '${TO.toISOString()}'`
const rawSum = {
  name: 'bench_sum',
  text: `SELECT sum((data ->> 'tokens')::numeric) FROM events WHERE ${slice}`,
}
const rawDays = {
  name: 'bench_days',
  text: `SELECT date_trunc('day', time, 'America/New_York'), data ->> 'model', sum((data ->> 'tokens')::numeric)
    FROM events WHERE ${slice} GROUP BY 1, 2 ORDER BY 1, 2`,
}
const rawHours = {
  name: 'bench_hours',
  text: `SELECT date_trunc('hour', time, 'America/New_York'), sum((data ->> 'tokens')::numeric)
    FROM events WHERE ${slice} GROUP BY 1 ORDER BY 1`,
}
const nothing = { name: 'bench_nothing', text: 'SELECT 1' }

function timed(bench: Bench, calls: number, call: () => Promise<void>, name = 'ours'): Side {
  const run = async (): Promise<Sample> => {
    const times: number[] = []
    const cpu = await cpuMeter(bench, [])
    for (let index = 0; index < calls; index += 1) {
      const begun = performance.now()
      await call()
      times.push(performance.now() - begun)
    }
    return { value: quantile(times, 0.5), p99: quantile(times, 0.99), ...(await cpu(calls)) }
  }
  return { name, run }
}

const STEP = 100_000

/** `customer-0` has the given number of events in the month, ten others nine times as many together. */
async function load({ db, log }: Bench, events: number): Promise<void> {
  await sql`TRUNCATE events, event_identities, usage_rollups, usage_series`.execute(db)
  await sql`DELETE FROM meters`.execute(db)
  const details = { id: ulid(), key: 'tokens', name: null, description: null, metadata: null }
  await insertMeter(db, { ...meter, ...details }, new Date())
  for (let first = 0; first < events * 10; first += STEP) {
    await sql`
      INSERT INTO events (source, id, type, subject, time, data, ingested_at)
      SELECT 'bench', n::text, 'inference', 'customer-' || n % 10,
        ${FROM}::timestamptz + (n::double precision / ${events * 10}::double precision) * interval '31 days',
        jsonb_build_object('tokens', 1 + n % 4096, 'model', (ARRAY['small', 'medium', 'large', 'embed'])[1 + (n / 10) % 4]),
        now()
      FROM generate_series(${first}::int, ${Math.min(first + STEP, events * 10) - 1}::int) n`.execute(db)
  }
  const begun = performance.now()
  while (await rollUpFinished(db));
  const seconds = (performance.now() - begun) / 1000
  log(`rolled up ${Math.round((events * 10) / seconds)} events/s`)
  await sql`VACUUM ANALYZE events, usage_rollups`.execute(db)
}
