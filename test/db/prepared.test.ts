import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { namingFirstTexts, prepared, preparedForms } from '../../src/db/prepared.ts'
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

interface Change {
  readonly id: string
  readonly set: { readonly display_name?: string | undefined; readonly rank?: number | null }
}
const statements = async (): Promise<number> => {
  const found = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM pg_prepared_statements WHERE statement LIKE '%prepared_forms%'`.execute(
    db,
  )
  return found.rows[0]?.count ?? 0
}

test('what is written is prepared once for each set of columns, and each writes its own values', async () => {
  await sql`CREATE TABLE prepared_forms (id text PRIMARY KEY, display_name text, rank int)`.execute(db)
  const insert = preparedForms((built, { rows }: { readonly rows: readonly object[] }) =>
    sql<Named>`INSERT INTO prepared_forms (id, rank) VALUES ${sql.join(
      rows.map((row) => sql`(${sql.join(Object.values(row))})`),
    )} RETURNING display_name`.compile(built),
  )
  const update = preparedForms((built, { id, set }: Change) =>
    sql<Named>`UPDATE prepared_forms SET ${sql.join(
      Object.entries(set).map(([column, value]) => sql`${sql.ref(column)} = ${value}`),
    )} WHERE id = ${id} RETURNING display_name`.compile(built),
  )
  const before = await statements()
  await insert(db, {
    rows: [
      { id: 'a', rank: 1 },
      { id: 'b', rank: 2 },
    ],
  })
  await insert(db, {
    rows: [
      { id: 'c', rank: 3 },
      { id: 'd', rank: 4 },
    ],
  })
  await insert(db, { rows: [{ id: 'e', rank: null }] })
  expect(await update(db, { id: 'a', set: { display_name: 'Anna' } })).toEqual([{ displayName: 'Anna' }])
  expect(await update(db, { id: 'b', set: { rank: null, display_name: 'Bea' } })).toHaveLength(1)
  // What is left out is not written.
  expect(await update(db, { id: 'b', set: { rank: 7, display_name: undefined } })).toHaveLength(1)
  expect(await update(db, { id: 'c', set: { display_name: 'Cleo' } })).toEqual([{ displayName: 'Cleo' }])
  const { rows } = await sql`SELECT id, display_name, rank FROM prepared_forms ORDER BY id`.execute(db)
  expect(rows).toEqual([
    { id: 'a', displayName: 'Anna', rank: 1 },
    { id: 'b', displayName: 'Bea', rank: 7 },
    { id: 'c', displayName: 'Cleo', rank: 3 },
    { id: 'd', displayName: null, rank: 4 },
    { id: 'e', displayName: null, rank: null },
  ])
  expect((await statements()) - before).toBe(5)
})

test('forms beyond the first ones are written as well, and no connection remembers them', async () => {
  await sql`CREATE TABLE prepared_forms_many (rank int)`.execute(db)
  const insert = preparedForms((built, { rows }: { readonly rows: readonly { readonly rank: number }[] }) =>
    sql`INSERT INTO prepared_forms_many VALUES ${sql.join(rows.map(({ rank }) => sql`(${rank}::int)`))}`.compile(
      built,
    ),
  )
  const before = await statements()
  for (let count = 1; count <= 40; count += 1)
    await insert(db, { rows: Array.from({ length: count }, (_unused, rank) => ({ rank })) })
  expect((await statements()) - before).toBe(32)
  const { rows } = await sql`SELECT count(*)::int AS count FROM prepared_forms_many`.execute(db)
  expect(rows).toEqual([{ count: 820 }])
})

test('of questions that are built anew the first texts are prepared, the others are answered as well', async () => {
  const count = async (): Promise<number> => {
    const { rows } = await sql<{ count: number }>`
      SELECT count(*)::int AS count FROM pg_prepared_statements WHERE statement LIKE '%prepared_texts%'`.execute(
      db,
    )
    return rows[0]?.count ?? 0
  }
  await sql`CREATE TABLE prepared_texts AS SELECT generate_series(1, 50) AS rank`.execute(db)
  const ask = namingFirstTexts()
  const before = await count()
  for (let length = 1; length <= 40; length += 1) {
    for (const first of [1, 2]) {
      const ranks = Array.from({ length }, (_unused, index) => sql`${first + index}::int`)
      const question = sql<{
        rank: number
      }>`SELECT rank FROM prepared_texts WHERE rank IN (${sql.join(ranks)})`
      expect(await ask(db, question)).toHaveLength(length)
    }
  }
  expect((await count()) - before).toBe(32)
})
