import { CliProblem } from './problem.ts'

const MISSING_TABLE = '42P01'

/** What a person can mend; a defect of ours stays what it is. */
export function databaseProblem(error: unknown): unknown {
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
