import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Database, Db } from './connection.ts'
import { isDatabaseAway } from './database-away.ts'
import { isOutsideTransaction, readMigrations, statementsOf } from './migration-files.ts'
import type { MigrationFile } from './migration-files.ts'

interface MigrateOptions {
  /** Where the migrations are; left out: those of this program. */
  readonly folder?: URL
  /** How long a migration waits for a lock: whoever comes after it waits as long. */
  readonly lockTimeoutMs?: number
  readonly tries?: number
  readonly retryAfterMs?: number
  /** Is told once what another migrator's turn is waited for by, after this long. */
  readonly onWait?: (message: string) => void
  readonly tellAfterMs?: number
}

/** One migrator at a time; programs that migrated with Kysely hold the same. */
const LOCK = '3853314791062309107'
const LOCK_TIMEOUT_MS = 2_000
const TRIES = 20
const RETRY_AFTER_MS = 3_000
const ASK_AGAIN_MS = 200
const TELL_AFTER_MS = 5_000

/**
 * Brings the schema up to date, while older programs use it, and returns the names of the migrations that ran. Each is a
 * transaction: all of it or nothing. Safe to call from several processes at once. Throws when a lock is not to be had.
 */
export async function migrate(db: Database, options: MigrateOptions = {}): Promise<readonly string[]> {
  return await db.connection().execute(async (connection) => {
    await takeTurn(connection, options)
    try {
      await sql`CREATE TABLE IF NOT EXISTS kysely_migration
        (name varchar(255) PRIMARY KEY, timestamp varchar(255) NOT NULL)`.execute(connection)
      const pending = await pendingIn(connection, options.folder)
      for (const migration of pending) await applyPatiently(connection, migration, options)
      return pending.map(({ name }) => name)
    } finally {
      // The lock of a connection that was lost went with it; what is told is why it was lost.
      await sql`SELECT pg_advisory_unlock(${LOCK}::bigint)`.execute(connection).catch(() => {})
    }
  })
}

/** Asks instead of waiting: a statement that waits would hold up an index that is built concurrently, for ever. */
async function takeTurn(
  connection: Db,
  { onWait, tellAfterMs = TELL_AFTER_MS }: MigrateOptions,
): Promise<void> {
  const tellAtMs = Date.now() + tellAfterMs
  for (let isTold = onWait === undefined; ;) {
    const { rows } = await sql<{
      mine: boolean
    }>`SELECT pg_try_advisory_lock(${LOCK}::bigint) AS mine`.execute(connection)
    if (rows[0]?.mine === true) return
    if (!isTold && Date.now() >= tellAtMs) {
      onWait?.(await whoHolds(connection))
      isTold = true
    }
    await delay(ASK_AGAIN_MS)
  }
}

const holdsTurn = sql`locktype = 'advisory' AND objsubid = 1
  AND (classid::bigint << 32) | objid::bigint = ${sql.raw(LOCK)}::bigint AND pg_locks.database =
  (SELECT oid FROM pg_database WHERE datname = current_database())`

/** What is waited for, and how to go on where nobody migrates: a pooler may keep a session, and its lock, for good. */
async function whoHolds(connection: Db): Promise<string> {
  const { rows } = await sql<{ pid: number; name: string; state: string | null; since: Date | null }>`
    SELECT pg_locks.pid, application_name AS name, state, state_change AS since FROM pg_locks
    JOIN pg_stat_activity USING (pid) WHERE granted AND ${holdsTurn}`.execute(connection)
  const [holder] = rows
  if (holder === undefined) return 'another migrator has its turn; waiting for it'
  const { pid, name, state, since } = holder
  const at = `${state ?? 'unknown'} since ${since?.toISOString() ?? 'then'}`
  const who = `session ${pid} of PostgreSQL (${name === '' ? 'without a name' : name}, ${at})`
  const howToGoOn = `where none runs, a pooler kept its session, and SELECT pg_terminate_backend(${pid}) ends it`
  return `another migrator has its turn: ${who}. Waiting for it; ${howToGoOn}`
}

/** The lock belongs to a session. A pooler that gives each transaction another one would let several migrate at once. */
async function requireTurn(db: Db, { name }: MigrationFile): Promise<void> {
  const { rows } = await sql`SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND ${holdsTurn}`.execute(db)
  if (rows.length > 0) return
  throw new Error(
    `migration ${name} was not begun: this session lost its lock, as happens behind a transaction pooler. Name PostgreSQL itself in DATABASE_URL, or a pooler of sessions, and migrate again`,
  )
}

async function applyPatiently(
  connection: Database,
  migration: MigrationFile,
  { lockTimeoutMs = LOCK_TIMEOUT_MS, tries = TRIES, retryAfterMs = RETRY_AFTER_MS }: MigrateOptions,
): Promise<void> {
  for (let left = tries - 1; ; left--) {
    try {
      await apply(connection, migration, lockTimeoutMs)
      return
    } catch (error) {
      if (!isLockFailure(error)) throw error
      if (left === 0) throw new Error(inVain(migration.name), { cause: error })
      await delay(retryAfterMs)
    }
  }
}

const inVain = (name: string): string =>
  `migration ${name} got no lock on its tables: something holds them for long (see pg_stat_activity). It changed nothing; migrate again`

async function apply(connection: Database, migration: MigrationFile, lockTimeoutMs: number): Promise<void> {
  if (isOutsideTransaction(migration)) {
    await requireTurn(connection, migration)
    for (const statement of statementsOf(migration)) await sql.raw(statement).execute(connection)
    return await noteApplied(connection, migration)
  }
  await connection.transaction().execute(async (trx) => {
    await requireTurn(trx, migration)
    await sql.raw(`SET LOCAL lock_timeout = ${lockTimeoutMs}`).execute(trx)
    await sql.raw(migration.text).execute(trx)
    await noteApplied(trx, migration)
  })
}

async function noteApplied(db: Db, { name }: MigrationFile): Promise<void> {
  const now = new Date().toISOString()
  await sql`INSERT INTO kysely_migration (name, timestamp) VALUES (${name}, ${now})`.execute(db)
}

/** lock_not_available, deadlock_detected. */
function isLockFailure(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '55P03' || error.code === '40P01')
}

async function pendingIn(db: Db, folder?: URL): Promise<readonly MigrationFile[]> {
  const { rows: tables } = await sql<{ there: boolean }>`
    SELECT to_regclass('kysely_migration') IS NOT NULL AS there`.execute(db)
  const { rows } =
    tables[0]?.there === true
      ? await sql<{ name: string }>`SELECT name FROM kysely_migration`.execute(db)
      : { rows: [] }
  const applied = new Set(rows.map(({ name }) => name))
  return (await readMigrations(folder)).filter(({ name }) => !applied.has(name))
}

/** Names of the migrations this build has and the database lacks. */
export async function pendingMigrations(db: Db): Promise<readonly string[]> {
  return (await pendingIn(db)).map(({ name }) => name)
}

/**
 * Throws where the database lacks migrations of this program; one that has more is fine. False: it cannot be reached now,
 * which a process that starts before its database waits out.
 */
export async function requireSchema(db: Db): Promise<boolean> {
  try {
    const pending = await pendingMigrations(db)
    if (pending.length === 0) return true
    throw new Error(`the database is older than this program: run perennial migrate (${pending.join(', ')})`)
  } catch (error) {
    if (isDatabaseAway(error)) return false
    throw error
  }
}

const LOOK_AGAIN_MS = 1_000

/** Waits for a database that cannot be reached yet, and is told so once. Throws where it lacks migrations of this program. */
export async function untilSchema(db: Db, onAway: () => void): Promise<void> {
  for (let isTold = false; !(await requireSchema(db)); isTold = true) {
    if (!isTold) onAway()
    await delay(LOOK_AGAIN_MS)
  }
}
