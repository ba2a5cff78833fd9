import { afterAll, beforeAll, expect, test } from 'vitest'
import { activePlan } from '../../src/billing/active-plan.ts'
import { setPlanEffective } from '../../src/db/stores/plans.ts'
import { insertPlan } from '../api/billing-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

test('what a process whose clock is ahead has published can be subscribed to', async () => {
  const { db } = database
  const here = new Date('2026-01-01T00:00:00Z')
  const ahead = new Date('2026-01-01T00:02:00Z')
  const first = await insertPlan(db, { key: 'pro' })
  const second = await insertPlan(db, { key: 'pro', version: 2, draft: true })
  await setPlanEffective(db, first, { effectiveTo: ahead }, ahead)
  await setPlanEffective(db, second, { effectiveFrom: ahead, effectiveTo: null }, ahead)
  expect(await activePlan(db, { key: 'pro' }, here)).toMatchObject({ version: 2 })
  // Until this clock is there, too, both are in force.
  expect(await activePlan(db, { key: 'pro', version: 1 }, here)).toMatchObject({ version: 1 })
  await expect(activePlan(db, { key: 'pro', version: 1 }, ahead)).rejects.toThrow('archived')
})
