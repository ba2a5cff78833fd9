import * as fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { rebuildRollups, verifyRollups } from '../../src/cli/recount-usage.ts'
import type { RecountOptions } from '../../src/cli/recount-usage.ts'
import { insertMeter } from '../../src/db/stores/meters.ts'
import {
  currentCutoff,
  hasLateUsage,
  usageQuantity,
  usageQuantityAtCutoff,
} from '../../src/db/stores/usage-query.ts'
import { rollUp, withoutRolling } from '../../src/db/stores/usage-roller.ts'
import { withSnapshot } from '../../src/db/transaction.ts'
import { aggregations } from '../../src/domain/meters.ts'
import type { Aggregation, UsageMeter } from '../../src/domain/meters.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { runs } from '../support/properties.ts'
import { damageRollups, damages } from './damage.ts'
import { event, meter, rollUpAll, store } from './support.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  for (const aggregation of aggregations)
    await addMeter(`all_${aggregation.toLowerCase()}`, counted(aggregation))
})
afterAll(async () => {
  await database.drop()
})

const everything: RecountOptions = { meterId: null, subjects: null, from: null, to: null }
const counted = (aggregation: Aggregation, eventType = 'prompt'): UsageMeter =>
  meter({
    aggregation,
    eventType,
    valueProperty: aggregation === 'COUNT' ? null : '$.tokens',
    groupBy: { region: '$.region' },
  })

async function addMeter(key: string, fields: UsageMeter): Promise<void> {
  const details = { id: `id-${key}`, key, name: null, description: null, metadata: null }
  await insertMeter(database.db, { ...fields, ...details }, new Date())
}

const JANUARY = Date.parse('2025-01-30T20:00:00Z')
const from = new Date('2025-01-01T00:00:00Z')
const to = new Date('2025-03-01T00:00:00Z')
const usage = fc.record({
  subject: fc.constantFrom('x', 'y', 'z'),
  /** Five days, or the edges of what a time can be. */
  minute: fc.oneof(fc.integer({ min: 0, max: 7200 }), fc.constantFrom(-1_038_350_000, 4_193_000_000)),
  data: fc.record({
    tokens: fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom('0.1', 'many', 1.5, null)),
    region: fc.constantFrom('eu', 'us', null),
  }),
})
const batches = fc.array(fc.array(usage, { maxLength: 6 }), { maxLength: 3 })

let run = 0
type Usage = typeof usage extends fc.Arbitrary<infer T> ? T : never
const eventsOf = (list: readonly Usage[], at: number) =>
  list.map(({ subject, minute, data }) =>
    event({ subject: `${subject}-${at}`, time: new Date(JANUARY + minute * 60_000).toISOString(), data }),
  )

/** From rollups, and from the events alone. */
async function answersOf(subjects: readonly string[]) {
  return await withSnapshot(database.db, async (trx) => {
    const cutoff = await currentCutoff(trx)
    const answers = []
    for (const aggregation of aggregations) {
      const request = { meter: counted(aggregation), subjects, from, to }
      const rolled = await usageQuantity(trx, request)
      answers.push({ rolled, recounted: await usageQuantityAtCutoff(trx, { ...request, cutoff }) })
    }
    return answers
  })
}

async function expectExact(subjects: readonly string[]): Promise<void> {
  for (const { rolled, recounted } of await answersOf(subjects)) expect(rolled).toEqual(recounted)
}

test('whatever is done to events or rollups is found, and mended, however large the chunks', async () => {
  const { db } = database
  await fc.assert(
    fc.asyncProperty(
      batches,
      fc.array(usage, { minLength: 1, maxLength: 6 }),
      damages,
      fc.constantFrom(2, 5, 1000),
      async (lists, last, done, chunkEvents) => {
        const at = ++run
        const subjects = ['x', 'y', 'z'].map((subject) => `${subject}-${at}`)
        const options = { ...everything, subjects, chunkEvents }
        for (const list of [...lists, last]) await store(db, ...eventsOf(list, at))
        // A number that no event has.
        await sql`SELECT nextval('events_seq_seq')`.execute(db)
        await rollUpAll(db)
        expect(await verifyRollups(db, options)).toMatchObject({ differing: 0, differences: [] })
        const isDamaged = await damageRollups(db, subjects, done)
        const found = await verifyRollups(db, options)
        expect(found.differing > 0).toBe(isDamaged)
        if (found.differing === 0) await expectExact(subjects)
        expect(await rebuildRollups(db, options)).toEqual(found)
        expect(await verifyRollups(db, options)).toMatchObject({ differing: 0, differences: [] })
        await expectExact(subjects)
        await store(db, ...eventsOf(last, at))
        await rollUpAll(db)
        expect((await verifyRollups(db, options)).differing).toBe(0)
        await expectExact(subjects)
      },
    ),
    { numRuns: runs(8) },
  )
  // None of it was done to what others have.
  expect((await verifyRollups(db, everything)).differing).toBe(0)
}, 600_000)

test('rule 8: while rollups are made anew everybody stores, rolls up and asks, and every answer is exact', async () => {
  const { db } = database
  await fc.assert(
    fc.asyncProperty(
      batches,
      batches,
      fc.constantFrom(2, 5, 1000),
      async (before, meanwhile, chunkEvents) => {
        const at = ++run
        const subjects = ['x', 'y', 'z'].map((subject) => `${subject}-${at}`)
        for (const list of before) await store(db, ...eventsOf(list, at))
        await rollUpAll(db)
        const cutoff = await currentCutoff(db)
        const storing = meanwhile.map(async (list) => await store(db, ...eventsOf(list, at)))
        // As if they had been written by nobody who is known: each is written anew.
        await sql`UPDATE usage_rollups SET txid = '3' WHERE subject = ANY(${subjects}::text[])`.execute(db)
        const rebuilding = rebuildRollups(db, { ...everything, subjects, chunkEvents })
        const rolling = rollUpAll(db, 5)
        for (let times = 0; times < 3; times += 1) await expectExact(subjects)
        await Promise.all([...storing, rebuilding, rolling])
        for (const aggregation of aggregations) {
          const request = { meter: counted(aggregation), subjects, from, to }
          const [now, then] = [
            await usageQuantityAtCutoff(db, { ...request, cutoff: await currentCutoff(db) }),
            await usageQuantityAtCutoff(db, { ...request, cutoff }),
          ]
          expect(await hasLateUsage(db, { ...request, cutoff })).toBe(now.eventCount > then.eventCount)
        }
        await rollUpAll(db)
        expect((await verifyRollups(db, { ...everything, subjects })).differing).toBe(0)
        await expectExact(subjects)
      },
    ),
    { numRuns: runs(8) },
  )
}, 600_000)

/** Three customers over three days, all of whose rollups say too much. */
async function damaged(eventType: string): Promise<{ readonly rollups: number }> {
  const { db } = database
  await addMeter(eventType, counted('SUM', eventType))
  for (const day of ['2025-01-10', '2025-01-11', '2025-01-12'])
    for (const subject of ['a', 'b', 'c'])
      await store(db, event({ type: eventType, subject, time: `${day}T12:00:00Z` }))
  await rollUpAll(db)
  const { numAffectedRows } = await sql`
    UPDATE usage_rollups SET sum = sum + 1 FROM usage_series
    WHERE series_id = usage_series.id AND event_type = ${eventType}`.execute(db)
  return { rollups: Number(numAffectedRows) }
}

test('only what is asked for is recounted: a meter, a customer, days', async () => {
  const { db } = database
  const { rollups } = await damaged('bounded')
  expect(rollups).toBe(27)
  const meterId = 'id-bounded'
  const differing = async (): Promise<number> =>
    (await verifyRollups(db, { ...everything, meterId })).differing
  await rebuildRollups(db, { ...everything, meterId: 'id-all_sum' })
  expect(await differing()).toBe(27)
  await rebuildRollups(db, { ...everything, meterId, subjects: ['a', 'nobody'] })
  expect(await differing()).toBe(18)
  const [second, third] = [new Date('2025-01-11T00:00:00Z'), new Date('2025-01-12T00:00:00Z')]
  await rebuildRollups(db, { ...everything, meterId, from: second, to: third })
  expect(await differing()).toBe(12)
  await rebuildRollups(db, { ...everything, meterId, from: third, subjects: ['b'] })
  expect(await differing()).toBe(9)
  await rebuildRollups(db, { ...everything, meterId })
  expect(await differing()).toBe(0)
})

test('a rebuilding that dies in the middle keeps what it has done, and the next does the rest', async () => {
  const { db } = database
  await damaged('interrupted')
  const options = { ...everything, meterId: 'id-interrupted', chunkEvents: 1 }
  let chunks = 0
  const onProgress = (): void => {
    chunks += 1
    if (chunks === 4) throw new Error('killed')
  }
  await expect(rebuildRollups(db, { ...options, onProgress })).rejects.toThrow('killed')
  const left = (await verifyRollups(db, options)).differing
  expect(left).toBeGreaterThan(0)
  expect(left).toBeLessThan(27)
  expect((await rebuildRollups(db, options)).differing).toBe(left)
  expect((await verifyRollups(db, options)).differing).toBe(0)
})

test('each difference is named with what is kept and what it should be', async () => {
  const { db } = database
  const type = 'named'
  await addMeter(type, counted('SUM', type))
  const of = (subject: string) =>
    event({ type, subject, time: '2025-01-10T12:20:00Z', data: { tokens: '2.50', region: 'eu' } })
  await store(db, of('gone'), of('changed'))
  await rollUpAll(db)
  await sql`DELETE FROM events WHERE subject = 'gone'`.execute(db)
  await sql`UPDATE events SET data = '{"tokens": 12345678901234567890.5, "region": "us"}' WHERE subject = 'changed'`.execute(
    db,
  )
  const { differences } = await verifyRollups(db, { ...everything, meterId: 'id-named' })
  const fifteen = differences.filter(({ minutes }) => minutes === 15)
  const kept = { count: '1', sum: '2.5' }
  const about = { meters: ['named'], minutes: 15, bucket: '2025-01-10T12:15:00+00:00' }
  expect(fifteen).toHaveLength(3)
  expect(fifteen).toEqual(
    expect.arrayContaining([
      { ...about, subject: 'gone', groups: ['eu'], kept, recounted: null },
      { ...about, subject: 'changed', groups: ['eu'], kept, recounted: null },
      {
        ...about,
        subject: 'changed',
        groups: ['us'],
        kept: null,
        recounted: { count: '1', sum: '12345678901234567890.5' },
      },
    ]),
  )
  await rebuildRollups(db, { ...everything, meterId: 'id-named' })
})

test('nobody who stores or asks waits for a chunk that is made anew; who rolls up comes again', async () => {
  const { db } = database
  await damaged('held')
  const request = { meter: counted('SUM', 'held'), subjects: ['a'], from, to }
  await withoutRolling(db, async (trx) => {
    await sql`UPDATE usage_rollups SET sum = sum - 1 FROM usage_series
      WHERE series_id = usage_series.id AND event_type = 'held'`.execute(trx)
    const { stored } = await store(db, event({ type: 'held', subject: 'a', data: { tokens: 10 } }))
    expect(stored).toBe(1)
    expect((await usageQuantity(db, request)).eventCount).toBe(4)
    expect(await rollUp(db, '1000000')).toBe(false)
  })
  expect((await usageQuantity(db, request)).quantity).toBe('13')
})

test('a meter that is changed while its rollups are recounted is left to the worker', async () => {
  const { db } = database
  await damaged('leaving')
  let isFirst = true
  const chunks = { ...everything, meterId: 'id-leaving', chunkEvents: 1 }
  const leave = db.withPlugin({
    transformQuery: ({ node }) => node,
    transformResult: async ({ result }) => {
      if (isFirst) await sql`UPDATE usage_series SET obsolete = true WHERE event_type = 'leaving'`.execute(db)
      isFirst = false
      return result
    },
  })
  expect(await rebuildRollups(leave, chunks)).toMatchObject({ differing: 0, series: [{ isGone: true }] })
  await rollUpAll(db)
  expect((await verifyRollups(db, chunks)).differing).toBe(0)
})

test('events that are emptied with their numbers take their rollups along, and new ones are counted', async () => {
  const own = await createTestDatabase()
  const { db } = own
  const details = { id: 'meter', key: 'tokens', name: null, description: null, metadata: null }
  await insertMeter(db, { ...counted('SUM'), ...details }, new Date())
  for (let n = 0; n < 3; n += 1) await store(db, event({ data: { tokens: 100 } }))
  await rollUpAll(db)
  await sql`TRUNCATE events, event_identities RESTART IDENTITY`.execute(db)
  await store(db, event())
  const request = { meter: counted('SUM'), subjects: ['acme'], from, to }
  for (let n = 0; n < 2; n += 1) {
    await rollUpAll(db)
    expect((await usageQuantity(db, request)).quantity).toBe('1')
    expect((await verifyRollups(db, everything)).differing).toBe(0)
  }
  await own.drop()
})
