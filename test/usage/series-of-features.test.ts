import { afterAll, beforeAll, expect, test } from 'vitest'
import { featureMeters } from '../../src/db/stores/billing-settings.ts'
import { insertMeter } from '../../src/db/stores/meters.ts'
import { usageQuantity } from '../../src/db/stores/usage-query.ts'
import { findSeries } from '../../src/db/stores/usage-series.ts'
import { aggregations } from '../../src/domain/meters.ts'
import type { UsageMeter } from '../../src/domain/meters.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { event, meter, rollUpAll, store } from './support.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

const type = 'of-features'

/** A meter with a feature of the same key. */
async function addFeature(key: string, fields: UsageMeter): Promise<void> {
  const { db } = database
  const details = { id: `id-${key}`, key, name: null, description: null, metadata: null }
  await insertMeter(db, { ...fields, ...details }, new Date())
  await db
    .insertInto('features')
    .values({ id: `feature-${key}`, key, name: key, meterId: details.id })
    .execute()
}

test('the series that is found with a feature is the one of its meter', async () => {
  const { db } = database
  const meters = aggregations.flatMap((aggregation) =>
    ['$.tokens', '$', null].map((valueProperty) =>
      meter({ eventType: type, aggregation, valueProperty, groupBy: { model: '$.model' } }),
    ),
  )
  for (const [index, fields] of meters.entries()) await addFeature(`metered_${index}`, fields)
  await store(db, event({ type, subject: 'x', data: { tokens: 1 } }))
  await rollUpAll(db)
  await store(db, event({ type, subject: 'x', data: { tokens: 2 } }))
  const found: unknown[] = []
  for (const [index, fields] of meters.entries()) {
    const [feature] = await featureMeters(db, [`metered_${index}`])
    expect(feature?.series).toEqual(await findSeries(db, fields))
    found.push(feature?.series)
  }
  expect(new Set(found.map((series) => JSON.stringify(series))).size).toBeGreaterThan(3)
})

test('usage is counted right with a series that has moved on since it was found', async () => {
  const { db } = database
  const fields = meter({ eventType: 'moved-on' })
  await addFeature('moved_on', fields)
  const one = () =>
    event({ type: 'moved-on', subject: 'x', time: '2025-01-15T12:00:00Z', data: { tokens: 1 } })
  await store(db, one())
  await rollUpAll(db)
  const [feature] = await featureMeters(db, ['moved_on'])
  const series = feature?.series
  expect(series).toMatchObject({ isBehind: false })
  if (series === undefined) throw new Error('there is no feature')
  const january = { from: new Date('2025-01-01T00:00:00Z'), to: new Date('2025-02-01T00:00:00Z') }
  const request = { meter: fields, subjects: ['x'], ...january, series }
  await store(db, one())
  expect((await usageQuantity(db, request)).quantity).toBe('2')
  await rollUpAll(db)
  expect((await usageQuantity(db, request)).quantity).toBe('2')
})
