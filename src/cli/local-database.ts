import { readLocalSettings } from '../config.ts'
import { openDatabase } from '../db/connection.ts'
import type { Database } from '../db/connection.ts'
import { CliProblem } from './problem.ts'
import { localInstance } from './target.ts'

/** DATABASE_URL, or the database of the running `npm start`. */
export function databaseUrl(dataDir: string): string {
  const url = readLocalSettings().databaseUrl ?? localInstance(dataDir)?.databaseUrl
  if (url !== undefined) return url
  throw new CliProblem({
    what: 'There is no database to work on',
    why: `DATABASE_URL is not set, and no npm start runs on ${dataDir}`,
    next: 'start it with npm start, name its folder with --data-dir, or set DATABASE_URL',
  })
}

/** For the commands that an API key cannot allow, since they make the keys. */
export async function withDatabase<T>(dataDir: string, work: (db: Database) => Promise<T>): Promise<T> {
  const db = openDatabase({
    connectionString: databaseUrl(dataDir),
    maxConnections: 2,
    applicationName: 'perennial-cli',
  })
  try {
    return await work(db)
  } catch (error) {
    throw databaseProblem(error)
  } finally {
    await db.destroy()
  }
}

const MISSING_TABLE = '42P01'

/** What a person can mend; a defect of ours stays what it is. */
function databaseProblem(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === MISSING_TABLE) {
    const why = 'it lacks a table: its schema is not up to date'
    return new CliProblem({ what: 'The database is not ready', why, next: 'run perennial migrate' }, error)
  }
  // Refused and unknown hosts, and the classes of SQLSTATE for connections, logins and names of databases.
  if (!/^(ECONN|ENOTFOUND|EAI_|ETIMEDOUT|EHOST|ENET|08|28|3D|57P)/.test(code)) return error
  return new CliProblem(
    {
      what: 'The database does not answer',
      why: reasonOf(error),
      next: 'check DATABASE_URL and that PostgreSQL runs; perennial doctor checks every part',
    },
    error,
  )
}

/** A refused connection to two addresses is an AggregateError without a message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
