import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** Why late usage would go unseen in this database, and what to do; null where it does not. */
export async function transactionIdsProblem(db: Db): Promise<string | null> {
  const { rows } = await sql<{ stored: string; next: string; isBehind: boolean }>`
    SELECT txid AS stored, next, txid >= next AS is_behind
    FROM events, pg_snapshot_xmax(pg_current_snapshot()) next ORDER BY seq DESC LIMIT 1`.execute(db)
  const [newest] = rows
  if (newest?.isBehind !== true) return null
  return `the newest event was stored by transaction ${newest.stored}, and the next of this cluster is ${newest.next}: a dump was restored into it, and late usage would go unseen. Advance its transaction ids (docs/operations.md, "Backup and loss")`
}

/**
 * Throws where events carry transaction ids that this cluster has yet to give out (billing rule 8): cutoffs of before would see
 * what is stored from now on. Whether the database answers at all is found out later.
 */
export async function requireTransactionIds(db: Db): Promise<void> {
  const problem = await transactionIdsProblem(db).catch(() => null)
  if (problem !== null) throw new Error(problem)
}
