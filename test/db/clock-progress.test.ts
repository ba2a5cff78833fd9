import { afterAll, beforeAll, expect, test } from 'vitest'
import { getTestClock, setClockReady, setClockTime } from '../../src/db/stores/clock-progress.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

test('a step that stood still takes no clock back that another one brought to its target', async () => {
  const { db } = database
  const id = 'clock'
  const [start, between, target] = [1, 2, 3].map((day) => new Date(Date.UTC(2026, 1, day)))
  if (!start || !between || !target) throw new Error('three days')
  await db
    .insertInto('testClocks')
    .values({ id, name: id, frozenTime: start, targetTime: target, status: 'advancing' })
    .execute()
  await setClockTime(db, { id, frozenTime: start }, { frozenTime: target, statusReason: null })
  await setClockReady(db, id, { frozenTime: target, statusReason: null })
  await setClockTime(db, { id, frozenTime: start }, { frozenTime: between, statusReason: 'late' })
  expect(await getTestClock(db, id)).toMatchObject({
    frozenTime: target,
    status: 'ready',
    statusReason: null,
  })
})
