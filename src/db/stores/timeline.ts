import { sql } from 'kysely'
import type { Transaction } from 'kysely'
import type { Db } from '../connection.ts'
import { preparedForms } from '../prepared.ts'
import type { DB } from '../types.gen.ts'

export interface TimelineEntry {
  readonly subjectType: 'subscription' | 'invoice'
  readonly subjectId: string
  /** When it happened, on the customer's clock. */
  readonly at: Date
  readonly kind: string
  /** A sentence for people; no secrets, no card data. */
  readonly detail: string
}

/** Adds what happened, for people to read in order. */
export async function appendTimeline(db: Db, entries: readonly TimelineEntry[]): Promise<void> {
  if (entries.length > 0) await appending(db, { entries })
}

const appending = preparedForms((db, { entries }: { readonly entries: readonly TimelineEntry[] }) =>
  db
    .insertInto('timeline')
    .values([...entries])
    .compile(),
)

/** When the newest of its subject is this very entry: since when, on the customer's clock; null: another is. */
export async function newestSince(
  db: Db,
  { subjectType, subjectId, kind, detail }: TimelineEntry,
): Promise<Date | null> {
  const newest = await db
    .selectFrom('timeline')
    .select(['kind', 'detail', 'at'])
    .where('subjectType', '=', subjectType)
    .where('subjectId', '=', subjectId)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return newest?.kind === kind && newest.detail === detail ? newest.at : null
}

/**
 * Adds what an event told, once however often it is tried: not where the same was recorded since the event came. Those who
 * record of one subject wait for each other.
 */
export async function appendTimelineOnce(
  trx: Transaction<DB>,
  entry: TimelineEntry,
  receivedAt: Date,
): Promise<void> {
  const { subjectType, subjectId, kind, detail } = entry
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${`timeline/${subjectId}`}, 0))`.execute(trx)
  const known = await trx
    .selectFrom('timeline')
    .select('id')
    .where('subjectType', '=', subjectType)
    .where('subjectId', '=', subjectId)
    .where('kind', '=', kind)
    .where('detail', '=', detail)
    .where('recordedAt', '>=', receivedAt)
    .limit(1)
    .executeTakeFirst()
  if (known === undefined) await appendTimeline(trx, [entry])
}
