import { readFile, readdir } from 'node:fs/promises'
import { Migrator, sql } from 'kysely'
import type { Kysely, Migration, MigrationProvider } from 'kysely'
import type { Database } from './connection.ts'

const folder = new URL('./migrations/', import.meta.url)

/** Numbered SQL files, forward only: plain SQL reviews better than builders. */
const sqlFiles: MigrationProvider = {
  async getMigrations() {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort()
    const entries = names.map(async (name): Promise<[string, Migration]> => {
      const text = await readFile(new URL(name, folder), 'utf8')
      return [
        name.replace(/\.sql$/, ''),
        { up: async (db: Kysely<unknown>) => void (await sql.raw(text).execute(db)) },
      ]
    })
    return Object.fromEntries(await Promise.all(entries))
  },
}

/**
 * Brings the schema up to date and returns the names of the migrations that ran. Safe to call from several processes
 * at once: the migrator holds an advisory lock.
 */
export async function migrate(db: Database): Promise<readonly string[]> {
  const { error, results } = await new Migrator({ db, provider: sqlFiles }).migrateToLatest()
  if (error !== undefined)
    throw error instanceof Error ? error : new Error('migration failed', { cause: error })
  return (results ?? []).filter((result) => result.status === 'Success').map((result) => result.migrationName)
}

/** Names of the migrations this build has and the database lacks. */
export async function pendingMigrations(db: Database): Promise<readonly string[]> {
  const migrations = await new Migrator({ db, provider: sqlFiles }).getMigrations()
  return migrations
    .filter((migration) => migration.executedAt === undefined)
    .map((migration) => migration.name)
}
