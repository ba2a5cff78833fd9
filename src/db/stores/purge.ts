import { sql } from 'kysely'
import type { Db } from '../connection.ts'

/** Rows that one statement removes at most: short locks, little to write at once. */
const BATCH = 1000
const MAX_BATCHES = 20
const KEPT_DAYS = 30
/** Longer than Stripe keeps its events: one that is listed again is still known. */
const EVENTS_KEPT_DAYS = 35
/** As long as their answers are given again. */
const KEYS_KEPT_HOURS = 24

/** Removes what was delivered long ago, in small batches; returns how many rows went. What is not done stays for ever. */
export async function purgeDone(db: Db, now: Date): Promise<number> {
  const before = (hours: number): Date => new Date(now.getTime() - hours * 3_600_000)
  const done = before(KEPT_DAYS * 24)
  const statements = [
    // The oldest of those that are done come first by their ids: no index has to be kept for this.
    sql`DELETE FROM outbox WHERE done_at < ${done} AND id IN (
      SELECT id FROM outbox WHERE done_at IS NOT NULL ORDER BY id LIMIT ${BATCH})`,
    sql`DELETE FROM stripe_events WHERE event_id IN (SELECT event_id FROM stripe_events
      WHERE received_at < ${before(EVENTS_KEPT_DAYS * 24)} AND processed_at IS NOT NULL LIMIT ${BATCH})`,
    sql`DELETE FROM idempotency_keys WHERE (caller, key) IN (SELECT caller, key FROM idempotency_keys
      WHERE created_at < ${before(KEYS_KEPT_HOURS)} LIMIT ${BATCH})`,
    sql`DELETE FROM access_requests WHERE id IN (SELECT id FROM access_requests
      WHERE status <> 'pending' AND updated_at < ${done} LIMIT ${BATCH})`,
    sql`DELETE FROM reconciliation_runs WHERE started_at < ${done}`,
    sql`DELETE FROM stripe_customer_turns WHERE held_until < ${before(1)}`,
  ]
  let purged = 0
  for (const statement of statements) {
    for (let batch = 0; batch < MAX_BATCHES; batch++) {
      const { numAffectedRows } = await statement.execute(db)
      purged += Number(numAffectedRows ?? 0n)
      if ((numAffectedRows ?? 0n) < BigInt(BATCH)) break
    }
  }
  return purged
}
