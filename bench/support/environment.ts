import { Client, Pool } from 'pg'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { migrate } from '../../src/db/migrate.ts'
import { startTunedPostgres } from '../stack/postgres.ts'
import { undoneAtLast } from './early-end.ts'
import { benchFolder } from './folder.ts'

/** How much is loaded: to see that it runs, for a look, as it is published. */
export const benchSizes = ['tiny', 'small', 'full'] as const
export type Size = (typeof benchSizes)[number]

/** What every benchmark uses: a database of its own, migrated, on a durable PostgreSQL. */
export interface Bench {
  readonly db: Database
  readonly url: string
  /** For floors: plain SQL on connections of their own. */
  readonly pool: Pool
  readonly size: Size
  /** Process ids of the connections of PostgreSQL, where it runs on this machine. */
  readonly databasePids: () => Promise<readonly number[]>
  readonly log: (line: string) => void
}

const DATABASE = `perennial_bench_${process.pid}`

/** Starts what is missing; `stop` removes the database, and PostgreSQL when it was started here. */
export async function openBench(
  size: Size,
  log: (line: string) => void,
): Promise<{ bench: Bench; stop: () => Promise<void> }> {
  const given = process.env['DATABASE_URL']
  const { folder, remove } = await benchFolder('bench')
  const server = given === undefined ? await startTunedPostgres(folder, DATABASE) : null
  const url = new URL(server?.url ?? given ?? '')
  url.pathname = `/${DATABASE}`
  const drop = undoneAtLast(async () => await dropDatabase(url))
  await recreate(url)
  const db = openDatabase({ connectionString: url.href, maxConnections: 4 })
  await migrate(db)
  const pool = new Pool({ connectionString: url.href, max: 16, idleTimeoutMillis: 0 })
  // Sessions that the drop of the database ends are no problem of ours.
  pool.on('error', () => {})
  const databasePids = async (): Promise<readonly number[]> => {
    if (!['127.0.0.1', 'localhost', '::1'].includes(url.hostname)) return []
    const { rows } = await pool.query<{ pid: number }>('SELECT pid FROM pg_stat_activity')
    return rows.map(({ pid }) => pid)
  }
  const stop = async (): Promise<void> => {
    await pool.end()
    await db.destroy()
    await drop()
    await server?.stop()
    await remove()
  }
  return { bench: { db, url: url.href, pool, size, databasePids, log }, stop }
}

async function recreate(url: URL): Promise<void> {
  await dropDatabase(url)
  await asAdmin(url, `CREATE DATABASE ${DATABASE}`)
}

async function dropDatabase(url: URL): Promise<void> {
  await asAdmin(url, `DROP DATABASE IF EXISTS ${DATABASE} WITH (FORCE)`)
}

async function asAdmin(url: URL, statement: string): Promise<void> {
  const admin = new URL(url)
  admin.pathname = '/postgres'
  const client = new Client({ connectionString: admin.href })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
