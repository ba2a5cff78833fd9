import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startPulse } from '../../src/reconcile/pulse.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { waitFor } from '../support/scenario.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => await database.drop())

const noted = async (): Promise<readonly Date[]> =>
  (await database.db.selectFrom('continuity').select('seenAt').execute()).map(({ seenAt }) => seenAt)

test('a worker notes as soon as it starts that the database is there', async () => {
  const pulse = startPulse({ db: database.db, log: { warn: () => {} } })
  await waitFor(noted, ({ length }) => length === 1)
  await pulse.stop()
})

test('a database that cannot be written to is told, and the pulse goes on', async () => {
  const told: string[] = []
  await sql`ALTER TABLE continuity RENAME TO continuity_away`.execute(database.db)
  const pulse = startPulse({
    db: database.db,
    log: { warn: (_fields, message) => void told.push(message) },
    everyMs: 20,
  })
  await waitFor(
    async () => told,
    ({ length }) => length > 1,
  )
  await sql`ALTER TABLE continuity_away RENAME TO continuity`.execute(database.db)
  const [before] = await noted()
  await waitFor(noted, ([seenAt]) => seenAt !== undefined && before !== undefined && seenAt > before)
  await pulse.stop()
  expect(told[0]).toContain('it is tried again')
})
