import { sql } from 'kysely'
import type { Db } from '../connection.ts'

/** Noted at least so often, nothing was lost in between: a backup that is restored is older than that. */
const gap = sql`interval '5 minutes'`
/**
 * Whether the database was seen on this server just now. A standby that takes over may lack the last moments, and of a server
 * that was started again nobody knows what it was started on. By the database's clock alone: one that was far ahead, and is not
 * any more, tells as little as a time long ago.
 */
const isSeen = sql<boolean>`continuity.seen_at BETWEEN now() - ${gap} AND now() + ${gap}
  AND continuity.server_started = pg_postmaster_start_time()`

/**
 * Notes that the database is there, and since when without a gap; answers what to hand in the next time. It begins anew where
 * nobody noted it for five minutes, its server is another, or what this process noted is lost.
 */
export async function noteAlive(db: Db, noted: Date | null): Promise<Date> {
  const isUnbroken = sql<boolean>`${isSeen} AND continuity.seen_at >= coalesce(${noted}::timestamptz, continuity.seen_at)`
  const { rows } = await sql<{ seenAt: Date }>`
    INSERT INTO continuity (alive_since, seen_at, server_started) VALUES (now(), now(), pg_postmaster_start_time())
    ON CONFLICT (only_row) DO UPDATE SET
      alive_since = CASE WHEN ${isUnbroken} THEN continuity.alive_since ELSE now() END,
      seen_at = CASE WHEN ${isUnbroken} THEN greatest(continuity.seen_at, now()) ELSE now() END,
      server_started = pg_postmaster_start_time()
    RETURNING seen_at`.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('that the database is there was not noted')
  return row.seenAt
}

/** Since when nothing of the database was lost; null where that is not known. Asked with what is written anyway. */
export const aliveSince = sql<Date | null>`(SELECT alive_since FROM continuity WHERE ${isSeen})`
