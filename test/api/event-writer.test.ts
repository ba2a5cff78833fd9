import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eventWriter } from '../../src/api/event-writer.ts'
import { openDatabase } from '../../src/db/connection.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { event } from '../usage/support.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

test('rule 7: requests that are stored together are counted each alone', async () => {
  const write = eventWriter(database.db)
  const now = new Date()
  const common = event({ id: 'common' })
  const counts = await Promise.all([
    write([event()], now),
    write([event()], now),
    write([common, event()], now),
    write([event(), common, common], now),
    write([], now),
  ])
  expect(counts).toEqual([
    { stored: 1, duplicate: 0, invalid: 1 },
    { stored: 1, duplicate: 0, invalid: 1 },
    { stored: 2, duplicate: 0, invalid: 2 },
    { stored: 1, duplicate: 2, invalid: 1 },
    { stored: 0, duplicate: 0, invalid: 0 },
  ])
})

test('one request that cannot be stored fails alone', async () => {
  const write = eventWriter(database.db)
  const now = new Date()
  const outcomes = await Promise.allSettled(
    [event(), event(), event(), event({ time: 'never' }), event()].map(
      async (one) => await write([one], now),
    ),
  )
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
  ])
})

test('one of many that cannot be stored costs the others few transactions', async () => {
  const write = eventWriter(database.db)
  const good = Array.from({ length: 127 }, (_, index) => event({ id: `among-many-${index}` }))
  const sent = good.toSpliced(50, 0, event({ time: 'never' }))
  const outcomes = await Promise.allSettled(sent.map(async (one) => await write([one], new Date())))
  expect(outcomes.flatMap(({ status }, index) => (status === 'rejected' ? [index] : []))).toEqual([50])
  const { rows } = await sql<{ events: number; transactions: number }>`
    SELECT count(*)::int AS events, count(DISTINCT txid)::int AS transactions FROM events
    WHERE id LIKE 'among-many-%'`.execute(database.db)
  expect(rows[0]?.events).toBe(127)
  // Two that were first, and the halves beside the one that fails: 64, 32, 16, …
  expect(rows[0]?.transactions).toBeLessThanOrEqual(2 + 7)
})

test('who is told that events are stored finds them stored, also where the connection is lost', async () => {
  const { db, url } = database
  await sql`CREATE FUNCTION lose_connection() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$`.execute(db)
  await sql`CREATE TRIGGER lose_connection BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.subject = 'fatal')
    EXECUTE FUNCTION lose_connection()`.execute(db)
  // A pool of its own: one that lost a connection may hand it out until it has seen its end.
  const losing = openDatabase({ connectionString: url, maxConnections: 2 })
  const writeLosing = eventWriter(losing)
  const now = new Date()
  const sent = [event(), event(), event(), event({ subject: 'fatal' }), event()]
  const outcomes = await Promise.allSettled(sent.map(async (one) => await writeLosing([one], now)))
  // The first two are under way when the others come, which are stored together.
  expect(outcomes.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'rejected',
    'rejected',
  ])
  await losing.destroy()
  await sql`DROP TRIGGER lose_connection ON events`.execute(db)
  const write = eventWriter(db)
  const again = await Promise.all(sent.map(async (one) => await write([one], now)))
  expect(again.map(({ duplicate }) => duplicate)).toEqual([1, 1, 0, 0, 0])
})

test('a group is no larger than a batch, and everything in it is stored', async () => {
  const write = eventWriter(database.db)
  const now = new Date()
  const sizes = [1, 400, 700, 1, 1200, 3, 2]
  const counts = await Promise.all(
    sizes.map(
      async (size) =>
        await write(
          Array.from({ length: size }, () => event()),
          now,
        ),
    ),
  )
  expect(counts.map(({ stored }) => stored)).toEqual(sizes)
})
