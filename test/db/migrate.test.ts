import { randomUUID } from 'node:crypto'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { sql } from 'kysely'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { isOutsideTransaction, readMigrations } from '../../src/db/migration-files.ts'
import { migrate, pendingMigrations, requireSchema, untilSchema } from '../../src/db/migrate.ts'
import { waitFor } from '../support/scenario.ts'
import { adminUrl } from '../support/database.ts'

let url = ''
let db: Database
const cleanUps: (() => Promise<void>)[] = []

beforeEach(async () => {
  const admin = await adminUrl()
  const name = `empty_${randomUUID().replaceAll('-', '')}`
  const postgres = openDatabase({ connectionString: admin, maxConnections: 1 })
  await sql.raw(`CREATE DATABASE ${name}`).execute(postgres)
  url = Object.assign(new URL(admin), { pathname: `/${name}` }).href
  db = openDatabase({ connectionString: url, maxConnections: 4 })
  cleanUps.push(async () => {
    await db.destroy()
    await sql.raw(`DROP DATABASE ${name} WITH (FORCE)`).execute(postgres)
    await postgres.destroy()
  })
})
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp()
})

/** A session of its own, as another process has it. */
async function session(): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  cleanUps.push(async () => await client.end())
  return client
}

async function folderOf(files: Readonly<Record<string, string>>): Promise<URL> {
  const folder = await mkdtemp(join(tmpdir(), 'perennial-migrations-'))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, `${name}.sql`), text)
  return pathToFileURL(`${folder}/`)
}

/** Those that need a lock on the usage tables for a moment, and why they cannot do without. */
const brief: readonly string[] = []

test('every migration runs while a worker writes usage and a query reads it, and waits for neither', async () => {
  const files = await readMigrations()
  const worker = await session()
  for (const [index, file] of files.entries()) {
    const known = Object.fromEntries(files.slice(0, index + 1).map(({ name, text }) => [name, text]))
    // The locks of a query and of an insert that go on for as long as the migration takes.
    await worker.query('BEGIN')
    if (index > 0) {
      await worker.query('LOCK TABLE events, event_identities IN ROW EXCLUSIVE MODE')
      await worker.query('SELECT count(*) FROM events, event_identities')
    }
    // An index that is built concurrently waits for those who are there already, and holds nobody up.
    if (isOutsideTransaction(file) || brief.includes(file.name)) await worker.query('COMMIT')
    await migrate(db, { folder: await folderOf(known), lockTimeoutMs: 500, tries: 1 })
    await worker.query('COMMIT')
  }
  expect(await pendingMigrations(db)).toEqual([])

  const slow = await folderOf({ '9999_slow': 'ALTER TABLE events ALTER COLUMN subject TYPE varchar(9)' })
  await worker.query('BEGIN; SELECT count(*) FROM events')
  await expect(migrate(db, { folder: slow, lockTimeoutMs: 500, tries: 1 })).rejects.toThrow('9999_slow')
})

test('a migration that fails leaves nothing of itself, and those before it stay', async () => {
  const good = await folderOf({ '0001_a': 'CREATE TABLE a (id int)' })
  const bad = {
    '0001_a': '',
    '0002_b': 'CREATE TABLE b (id int); SELECT 1 / 0',
    '0003_c': 'CREATE TABLE c (id int)',
  }
  expect(await migrate(db, { folder: good })).toEqual(['0001_a'])
  await expect(migrate(db, { folder: await folderOf(bad) })).rejects.toThrow('division by zero')
  const { rows } = await sql<{
    name: string
  }>`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`.execute(db)
  expect(rows.map(({ name }) => name).toSorted()).toEqual(['a', 'kysely_migration'])
  // Mended, it goes on.
  const mended = await folderOf({ ...bad, '0002_b': 'CREATE TABLE b (id int)' })
  expect(await migrate(db, { folder: mended })).toEqual(['0002_b', '0003_c'])
})

test('a connection that is lost during a migration is told as that, not as what could not be done afterwards', async () => {
  const folder = await folderOf({ '0001_a': 'SELECT pg_terminate_backend(pg_backend_pid())' })
  await expect(migrate(db, { folder })).rejects.toMatchObject({ code: '57P01' })
})

test('a session that does not hold the lock of migrators begins none, as behind a transaction pooler', async () => {
  const folder = await folderOf({
    '0001_a': 'SELECT pg_advisory_unlock_all()',
    '0002_b': 'CREATE TABLE b (id int)',
  })
  await expect(migrate(db, { folder })).rejects.toThrow('0002_b was not begun')
})

test('several migrators at once run each migration once, indexes that are built concurrently among them', async () => {
  const folder = await folderOf({
    '0001_a': 'CREATE TABLE a (id int)',
    '0002_index': `-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS a_id;
CREATE INDEX CONCURRENTLY IF NOT EXISTS a_id ON a (id);
`,
  })
  const ran = await Promise.all([migrate(db, { folder }), migrate(db, { folder }), migrate(db, { folder })])
  expect(ran.flat()).toEqual(['0001_a', '0002_index'])
  const { rows } = await sql<{ valid: boolean }>`
    SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = 'a_id'::regclass`.execute(db)
  expect(rows).toEqual([{ valid: true }])
})

test('a migration that gets no lock lets the others go by, and comes again', async () => {
  await migrate(db, { folder: await folderOf({ '0001_a': 'CREATE TABLE a (id int)' }) })
  const folder = await folderOf({ '0001_a': '', '0002_b': 'ALTER TABLE a ADD COLUMN b int' })
  const [long, other] = [await session(), await session()]
  await long.query('BEGIN; SELECT * FROM a')
  const options = { folder, lockTimeoutMs: 50, retryAfterMs: 10 }
  await expect(migrate(db, { ...options, tries: 2 })).rejects.toThrow('0002_b got no lock')

  const migrating = migrate(db, { ...options, tries: 10_000 })
  const waits = `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'ALTER TABLE a%' AND wait_event_type = 'Lock'`
  await waitFor(
    async () => (await other.query(waits)).rowCount,
    (count) => count === 1,
  )
  // Behind a migration that waits for its lock, this one would wait as long.
  await other.query('SELECT * FROM a')
  await long.query('COMMIT')
  expect(await migrating).toEqual(['0002_b'])
})

test('a program on an older schema refuses to start and says what to do; one on a newer schema starts', async () => {
  await expect(requireSchema(db)).rejects.toThrow('run perennial migrate (0001_usage, ')
  await migrate(db)
  await migrate(db, { folder: await folderOf({ '9999_later': 'ALTER TABLE meters ADD COLUMN later text' }) })
  await requireSchema(db)
  expect(await migrate(db)).toEqual([])
})

test('a migrator that waits for another says for whom, and how to go on', async () => {
  const holder = await session()
  holder.on('error', () => {})
  await holder.query(`SET application_name = 'left behind'; SELECT pg_advisory_lock(3853314791062309107)`)
  const folder = await folderOf({ '0001_a': 'CREATE TABLE a (id int)' })
  const told: string[] = []
  const migrating = migrate(db, { folder, tellAfterMs: 0, onWait: (message) => told.push(message) })
  const [message] = await waitFor(
    async () => told,
    ({ length }) => length > 0,
  )
  expect(message).toContain('(left behind, idle since ')
  const [howToGoOn] = /SELECT pg_terminate_backend\(\d+\)/.exec(message ?? '') ?? []
  await sql.raw(howToGoOn ?? '').execute(db)
  expect(await migrating).toEqual(['0001_a'])
  expect(told).toHaveLength(1)
})

test('a program that starts before its database waits for it, and looks at its schema then', async () => {
  const postgres = new URL(url)
  const forward = createServer((socket) => {
    const there = connect(Number(postgres.port), postgres.hostname)
    for (const one of [socket, there]) one.on('error', () => void (socket.destroy(), there.destroy()))
    socket.pipe(there).pipe(socket)
  })
  const listen = async (port: number): Promise<number> => {
    await new Promise<void>((resolve) => void forward.listen(port, '127.0.0.1', resolve))
    return (forward.address() as AddressInfo).port
  }
  const port = await listen(0)
  await new Promise<void>((resolve) => void forward.close(() => resolve()))
  const there = Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href
  const early = openDatabase({ connectionString: there, maxConnections: 1 })
  let tell = (): void => {}
  const isAway = new Promise<void>((resolve) => (tell = resolve))
  const checked = untilSchema(early, tell)
  const refused = expect(checked).rejects.toThrow('run perennial migrate (0001_usage, ')
  await isAway
  await listen(port)
  await refused
  await early.destroy()
  forward.close()
})
