import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  currentCutoff,
  hasLateUsage,
  usageQuantity,
  usageQuantityAtCutoff,
} from '../../src/db/stores/usage-query.ts'
import { aggregations } from '../../src/domain/meters.ts'
import type { Aggregation } from '../../src/domain/meters.ts'
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

const from = new Date('2025-01-01T00:00:00Z')
const to = new Date('2025-02-01T00:00:00Z')
const january = (subject: string) => ({ meter: meter(), subjects: [subject], from, to })
const quantities = async (subject: string): Promise<Record<string, string | null>> => {
  const entries = aggregations.map(async (aggregation: Aggregation) => {
    const request = { ...january(subject), meter: meter({ aggregation }) }
    return [aggregation, (await usageQuantity(database.db, request)).quantity] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

test('rule 2: an event at exactly `to` belongs to the next period, one at `from` to this', async () => {
  const times = [
    '2024-12-31T23:59:59.999999Z',
    '2025-01-01T00:00:00Z',
    '2025-01-31T23:59:59.999999Z',
    '2025-02-01T00:00:00Z',
  ]
  await store(
    database.db,
    ...times.map((time, index) => event({ subject: 'edges', time, data: { tokens: 10 ** index } })),
  )
  expect(await usageQuantity(database.db, january('edges'))).toEqual({ quantity: '110', eventCount: 2 })
})

test('rule 11: SUM and COUNT of nothing are 0, the others no value', async () => {
  const nothing = { SUM: '0', COUNT: '0', UNIQUE_COUNT: '0', AVG: null, MIN: null, MAX: null, LATEST: null }
  expect(await quantities('nobody')).toEqual(nothing)
})

test('every aggregation is exact', async () => {
  const values = ['0.1', '0.2', '123456789012345678.000000000000000001', '0.2']
  const events = values.map((value) => event({ subject: 'exact', data: { tokens: value } }))
  await store(database.db, ...events)
  expect(await quantities('exact')).toEqual({
    SUM: '123456789012345678.500000000000000001',
    COUNT: '4',
    UNIQUE_COUNT: '3',
    AVG: '30864197253086419.62500000000000000025',
    MIN: '0.1',
    MAX: '123456789012345678.000000000000000001',
    LATEST: '0.2',
  })
})

test('the latest of one instant is the one stored last', async () => {
  const at = (tokens: number, time: string) => event({ subject: 'latest', time, data: { tokens } })
  await store(
    database.db,
    at(9, '2025-01-03T00:00:00Z'),
    at(2, '2025-01-03T00:00:00Z'),
    at(5, '2025-01-02T00:00:00Z'),
  )
  expect((await quantities('latest'))['LATEST']).toBe('2')
})

test('a meter counts exactly the events that it can use', async () => {
  const data = [
    { tokens: 1 },
    { tokens: ' 1' },
    { tokens: '1e400' },
    { tokens: '1e-30' },
    { tokens: null },
    {},
    { tokens: { a: 1 } },
  ]
  const more = [{ tokens: true }, { tokens: '1e24' }, { tokens: '+1.5e1' }, [1], 'text']
  await store(database.db, ...[...data, ...more].map((value) => event({ subject: 'unusable', data: value })))
  expect(await usageQuantity(database.db, january('unusable'))).toEqual({ quantity: '16', eventCount: 2 })
  expect((await quantities('unusable'))['COUNT']).toBe('12')
})

test('group-by filters select, and a key the meter lacks selects nothing', async () => {
  const models = ['small', 'large', undefined]
  await store(database.db, ...models.map((model) => event({ subject: 'groups', data: { tokens: 1, model } })))
  const request = { ...january('groups'), meter: meter({ groupBy: { model: '$.model' } }) }
  const filtered = async (filters: Record<string, string[]>) =>
    (await usageQuantity(database.db, { ...request, groupByFilters: filters })).quantity
  expect(await filtered({ model: ['small'] })).toBe('1')
  expect(await filtered({ model: ['small', 'large'] })).toBe('2')
  expect(await filtered({ region: ['eu'] })).toBe('0')
})

test('a meter counts from its own first instant on, and only the subjects it is asked for', async () => {
  await store(
    database.db,
    event({ subject: 'late-meter' }),
    event({ subject: 'late-meter', time: '2025-01-20T00:00:00Z' }),
  )
  const eventFrom = new Date('2025-01-20T00:00:00Z')
  const request = { ...january('late-meter'), meter: meter({ eventFrom }) }
  expect((await usageQuantity(database.db, request)).quantity).toBe('1')
  expect((await usageQuantity(database.db, { ...request, subjects: [] })).quantity).toBe('0')
})

test('rule 8: a cutoff recounts to the same number, also with transactions open across it', async () => {
  const { db } = database
  const slow = await db.startTransaction().execute()
  await store(slow, event({ subject: 'cutoff', data: { tokens: 100 } }))
  await store(db, event({ subject: 'cutoff', data: { tokens: 1 } }))
  const cutoff = await currentCutoff(db)
  await store(db, event({ subject: 'cutoff', data: { tokens: 10 } }))
  const request = { ...january('cutoff'), cutoff }
  expect(await usageQuantityAtCutoff(db, request)).toEqual({ quantity: '1', eventCount: 1 })
  await slow.commit().execute()
  expect(await usageQuantityAtCutoff(db, request)).toEqual({ quantity: '1', eventCount: 1 })
  expect(await usageQuantity(db, january('cutoff'))).toEqual({ quantity: '111', eventCount: 3 })
})

test('rule 8: at any cutoff, what it saw and what is late are all there is', async () => {
  const { db } = database
  const steps = fc.array(fc.record({ tokens: fc.nat({ max: 99 }), open: fc.boolean() }), {
    minLength: 1,
    maxLength: 5,
  })
  let run = 0
  await fc.assert(
    fc.asyncProperty(steps, fc.nat({ max: 5 }), async (list, cutAt) => {
      const subject = `mixed-${++run}`
      const open = []
      let seen = 0
      let cutoff = await currentCutoff(db)
      for (const [index, { tokens, open: stays }] of list.entries()) {
        if (stays) open.push(await db.startTransaction().execute())
        await store(stays ? (open.at(-1) ?? db) : db, event({ subject, data: { tokens } }))
        if (index >= cutAt) continue
        if (!stays) seen += tokens
        cutoff = await currentCutoff(db)
      }
      for (const transaction of open) await transaction.commit().execute()
      const request = { ...january(subject), cutoff }
      expect((await usageQuantityAtCutoff(db, request)).quantity).toBe(String(seen))
      const late = list.filter((step, index) => step.open || index >= cutAt).length
      expect(await hasLateUsage(db, request)).toBe(late > 0)
    }),
    { numRuns: runs(15) },
  )
})
