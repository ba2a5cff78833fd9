import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database, Db } from '../../src/db/connection.ts'
import { askOnSnapshot } from '../../src/db/transaction.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
/** One connection: who asks next has it when the one before has given it back. */
let single: Database
beforeAll(async () => {
  database = await createTestDatabase()
  single = openDatabase({ connectionString: database.url, maxConnections: 1 })
  await sql`CREATE TABLE counted (n int NOT NULL)`.execute(database.db)
})
afterAll(async () => {
  await single.destroy()
  await database.drop()
})

const count = async (db: Db): Promise<number> => {
  const { rows } = await sql<{ found: number }>`SELECT count(*)::int AS found FROM counted`.execute(db)
  return rows[0]?.found ?? -1
}
const add = async (db: Db): Promise<void> => void (await sql`INSERT INTO counted VALUES (1)`.execute(db))

test('questions on one snapshot do not see what is written between them', async () => {
  const [before, after] = await askOnSnapshot(single, async (trx) => {
    const first = await count(trx)
    await add(database.db)
    return [first, await count(trx)] as const
  })
  expect(after).toBe(before)
  expect(await count(single)).toBe(before + 1)
})

test('who asks on a snapshot may not write, is told what failed, and gives the connection back', async () => {
  await expect(askOnSnapshot(single, add)).rejects.toMatchObject({ code: '25006' })
  const asked = askOnSnapshot(single, async () => await Promise.reject(new Error('no answer')))
  await expect(asked).rejects.toThrow('no answer')
  expect(await askOnSnapshot(single, count)).toBe(await count(single))
})
