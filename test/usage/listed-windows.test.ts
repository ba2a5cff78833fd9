import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertMeter } from '../../src/db/stores/meters.ts'
import { queryMeter } from '../../src/db/stores/meter-query.ts'
import { currentCutoff } from '../../src/db/stores/usage-query.ts'
import { bucketsBetween, listedWindows } from '../../src/db/stores/usage-windows.ts'
import { calendarWindows } from '../../src/domain/usage-windows.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { runs } from '../support/properties.ts'
import { event, meter, rollUpAll, store } from './support.ts'

const measured = meter({ groupBy: { model: '$.model' } })
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  const details = { id: 'listed', key: 'listed', name: null, description: null, metadata: null }
  await insertMeter(database.db, { ...measured, ...details }, new Date())
})
afterAll(async () => {
  await database.drop()
})

/** Days on which clocks change in the zone beside them, some by less than an hour; and zones without any. */
const places = [
  ['UTC', '2025-03-01T00:00:00Z'],
  ['Africa/Abidjan', '2025-03-01T00:00:00Z'],
  ['Europe/London', '2025-03-30T00:00:00Z'],
  ['America/New_York', '2025-03-09T00:00:00Z'],
  ['America/New_York', '2025-11-02T00:00:00Z'],
  ['America/Havana', '2025-11-02T00:00:00Z'],
  ['America/Sao_Paulo', '2018-02-18T00:00:00Z'],
  ['America/Sao_Paulo', '2018-11-04T00:00:00Z'],
  ['Asia/Kathmandu', '2025-03-09T00:00:00Z'],
  ['Australia/Lord_Howe', '2025-04-05T12:00:00Z'],
  ['Australia/Lord_Howe', '2025-10-04T12:00:00Z'],
  ['Africa/Monrovia', '1972-01-07T00:00:00Z'],
] as const

const used = fc.record({
  seconds: fc.integer({ min: -40 * 3600, max: 40 * 3600 }),
  tokens: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.constantFrom('0.001', '99999999999999999999.5')),
  model: fc.constantFrom('a', 'b', null),
})

test('days and months that we list are those that PostgreSQL tells, from rollups and behind them', async () => {
  const { db } = database
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...places),
      fc.constantFrom('DAY', 'MONTH'),
      fc.array(used, { minLength: 1, maxLength: 30 }),
      fc.array(used, { maxLength: 3 }),
      async ([timeZone, change], windowSize, early, late) => {
        const subject = `listed-${++run}`
        const at = Date.parse(change)
        const stored = async (list: readonly { seconds: number; tokens: unknown; model: unknown }[]) => {
          const events = list.map(({ seconds, ...data }) =>
            event({ subject, time: new Date(at + seconds * 1000).toISOString(), data }),
          )
          await store(db, ...events)
        }
        await stored(early)
        await rollUpAll(db)
        // Behind the rollups, some of them in days that are there already.
        await stored(late)
        const windows = calendarWindows(windowSize, { from: at - 3 * DAY_MS, to: at + 3 * DAY_MS }, timeZone)
        const [first, last] = [windows?.[0], windows?.at(-1)]
        if (first === undefined || last === undefined) throw new Error('no windows')
        const query = { meter: measured, subjects: [subject], windowSize, timeZone, groupBy: ['model'] }
        const listed = { ...query, from: new Date(first.from), to: new Date(last.to) }
        expect(listedWindows(listed)).toEqual(windows)
        // An open interval has no list: its events are cut by PostgreSQL's own calendar.
        const told = { ...query, from: null, to: null, cutoff: await currentCutoff(db) }
        expect(listedWindows(told)).toBeNull()
        expect(await queryMeter(db, listed)).toEqual(await queryMeter(db, told))
      },
    ),
    { numRuns: runs(60) },
  )
}, 120_000)

test('hours of a bounded interval are those that PostgreSQL tells, whether they are whole hours of UTC or not', async () => {
  const { db } = database
  let run = 0
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...places),
      fc.array(used, { minLength: 1, maxLength: 30 }),
      async ([timeZone, change], list) => {
        const subject = `hours-${++run}`
        const at = Date.parse(change)
        const events = list.map(({ seconds, ...data }) =>
          event({ subject, time: new Date(at + seconds * 1000).toISOString(), data }),
        )
        await store(db, ...events)
        await rollUpAll(db)
        const query = {
          meter: measured,
          subjects: [subject],
          windowSize: 'HOUR',
          timeZone,
          groupBy: [],
        } as const
        const bounded = { ...query, from: new Date(at - 2 * DAY_MS), to: new Date(at + 2 * DAY_MS) }
        expect(await queryMeter(db, bounded)).toEqual(
          await queryMeter(db, { ...query, from: null, to: null }),
        )
      },
    ),
    { numRuns: runs(60) },
  )
}, 120_000)

test('a list of windows holds its interval without gap or overlap, and no window that it does not touch', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...places),
      fc.constantFrom('DAY', 'MONTH'),
      fc.integer({ min: -40 * 60, max: 40 * 60 }),
      fc.integer({ min: 1, max: 40 * 24 * 60 }),
      ([timeZone, change], size, begin, minutes) => {
        const from = Date.parse(change) + begin * 60_000
        const to = from + minutes * 60_000
        const windows = calendarWindows(size, { from, to }, timeZone) ?? []
        expect(windows[0]?.from).toBeLessThanOrEqual(from)
        expect(windows[0]?.to).toBeGreaterThan(from)
        expect(windows.at(-1)?.from).toBeLessThan(to)
        expect(windows.at(-1)?.to).toBeGreaterThanOrEqual(to)
        for (const [index, window] of windows.slice(1).entries()) expect(window.from).toBe(windows[index]?.to)
      },
    ),
  )
})

test('a day that a zone skipped is not in a list, and one whose midnight came twice begins at the first', () => {
  const list = (from: string, to: string, timeZone: string) =>
    calendarWindows('DAY', { from: Date.parse(from), to: Date.parse(to) }, timeZone)?.map((one) =>
      new Date(one.from).toISOString(),
    )
  expect(list('2011-12-29T10:00:00Z', '2011-12-31T10:00:00Z', 'Pacific/Apia')).toEqual([
    '2011-12-29T10:00:00.000Z',
    '2011-12-30T10:00:00.000Z',
  ])
  // At 02:31 the clock went back to 23:01 of the day before, which had ended at 02:30.
  expect(list('2010-11-07T02:40:00Z', '2010-11-08T03:30:00Z', 'America/St_Johns')).toEqual([
    '2010-11-07T02:30:00.000Z',
  ])
})

test('the longest buckets of which none lies in two windows', () => {
  const cut = (timeZone: string, from: string, days: number) => {
    const at = Date.parse(from)
    return bucketsBetween(calendarWindows('DAY', { from: at, to: at + days * DAY_MS }, timeZone) ?? [])
  }
  const always = Number.NEGATIVE_INFINITY
  expect(cut('UTC', '2025-01-01T00:00:00Z', 31)).toEqual({ longest: 1440, since: always })
  expect(cut('Europe/London', '2025-01-01T00:00:00Z', 31)).toEqual({ longest: 1440, since: always })
  expect(cut('Europe/London', '2025-06-30T23:00:00Z', 31)).toEqual({ longest: 60, since: always })
  expect(cut('America/New_York', '2025-03-01T05:00:00Z', 31)).toEqual({ longest: 60, since: always })
  expect(cut('Australia/Lord_Howe', '2025-04-01T13:00:00Z', 7)).toEqual({ longest: 15, since: always })
  expect(cut('Asia/Kathmandu', '2025-03-31T18:15:00Z', 2)).toEqual({ longest: 15, since: always })
  // Until 7 January 1972 its days began at 44 minutes and 30 seconds past midnight in UTC.
  const odd = Date.parse('1972-01-07T00:44:30Z')
  expect(cut('Africa/Monrovia', '1972-01-05T00:44:30Z', 6)).toEqual({ longest: 15, since: odd })
})

test('an interval that is open, or longer than a list may be, has none', () => {
  const query = { meter: measured, subjects: null, windowSize: 'DAY', timeZone: 'UTC', groupBy: [] } as const
  const from = new Date('2025-01-01T00:00:00Z')
  expect(listedWindows({ ...query, from, to: null })).toBeNull()
  expect(listedWindows({ ...query, from: null, to: from })).toBeNull()
  expect(listedWindows({ ...query, from, to: new Date(from.getTime() + 366 * DAY_MS) })).toHaveLength(366)
  expect(listedWindows({ ...query, from, to: new Date(from.getTime() + 401 * DAY_MS) })).toBeNull()
})
