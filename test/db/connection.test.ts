import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/connection.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

test('a connection that the server ends within a transaction fails that transaction, and nothing else', async () => {
  const db = openDatabase({ connectionString: database.url, maxConnections: 1 })
  const ended = db.transaction().execute(async (trx) => {
    const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(trx)
    const pid = rows[0]?.pid ?? 0
    await sql`SELECT pg_terminate_backend(${pid}, 5000)`.execute(database.db)
    await sql`SELECT 1`.execute(trx)
  })
  await expect(ended).rejects.toThrow()
  const { rows } = await sql<{ one: number }>`SELECT 1 AS one`.execute(db)
  expect(rows).toEqual([{ one: 1 }])
  await db.destroy()
})
