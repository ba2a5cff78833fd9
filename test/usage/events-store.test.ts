import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { listEvents } from '../../src/db/stores/event-list.ts'
import { insertMeter } from '../../src/db/stores/meters.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { event, meter, store } from './support.ts'
import { runs } from '../support/properties.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  const details = { id: 'meter-1', key: 'tokens', name: null, description: null, metadata: null }
  await insertMeter(database.db, { ...meter(), ...details }, new Date())
})
afterAll(async () => {
  await database.drop()
})

const all = { texts: [], times: [], after: null, limit: 1000 }

test('rule 7: the same source and id is a duplicate, whatever else differs', async () => {
  const first = event({ id: 'resent' })
  expect(await store(database.db, first)).toEqual({ stored: 1, duplicate: 0, invalid: 0 })
  const again = { ...first, time: '2025-03-01T00:00:00Z', subject: 'other', type: 'unknown' }
  expect(await store(database.db, again)).toEqual({ stored: 0, duplicate: 1, invalid: 0 })
  expect(await store(database.db, { ...first, source: 'elsewhere' })).toEqual({
    stored: 1,
    duplicate: 0,
    invalid: 0,
  })
})

test('rule 7: of duplicates within a batch the first is stored', async () => {
  const first = event({ id: 'twice', data: { tokens: 5 } })
  const second = event({ id: 'twice', data: { tokens: 6 } })
  expect(await store(database.db, first, second)).toEqual({ stored: 1, duplicate: 1, invalid: 0 })
  const texts = [{ column: 'id', operator: 'in', values: ['twice'] }] as const
  expect(await listEvents(database.db, { ...all, texts })).toMatchObject([{ data: '{"tokens": 5}' }])
})

test('rule 7: concurrent batches with common events store each once, and none waits for ever', async () => {
  const ids = fc.uniqueArray(fc.nat({ max: 30 }), { minLength: 1, maxLength: 20 })
  let run = 0
  await fc.assert(
    fc.asyncProperty(fc.array(ids, { minLength: 2, maxLength: 5 }), async (batches) => {
      const source = `concurrent-${++run}`
      const counts = await Promise.all(
        batches.map((batch) => store(database.db, ...batch.map((id) => event({ source, id: String(id) })))),
      )
      const sum = (name: 'stored' | 'duplicate') => counts.reduce((total, count) => total + count[name], 0)
      const distinct = new Set(batches.flat()).size
      expect([sum('stored'), sum('duplicate')]).toEqual([distinct, batches.flat().length - distinct])
      const texts = [{ column: 'source', operator: 'in', values: [source] }] as const
      expect(await listEvents(database.db, { ...all, texts })).toHaveLength(distinct)
    }),
    { numRuns: runs(20) },
  )
})

test('rule 7: a batch that is rolled back leaves no identity behind', async () => {
  const lost = event({ id: 'rolled-back' })
  const transaction = await database.db.startTransaction().execute()
  await store(transaction, lost)
  await transaction.rollback().execute()
  expect(await store(database.db, lost)).toMatchObject({ stored: 1 })
})

test('an event that no meter can use is stored with the reason', async () => {
  const subject = 'unusable'
  const events = [
    event({ subject, type: 'mystery' }),
    event({ subject, data: { tokens: 'many' } }),
    event({ subject, data: {} }),
    event({ subject, data: { tokens: '1e400' } }),
    event({ subject, data: { tokens: '12.5' } }),
  ]
  expect(await store(database.db, ...events)).toEqual({ stored: 5, duplicate: 0, invalid: 4 })
  const texts = [{ column: 'subject', operator: 'in', values: [subject] }] as const
  const listed = await listEvents(database.db, { ...all, texts })
  expect(listed.map(({ validationError }) => validationError).reverse()).toEqual([
    'no meter found for event type: mystery',
    'the value at $.tokens is not a number within ±10^24 with at most 24 decimals: many',
    'event data has no value at $.tokens',
    'the value at $.tokens is not a number within ±10^24 with at most 24 decimals: 1e400',
    null,
  ])
})

test('the list goes on below a cursor, through events of one instant', async () => {
  const subject = 'paged'
  await store(database.db, ...Array.from({ length: 7 }, () => event({ subject })))
  const texts = [{ column: 'subject', operator: 'in', values: [subject] }] as const
  const whole = await listEvents(database.db, { ...all, texts })
  const first = await listEvents(database.db, { ...all, texts, limit: 3 })
  const rest = await listEvents(database.db, { ...all, texts, after: first.at(-1) ?? null })
  expect([...first, ...rest]).toEqual(whole)
})

test('events are found by their source, whether it sent few or many', async () => {
  await store(database.db, ...Array.from({ length: 1005 }, () => event({ source: 'busy' })))
  await store(database.db, event({ source: 'rare', id: 'same' }), event({ source: 'busy', id: 'same' }))
  const from = async (...values: readonly string[]) =>
    await listEvents(database.db, { ...all, texts: [{ column: 'source', operator: 'in', values }] })
  expect(await from('rare')).toMatchObject([{ source: 'rare', id: 'same' }])
  expect(new Set((await from('busy')).map(({ source }) => source))).toEqual(new Set(['busy']))
  expect(await from('busy')).toHaveLength(all.limit)
  expect(await from('nobody')).toEqual([])
})
