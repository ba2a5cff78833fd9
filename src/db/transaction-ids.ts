import { sql } from 'kysely'
import type { Db } from './connection.ts'

/** Of so many invoices, the newest: one of them has a cutoff of the last transactions, or nearly. */
const INVOICES = 100

/** Why late usage would go unseen in this database, and what to do; null where it does not. */
export async function transactionIdsProblem(db: Db): Promise<string | null> {
  // Where there is little usage, cutoffs are ahead of the newest event by far. A cutoff names the next id, an event one that
  // was given out.
  const { rows } = await sql<{ stored: string | null; next: string; isBehind: boolean | null }>`
    SELECT greatest(event, cutoff) AS stored, next, event >= next OR cutoff > next AS is_behind FROM (SELECT
      (SELECT txid FROM events ORDER BY seq DESC LIMIT 1) AS event,
      (SELECT max(pg_snapshot_xmax(usage_cutoff::pg_snapshot)) FROM closings WHERE invoice_id = ANY (ARRAY(
        SELECT id FROM invoices ORDER BY created_at DESC, id DESC LIMIT ${INVOICES}))) AS cutoff) newest,
      pg_snapshot_xmax(pg_current_snapshot()) next`.execute(db)
  const [newest] = rows
  if (newest?.isBehind !== true) return null
  return `the newest usage or closing is of transaction ${newest.stored}, and the next of this cluster is ${newest.next}: a dump was restored into it, and late usage would go unseen. Advance its transaction ids (docs/operations.md, "Backup and loss")`
}

/**
 * Throws where events carry transaction ids that this cluster has yet to give out (billing rule 8): cutoffs of before would see
 * what is stored from now on. Whether the database answers at all is found out later.
 */
export async function requireTransactionIds(db: Db): Promise<void> {
  const problem = await transactionIdsProblem(db).catch(() => null)
  if (problem !== null) throw new Error(problem)
}
