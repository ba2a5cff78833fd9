import { afterAll, beforeAll, expect, test } from 'vitest'
import { inboxWriter } from '../../src/api/inbox-writer.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { insertProfile } from './billing-fixtures.ts'

let database: TestDatabase
let appId: string
beforeAll(async () => {
  database = await createTestDatabase()
  appId = (await insertProfile(database.db)).appId
})
afterAll(async () => await database.drop())

const event = (id: string, objectId = 'in_1') => ({
  id,
  type: 'invoice.paid',
  objectId,
  invoiceId: null,
  stripeInvoiceId: null,
  stripeCustomerId: null,
  createdMs: 1_750_000_000_000,
})

const stored = async (): Promise<readonly string[]> => {
  const { db } = database
  const rows = await db.selectFrom('stripeEvents').select('eventId').orderBy('receivedAt').execute()
  return rows.map(({ eventId }) => eventId)
}

test('rule 30: what comes at one time is stored in its order, and of one that comes twice one is new', async () => {
  const write = inboxWriter(database.db)
  const ids = ['evt_1', ...Array.from({ length: 30 }, (_unused, index) => `evt_of_${index}`), 'evt_1']
  const news = await Promise.all(ids.map(async (id) => await write(appId, event(id))))
  expect(news).toEqual([...ids.slice(1).map(() => true), false])
  expect(await stored()).toEqual(ids.slice(0, -1))
  const again = await Promise.all(
    ['evt_of_0', 'evt_of_0', 'evt_2', 'evt_2'].map(async (id) => await write(appId, event(id))),
  )
  expect(again).toEqual([false, false, true, false])
})

test('one that cannot be stored fails alone', async () => {
  const write = inboxWriter(database.db)
  const before = (await stored()).length
  const outcomes = await Promise.allSettled([
    write(appId, event('evt_a')),
    write(appId, event('evt_b')),
    write(appId, event('evt_bad', 'no text holds \u0000')),
    write('no such app', event('evt_of_nobody')),
    write(appId, event('evt_c')),
  ])
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
    'fulfilled',
  ])
  expect((await stored()).slice(before)).toEqual(['evt_a', 'evt_b', 'evt_c'])
})
