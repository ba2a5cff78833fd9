import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { meterGroupByValues, meterSubjects, queryMeter } from '../../src/db/stores/meter-query.ts'
import type { MeterQuery } from '../../src/db/stores/meter-query.ts'
import { usageQuantity } from '../../src/db/stores/usage-query.ts'
import { checkAligned, windowSizes } from '../../src/domain/usage-windows.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { event, meter, store } from './support.ts'
import { runs } from '../support/properties.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

const whole = { meter: meter(), from: null, to: null, windowSize: null, timeZone: 'UTC', groupBy: [] }
const zones = [
  'UTC',
  'America/New_York',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'America/Havana',
  'America/Sao_Paulo',
]

/** Events around the days on which clocks change somewhere, dense enough to hit the hours that are cut. */
const changes = [
  '2018-02-18T00:00Z',
  '2018-11-04T00:00Z',
  '2025-03-09T00:00Z',
  '2025-04-05T12:00Z',
  '2025-10-04T12:00Z',
  '2025-11-02T00:00Z',
]
const instants = fc
  .tuple(fc.constantFrom(...changes), fc.integer({ min: 0, max: 60 * 30 }))
  .map(([day, minute]) => new Date(Date.parse(day) + minute * 60_000).toISOString())

test('the windows of any zone and size hold their events, do not overlap, and add up to the total', async () => {
  const { db } = database
  let run = 0
  const lists = fc.array(instants, { minLength: 1, maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(
      lists,
      fc.constantFrom(...zones),
      fc.constantFrom(...windowSizes),
      async (times, timeZone, windowSize) => {
        const subject = `windows-${++run}`
        await store(db, ...times.map((time) => event({ subject, time })))
        const rows = await queryMeter(db, { ...whole, subjects: [subject], timeZone, windowSize })
        expect(rows.reduce((total, row) => total + Number(row.value), 0)).toBe(times.length)
        for (const [index, row] of rows.entries()) {
          const [from, to] = [row.windowStart.getTime(), row.windowEnd.getTime()]
          const within = times.filter((time) => Date.parse(time) >= from && Date.parse(time) < to)
          expect([timeZone, windowSize, row.windowStart, within.length]).toEqual([
            timeZone,
            windowSize,
            row.windowStart,
            Number(row.value),
          ])
          expect(rows[index + 1]?.windowStart.getTime() ?? Infinity).toBeGreaterThanOrEqual(to)
        }
      },
    ),
    { numRuns: runs(120) },
  )
})

test.each([
  ['America/New_York', '2025-03-09T05:00:00Z', 23],
  ['America/New_York', '2025-11-02T04:00:00Z', 25],
  ['Australia/Lord_Howe', '2025-04-05T13:00:00Z', 24.5],
  ['Asia/Kathmandu', '2025-04-04T18:15:00Z', 24],
])('a day in %s that starts at %s is %d hours long', async (timeZone, start, hours) => {
  const subject = `day-${start}`
  await store(
    database.db,
    event({ subject, time: start }),
    event({ subject, time: new Date(Date.parse(start) + hours * 3_600_000 - 1).toISOString() }),
  )
  const rows = await queryMeter(database.db, { ...whole, subjects: [subject], timeZone, windowSize: 'DAY' })
  const end = new Date(Date.parse(start) + hours * 3_600_000)
  expect(rows).toMatchObject([{ value: '2', windowStart: new Date(start), windowEnd: end }])
})

test.each([
  ['2025-04-05', ['14:00', '14:45', '15:15', '15:30'], ['14:00 15:00 2', '15:00 15:30 1', '15:30 16:30 1']],
  ['2025-10-04', ['14:45', '15:15', '15:45', '16:00'], ['14:30 15:30 2', '15:30 16:00 1', '16:00 17:00 1']],
])(
  'where clocks move by half an hour on %s, the hour that is cut is two windows',
  async (day, times, expected) => {
    const subject = `half-hour-${day}`
    await store(database.db, ...times.map((time) => event({ subject, time: `${day}T${time}:00Z` })))
    const timeZone = 'Australia/Lord_Howe'
    const rows = await queryMeter(database.db, {
      ...whole,
      subjects: [subject],
      timeZone,
      windowSize: 'HOUR',
    })
    const clock = (at: Date) => at.toISOString().slice(11, 16)
    expect(rows.map((row) => `${clock(row.windowStart)} ${clock(row.windowEnd)} ${row.value}`)).toEqual(
      expected,
    )
  },
)

test('rule 2: a window ends where the next begins, and an event at the edge is in the next', async () => {
  const subject = 'window-edge'
  await store(
    database.db,
    event({ subject, time: '2025-01-01T00:59:59.999999Z' }),
    event({ subject, time: '2025-01-01T01:00:00Z' }),
  )
  const rows = await queryMeter(database.db, { ...whole, subjects: [subject], windowSize: 'HOUR' })
  expect(rows.map((row) => [row.windowStart.toISOString(), row.value])).toEqual([
    ['2025-01-01T00:00:00.000Z', '1'],
    ['2025-01-01T01:00:00.000Z', '1'],
  ])
})

test('groups and filters split the same total', async () => {
  const { db } = database
  const data = [{ tokens: 1, model: 'a' }, { tokens: 2, model: 'b' }, { tokens: 4 }]
  await store(
    db,
    ...data.map((value) => event({ subject: 'grouped-1', data: value })),
    event({ subject: 'grouped-2', data: { tokens: 8, model: 'a' } }),
  )
  const query: MeterQuery = {
    ...whole,
    meter: meter({ groupBy: { model: '$.model' } }),
    subjects: ['grouped-1', 'grouped-2'],
  }
  const byModel = await queryMeter(db, { ...query, groupBy: ['model'] })
  expect(byModel.map((row) => [row.groupBy['model'], row.value])).toEqual([
    ['a', '9'],
    ['b', '2'],
    [null, '4'],
  ])
  const bySubject = await queryMeter(db, { ...query, groupBy: ['subject'], groupByFilters: { model: ['a'] } })
  expect(bySubject.map((row) => [row.subject, row.value])).toEqual([
    ['grouped-1', '1'],
    ['grouped-2', '8'],
  ])
  await expect(queryMeter(db, { ...query, groupBy: ['region'] })).rejects.toMatchObject({
    code: 'validation_failed',
    field: 'groupBy',
  })
  expect(await meterSubjects(db, query)).toEqual(['grouped-1', 'grouped-2'])
  expect(await meterGroupByValues(db, query, 'model')).toEqual(['a', 'b'])
})

test('a query over an interval and the quantity that is billed for it are the same number', async () => {
  const { db } = database
  const values = ['0.1', '0.2', '1e3', 'none', '99999999999999999999.5']
  await store(db, ...values.map((tokens) => event({ subject: 'same', data: { tokens } })))
  const interval = {
    subjects: ['same'],
    from: new Date('2025-01-01T00:00:00Z'),
    to: new Date('2025-02-01T00:00:00Z'),
  }
  const rows = await queryMeter(db, { ...whole, ...interval })
  const { quantity } = await usageQuantity(db, { meter: meter(), ...interval })
  expect(rows).toMatchObject([{ value: quantity, windowStart: interval.from, windowEnd: interval.to }])
})

test('an interval that cuts a window is refused, in the zone of the windows', () => {
  const check = (at: string, size: (typeof windowSizes)[number], timeZone: string) => () =>
    checkAligned(Date.parse(at), size, { timeZone, field: 'from' })
  const refused = expect.objectContaining({ code: 'validation_failed', field: 'from' })
  expect(check('2025-01-01T00:00:30Z', 'MINUTE', 'UTC')).toThrow(refused)
  expect(check('2025-01-01T01:00:00Z', 'HOUR', 'Asia/Kathmandu')).toThrow(refused)
  expect(check('2025-01-01T00:15:00Z', 'HOUR', 'Asia/Kathmandu')).not.toThrow()
  expect(check('2025-01-01T00:00:00Z', 'DAY', 'America/New_York')).toThrow('2024-12-31T19:00:00')
  expect(check('2025-01-02T05:00:00Z', 'MONTH', 'America/New_York')).toThrow(refused)
  expect(check('2025-01-01T05:00:00Z', 'MONTH', 'America/New_York')).not.toThrow()
})
