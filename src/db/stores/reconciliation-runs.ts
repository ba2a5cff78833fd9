import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Database, Db } from '../connection.ts'
import type { ReconciliationRuns } from '../types.gen.ts'

type RunRow = Selectable<ReconciliationRuns>

const FINDINGS_KEPT = 100

/** Runs `work` unless another process does: one lock for the whole database, without a transaction that stays open. */
export async function withReconcilerLock(db: Database, work: () => Promise<void>): Promise<boolean> {
  return await db.connection().execute(async (connection) => {
    const { rows } = await sql<{ held: boolean }>`
      SELECT pg_try_advisory_lock(hashtextextended('perennial/reconciler', 0)) AS held`.execute(connection)
    if (rows[0]?.held !== true) return false
    try {
      await work()
    } finally {
      await sql`SELECT pg_advisory_unlock(hashtextextended('perennial/reconciler', 0))`.execute(connection)
    }
    return true
  })
}

/** The newest pass, under way or ended; undefined: there was none. */
export async function newestRun(db: Db): Promise<RunRow | undefined> {
  return await db.selectFrom('reconciliationRuns').selectAll().orderBy('id', 'desc').executeTakeFirst()
}

export async function beginRun(db: Db, at: Date): Promise<RunRow> {
  return await db
    .insertInto('reconciliationRuns')
    .values({ startedAt: at, lookedAt: at })
    .returningAll()
    .executeTakeFirstOrThrow()
}

interface Look {
  readonly at: Date
  readonly nextAfter: string | null
  readonly examined: number
  readonly findings: readonly object[]
  readonly error: string | null
}

/** Adds a look to the pass; one that came to the end of everything ends it. */
export async function noteLook(db: Db, run: RunRow, look: Look): Promise<void> {
  const before = Array.isArray(run.findings) ? run.findings : []
  const isEnded = look.nextAfter === null && look.error === null
  await db
    .updateTable('reconciliationRuns')
    .set({
      lookedAt: look.at,
      endedAt: isEnded ? look.at : null,
      nextAfter: look.error === null ? look.nextAfter : run.nextAfter,
      examined: run.examined + look.examined,
      findingsCount: run.findingsCount + look.findings.length,
      findings: JSON.stringify([...before, ...look.findings].slice(0, FINDINGS_KEPT)),
      error: look.error,
    })
    .where('id', '=', run.id)
    .execute()
}
