import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sql } from 'kysely'
import { deleteMeter, insertMeter, updateMeter } from '../../src/db/stores/meters.ts'
import { queryMeter } from '../../src/db/stores/meter-query.ts'
import { beginFinishing, hasFinished } from '../../src/db/stores/usage-roller.ts'
import {
  currentCutoff,
  hasLateUsage,
  usageQuantity,
  usageQuantityAtCutoff,
} from '../../src/db/stores/usage-query.ts'
import type { UsageRequest } from '../../src/db/stores/usage-query.ts'
import { withSnapshot } from '../../src/db/transaction.ts'
import { aggregations } from '../../src/domain/meters.ts'
import type { Aggregation, UsageMeter } from '../../src/domain/meters.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { event, meter, rollUpAll, store } from './support.ts'
import { runs } from '../support/properties.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  for (const aggregation of aggregations)
    await addMeter(`all_${aggregation.toLowerCase()}`, counted(aggregation))
})
afterAll(async () => {
  await database.drop()
})

const groupBy = { region: '$.region', model: '$["the model"]' }
const counted = (aggregation: Aggregation): UsageMeter =>
  meter({ aggregation, valueProperty: aggregation === 'COUNT' ? null : '$.tokens', groupBy })

async function addMeter(key: string, fields: UsageMeter): Promise<void> {
  const details = { id: `id-${key}`, key, name: null, description: null, metadata: null }
  await insertMeter(database.db, { ...fields, ...details }, new Date())
}

const rollAll = async (eventsMax?: number): Promise<void> => await rollUpAll(database.db, eventsMax)

const JANUARY = Date.parse('2025-01-31T20:00:00Z')
const minutes = fc.integer({ min: 0, max: 600 })
const tokens = fc.oneof(
  fc.integer({ min: -50, max: 50 }),
  fc.constantFrom('1.50', '-0.001', '1e3', 'many', '', true, null, 0.1, 9007199254740991),
)
const data = fc.record({
  tokens,
  region: fc.constantFrom('eu', 'us', null, 'NULL', 7),
  'the model': fc.constantFrom('a', '{b}', '"'),
})
const batch = fc.array(
  fc.record({ subject: fc.constantFrom('x', 'y'), minute: minutes, ms: fc.nat(59_999), data }),
  {
    maxLength: 12,
  },
)
const interval = fc.tuple(minutes, minutes, fc.constantFrom(0, 1, 900_000)).map(([a, b, ms]) => ({
  from: new Date(JANUARY + Math.min(a, b) * 60_000 + ms),
  to: new Date(JANUARY + Math.max(a, b) * 60_000 + 2 * ms + 1),
}))
const filters = fc.constantFrom<Record<string, string[]>>(
  {},
  { region: ['eu', 'NULL'] },
  { region: ['7'], model: ['a', '{b}'] },
  { nothing: ['a'] },
)

let run = 0
const eventsOf = (
  list: readonly { subject: string; minute: number; ms: number; data: object }[],
  at: number,
) =>
  list.map((one) =>
    event({
      subject: `${one.subject}-${at}`,
      time: new Date(JANUARY + one.minute * 60_000 + one.ms).toISOString(),
      data: one.data,
    }),
  )

test('rule 8: rollups answer as a recount of the raw events does, whoever stores and rolls up meanwhile', async () => {
  const { db } = database
  await fc.assert(
    fc.asyncProperty(
      fc.array(batch, { maxLength: 4 }),
      interval,
      filters,
      fc.constantFrom(1, 5, 1000),
      // One is asked for by statements that are kept.
      fc.constantFrom(['x'], ['x', 'y']),
      async (batches, slice, groupByFilters, eventsMax, names) => {
        const at = ++run
        const subjects = names.map((name) => `${name}-${at}`)
        const requestOf = (aggregation: Aggregation): UsageRequest => {
          return { meter: counted(aggregation), subjects, groupByFilters, ...slice }
        }
        const cutoff = await currentCutoff(db)
        const storing = batches.map(async (list) => await store(db, ...eventsOf(list, at)))
        const rolling = rollAll(eventsMax)
        for (const aggregation of aggregations) {
          const request = requestOf(aggregation)
          await withSnapshot(db, async (trx) => {
            const recount = { ...request, cutoff: await currentCutoff(trx) }
            expect(await usageQuantity(trx, request)).toEqual(await usageQuantityAtCutoff(trx, recount))
          })
        }
        await Promise.all(storing)
        const seen: { request: UsageRequest; cutoff: string; eventCount: number }[] = []
        const rollingOn = rolling.then(async () => await rollAll(eventsMax))
        for (const aggregation of aggregations) {
          const request = requestOf(aggregation)
          const now = await currentCutoff(db)
          const recount = await usageQuantityAtCutoff(db, { ...request, cutoff: now })
          expect(await usageQuantity(db, request)).toEqual(recount)
          expect(await hasLateUsage(db, { ...request, cutoff })).toBe(recount.eventCount > 0)
          expect(await hasLateUsage(db, { ...request, cutoff: now })).toBe(false)
          seen.push({ request, cutoff: now, eventCount: recount.eventCount })
        }
        await rollingOn
        for (const { request, cutoff: past } of seen)
          expect(await hasLateUsage(db, { ...request, cutoff: past })).toBe(false)
        // Into buckets that are there already; found late before they are rolled up, and after.
        for (const list of batches) await store(db, ...eventsOf(list, at))
        for (const isRolled of [false, true]) {
          if (isRolled) await rollAll()
          for (const { request, cutoff: past, eventCount } of seen) {
            expect(await hasLateUsage(db, { ...request, cutoff: past })).toBe(eventCount > 0)
            const recount = { ...request, cutoff: await currentCutoff(db) }
            expect(await usageQuantity(db, request)).toEqual(await usageQuantityAtCutoff(db, recount))
          }
        }
      },
    ),
    { numRuns: runs(10) },
  )
}, 600_000)

test('a meter by hour, day and month is the same from rollups as from the raw events', async () => {
  const { db } = database
  const zones = ['UTC', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe']
  const windows = ['HOUR', 'DAY', 'MONTH', null] as const
  await fc.assert(
    fc.asyncProperty(
      fc.array(batch, { minLength: 1, maxLength: 2 }),
      fc.constantFrom(...zones),
      fc.constantFrom(...windows),
      fc.constantFrom(...aggregations),
      fc.boolean(),
      async (batches, timeZone, windowSize, aggregation, isWhole) => {
        const at = ++run
        for (const list of batches) await store(db, ...eventsOf(list, at))
        await rollAll(isWhole ? 1000 : 7)
        const query = {
          meter: counted(aggregation),
          subjects: [`x-${at}`, `y-${at}`],
          from: new Date(isWhole ? '2025-01-01T00:00:00Z' : '2025-01-31T20:07:00.001Z'),
          to: new Date(isWhole ? '2025-03-01T00:00:00Z' : '2025-02-01T03:59:59.999Z'),
          windowSize,
          timeZone,
          groupBy: ['model', 'subject', 'region'],
        }
        const raw = { ...query, cutoff: await currentCutoff(db) }
        expect(await queryMeter(db, query)).toEqual(await queryMeter(db, raw))
      },
    ),
    { numRuns: runs(25) },
  )
})

test('an hour is one window, whenever in it the latest event of each of its groups came', async () => {
  const { db } = database
  const came = [
    ['2025-01-31T20:10:00Z', 'eu', 5],
    ['2025-01-31T20:50:00Z', 'us', 7],
    ['2025-01-31T20:20:00Z', 'us', 6],
    ['2025-01-31T21:00:00Z', 'eu', 8],
  ] as const
  const events = came.map(([time, region, value]) =>
    event({ subject: 'hourly', time, data: { tokens: value, region } }),
  )
  await store(db, ...events)
  await rollAll()
  const rows = await queryMeter(db, {
    meter: counted('LATEST'),
    subjects: ['hourly'],
    from: new Date('2025-01-31T00:00:00Z'),
    to: new Date('2025-02-01T00:00:00Z'),
    windowSize: 'HOUR',
    timeZone: 'UTC',
    groupBy: [],
  })
  expect(rows.map(({ value, windowStart }) => `${windowStart.toISOString()} ${value}`)).toEqual([
    '2025-01-31T20:00:00.000Z 7',
    '2025-01-31T21:00:00.000Z 8',
  ])
})

test('a new meter counts what was stored before it, while others store, and before it is rolled up', async () => {
  const { db } = database
  const type = 'stored-before'
  const one = () => event({ type, subject: 'early', data: { tokens: 2 } })
  const request = january(meter({ eventType: type }), 'early')
  for (let index = 0; index < 20; index += 1) await store(db, one())
  await rollAll()
  const storing = Array.from({ length: 20 }, async () => await store(db, one()))
  await addMeter('late', request.meter)
  storing.push(store(db, one()))
  const rolling = rollAll(3)
  await Promise.all(storing)
  expect((await usageQuantity(db, request)).quantity).toBe('82')
  await rolling
  await rollAll()
  expect(await rolledUp(type)).toBe('82')
  await store(db, one())
  expect((await usageQuantity(db, request)).quantity).toBe('84')
  expect(await rolledUp(type)).toBe('82')
})

test('who stores for long holds rollups up, and is not missed by them', async () => {
  const { db } = database
  const type = 'stored-for-long'
  const request = january(meter({ eventType: type }), 'slow')
  const one = () => event({ type, subject: 'slow', data: { tokens: 1 } })
  await addMeter('slow', request.meter)
  await db.transaction().execute(async (trx) => {
    await store(trx, one())
    await store(db, one())
    const finishing = await beginFinishing(db)
    expect(await hasFinished(db, finishing)).toBe(false)
    // Who begins later is not waited for.
    await store(db, one())
    expect(await hasFinished(db, finishing)).toBe(false)
  })
  await rollAll()
  expect(await rolledUp(type)).toBe('3')
  expect((await usageQuantity(db, request)).quantity).toBe('3')
})

test('an event that is stored while a question is asked is not left out beside a later one', async () => {
  const { db } = database
  const type = 'stored-meanwhile'
  const request = january(meter({ eventType: type }), 'between')
  const one = (time: string) => event({ type, subject: 'between', time, data: { tokens: 1 } })
  await addMeter('meanwhile', request.meter)
  await store(db, one('2025-01-15T12:00:00Z'))
  await rollAll()
  // First one within whole buckets, then one at the ragged edge: both, once the rollups were looked up.
  const later = ['2025-01-15T12:00:00Z', '2025-01-20T00:01:00Z']
  const meanwhile = db.withPlugin({
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      for (const time of later.splice(0)) await store(db, one(time))
      return result
    },
  })
  const asked = { ...request, to: new Date('2025-01-20T00:02:00Z') }
  expect(await usageQuantity(meanwhile, asked)).toEqual({ quantity: '3', eventCount: 3 })
})

test('events that anything else has stored are counted', async () => {
  const { db } = database
  const type = 'stored-by-old'
  const request = january(meter({ eventType: type }), 'old')
  await addMeter('by_old', request.meter)
  await store(db, event({ type, subject: 'old', data: { tokens: 1 } }))
  await sql`INSERT INTO events (source, id, type, subject, time, data, ingested_at)
    VALUES ('old', gen_random_uuid()::text, ${type}, 'old', '2025-01-15T12:00:00Z', '{"tokens": 5}', now())`.execute(
    db,
  )
  expect((await usageQuantity(db, request)).quantity).toBe('6')
  await rollAll()
  expect(await rolledUp(type)).toBe('6')
  expect((await usageQuantity(db, request)).quantity).toBe('6')
})

test('a meter whose groups change, or that is deleted, leaves no rollups behind', async () => {
  const { db } = database
  const type = 'regrouped'
  const fields = meter({ eventType: type })
  await addMeter('regrouped', fields)
  await store(db, event({ type, subject: 'grouped', data: { tokens: 3, model: 'a' } }))
  await rollAll()
  await updateMeter(db, 'id-regrouped', { groupBy: { model: '$.model' }, now: new Date() })
  await store(db, event({ type, subject: 'grouped', data: { tokens: 4, model: 'b' } }))
  const request = january({ ...fields, groupBy: { model: '$.model' } }, 'grouped')
  const ofModelA = { ...request, groupByFilters: { model: ['a'] } }
  expect((await usageQuantity(db, ofModelA)).quantity).toBe('3')
  await rollAll()
  expect((await usageQuantity(db, ofModelA)).quantity).toBe('3')
  expect(await rolledUp(type)).toBe('7')
  await db.transaction().execute(async (trx) => await deleteMeter(trx, 'id-regrouped', new Date()))
  await rollAll()
  expect(await rolledUp(type)).toBeNull()
  expect((await usageQuantity(db, request)).quantity).toBe('7')
  const { rows } =
    await sql`SELECT FROM usage_rollups WHERE series_id NOT IN (SELECT id FROM usage_series)`.execute(db)
  expect(rows).toHaveLength(0)
})

test('two that roll up at one time count nothing twice', async () => {
  const { db } = database
  const type = 'rolled-by-two'
  const request = january(meter({ eventType: type }), 'twice')
  await addMeter('twice', request.meter)
  for (let index = 0; index < 10; index += 1) await store(db, event({ type, subject: 'twice' }))
  await Promise.all([rollAll(1), rollAll(2), rollAll(3)])
  await rollAll()
  expect(await rolledUp(type)).toBe('10')
})

const january = (of: UsageMeter, subject: string): UsageRequest => ({
  meter: of,
  subjects: [subject],
  from: new Date('2025-01-01T00:00:00Z'),
  to: new Date('2025-02-01T00:00:00Z'),
})

/** What the rollups of a type say alone, the same for each length of bucket. */
async function rolledUp(type: string): Promise<string | null | undefined> {
  const { rows } = await sql<{ sum: string | null }>`
    SELECT DISTINCT trim_scale(sum(sum))::text AS sum FROM usage_rollups
    JOIN usage_series ON usage_series.id = series_id AND NOT obsolete AND event_type = ${type}
    GROUP BY minutes`.execute(database.db)
  expect(rows.length).toBeLessThan(2)
  return rows[0]?.sum ?? null
}
