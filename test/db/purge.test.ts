import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertAccessRequest, settleAccessRequests } from '../../src/db/stores/access-requests.ts'
import { purgeDone } from '../../src/db/stores/purge.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

test('access that was asked for and is settled is forgotten after 30 days, what is pending is not', async () => {
  const { db } = database
  const now = new Date()
  await db.insertInto('customers').values({ id: 'customer', key: 'customer', name: 'Customer' }).execute()
  for (const id of ['granted', 'withdrawn', 'pending'])
    await insertAccessRequest(db, {
      id,
      customerId: 'customer',
      subscriptionId: null,
      featureKey: null,
      requestedAt: now,
      metadata: null,
    })
  await settleAccessRequests(db, ['granted'], { status: 'granted', grantedAt: now })
  await settleAccessRequests(db, ['withdrawn'], { status: 'withdrawn' })
  const left = async (): Promise<readonly string[]> =>
    (await db.selectFrom('accessRequests').select('id').orderBy('id').execute()).map(({ id }) => id)
  const inDays = (days: number): Date => new Date(now.getTime() + days * 24 * 3_600_000)
  await purgeDone(db, inDays(29))
  expect(await left()).toEqual(['granted', 'pending', 'withdrawn'])
  await purgeDone(db, inDays(31))
  expect(await left()).toEqual(['pending'])
})

test('what was delivered goes after 30 days, however old what was not is', async () => {
  const { db } = database
  const stored = (count: number, doneAt: Date | null) =>
    Array.from({ length: count }, () => ({
      kind: 'start_invoice',
      subjectId: 'invoice',
      payload: '{}',
      doneAt,
    }))
  const monthsAgo = new Date(Date.now() - 60 * 24 * 3_600_000)
  await db.insertInto('outbox').values(stored(1, null)).execute()
  await db.insertInto('outbox').values(stored(1500, monthsAgo)).execute()
  await db.insertInto('outbox').values(stored(2, new Date())).execute()
  await purgeDone(db, new Date())
  const left = await db.selectFrom('outbox').select('doneAt').execute()
  expect(left.filter(({ doneAt }) => doneAt === null)).toHaveLength(1)
  expect(left).toHaveLength(3)
})
