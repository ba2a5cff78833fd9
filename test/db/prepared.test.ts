import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { prepared } from '../../src/db/prepared.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
/** One connection: what was prepared is there. */
let db: Database

beforeAll(async () => {
  database = await createTestDatabase()
  db = openDatabase({ connectionString: database.url, maxConnections: 1 })
  await sql`CREATE TABLE prepared_rows (id text PRIMARY KEY, display_name text)`.execute(db)
  await sql`INSERT INTO prepared_rows VALUES ('a', 'Anna'), ('b', 'Bea')`.execute(db)
})
afterAll(async () => {
  await db.destroy()
  await database.drop()
})

interface Named {
  readonly displayName: string
}

test('a prepared question is parsed once, and answers for the values it is asked with', async () => {
  const names = prepared((built, greeting: string, ids: readonly string[]) =>
    sql<Named>`SELECT ${greeting}::text || display_name AS display_name FROM prepared_rows
      WHERE id = any(${ids}::text[]) AND id <> ${'constant'} ORDER BY id`.compile(built),
  )
  expect(await names(db, 'Hi ', ['a', 'b'])).toEqual([{ displayName: 'Hi Anna' }, { displayName: 'Hi Bea' }])
  expect(await names(db, 'Yo ', ['b'])).toEqual([{ displayName: 'Yo Bea' }])
  await db.transaction().execute(async (trx) => {
    await sql`UPDATE prepared_rows SET display_name = 'Cleo' WHERE id = 'a'`.execute(trx)
    expect(await names(trx, '', ['a'])).toEqual([{ displayName: 'Cleo' }])
  })
  const { rows } = await sql`
    SELECT generic_plans + custom_plans AS runs FROM pg_prepared_statements WHERE statement LIKE '%prepared_rows%'`.execute(
    db,
  )
  expect(rows).toEqual([{ runs: '3' }])
})

test('a migration that adds a column while a question is prepared does not make it fail', async () => {
  const byId = prepared((built, id: string) =>
    sql<Named>`SELECT display_name, to_jsonb(p) -> 'id' AS id FROM prepared_rows p WHERE id = ${id}`.compile(
      built,
    ),
  )
  await byId(db, 'b')
  await sql`ALTER TABLE prepared_rows ADD COLUMN born date`.execute(db)
  expect(await byId(db, 'b')).toEqual([{ displayName: 'Bea', id: 'b' }])
})

test('a question for all columns is not prepared: that one would fail', async () => {
  const builders = [
    prepared((built, id: string) => built.selectFrom('plans').selectAll().where('id', '=', id).compile()),
    prepared((built) => built.selectFrom('plans').select('id').selectAll('plans').compile()),
    prepared((built) => sql`SELECT p.* FROM plans p`.compile(built)),
  ]
  for (const ask of builders) await expect(ask(db, 'a')).rejects.toThrow('name the columns')
})
