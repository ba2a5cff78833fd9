import { readLocalSettings } from '../config.ts'
import { openDatabase } from '../db/connection.ts'
import type { Database } from '../db/connection.ts'
import { databaseProblem } from './database-problem.ts'
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
