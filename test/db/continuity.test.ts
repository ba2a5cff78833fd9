import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { aliveSince, noteAlive } from '../../src/db/stores/continuity.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => await database.drop())
beforeEach(async () => void (await database.db.deleteFrom('continuity').execute()))

/** As a worker reads it with what it writes: how many minutes ago, null where it is not known. */
async function aliveForMinutes(): Promise<number | null> {
  const { rows } = await sql<{ minutes: number | null }>`
    SELECT round(extract(epoch FROM now() - ${aliveSince}) / 60)::int AS minutes`.execute(database.db)
  return rows[0]?.minutes ?? null
}

/** Noted for an hour, last so many minutes ago; from now on where that is negative. */
async function notedMinutesAgo(minutes: number): Promise<Date> {
  const { rows } = await sql<{ seenAt: Date }>`
    INSERT INTO continuity (alive_since, seen_at, server_started)
    VALUES (now() - interval '1 hour', now() - ${minutes}::int * interval '1 minute', pg_postmaster_start_time())
    ON CONFLICT (only_row) DO UPDATE SET seen_at = excluded.seen_at RETURNING seen_at`.execute(database.db)
  return rows[0]?.seenAt ?? new Date(0)
}

test('where no worker has noted it since when the database is there is not known, and since now after the first', async () => {
  expect(await aliveForMinutes()).toBeNull()
  await noteAlive(database.db, null)
  expect(await aliveForMinutes()).toBe(0)
})

test('what is noted again and again goes on, whichever worker notes it, and after a restart', async () => {
  const noted = await notedMinutesAgo(4)
  const again = await noteAlive(database.db, noted)
  await noteAlive(database.db, null)
  await Promise.all([
    noteAlive(database.db, again),
    noteAlive(database.db, noted),
    noteAlive(database.db, null),
  ])
  expect(await aliveForMinutes()).toBe(60)
})

test('of a database that was restored from a backup it is not known until it is noted, and then since now', async () => {
  await notedMinutesAgo(6)
  expect(await aliveForMinutes()).toBeNull()
  await noteAlive(database.db, null)
  expect(await aliveForMinutes()).toBe(0)
})

test.each(['-', '+'])(
  'of a database on a server that started earlier or later (%s) it is not known until it is noted, and then since now',
  async (sign) => {
    await notedMinutesAgo(0)
    await sql`UPDATE continuity SET server_started = server_started ${sql.raw(sign)} interval '1 second'`.execute(
      database.db,
    )
    expect(await aliveForMinutes()).toBeNull()
    await noteAlive(database.db, null)
    expect(await aliveForMinutes()).toBe(0)
  },
)

test('a worker that lived on knows a database that was set back by less than the gap', async () => {
  await notedMinutesAgo(0)
  const noted = await noteAlive(database.db, null)
  await notedMinutesAgo(2)
  await noteAlive(database.db, noted)
  expect(await aliveForMinutes()).toBe(0)
})

test('a clock of the database that was far ahead hides no gap', async () => {
  const ahead = await notedMinutesAgo(-600)
  expect(await aliveForMinutes()).toBeNull()
  const noted = await noteAlive(database.db, ahead)
  expect(noted.getTime()).toBeLessThan(ahead.getTime())
  expect(await aliveForMinutes()).toBe(0)
})
