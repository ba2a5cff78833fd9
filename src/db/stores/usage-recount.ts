import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Database, Db } from '../connection.ts'
import { withoutRolling } from './usage-roller.ts'
import { bucketOrigin, groupDigest, keptOfEvents, usableEvents } from './usage-rollups.ts'
import { bucketMinutes } from './usage-segments.ts'
import type { UsageSeries } from './usage-series.ts'

/** Which rollups are recounted, of whatever series. */
export interface RecountBounds {
  /** null: every subject. */
  readonly subjects: readonly string[] | null
  /** Midnights in UTC, since buckets are up to a day long; null: open. */
  readonly from: Date | null
  readonly to: Date | null
}

/** Where a chunk ends and the next begins: rollups and events have an index in this order. */
export interface Place {
  readonly subject: string
  /** A midnight in UTC, as PostgreSQL writes it. */
  readonly day: string
}

/** A part of a series that one statement recounts: whole days of subjects. */
export interface Chunk extends RecountBounds {
  /** Half-open, as every interval; null: from the first, to the last. */
  readonly begin: Place | null
  readonly end: Place | null
}

/** A rollup that is not what its events add up to. */
export interface RollupDifference {
  readonly subject: string
  readonly bucket: string
  readonly minutes: number
  /** Values of the group-by keys, in the order of the keys. */
  readonly groups: readonly (string | null)[]
  /** Exact decimals; null: there is none. */
  readonly kept: Readonly<Record<string, string>> | null
  readonly recounted: Readonly<Record<string, string>> | null
}

export interface Recount {
  /** How many were recounted. */
  readonly events: number
  readonly rollups: number
  /** How many rollups differ, those that are missing or too many included. */
  readonly differing: number
  /** The first of them. */
  readonly differences: readonly RollupDifference[]
}

/** How many events a chunk has, but for a single day of a subject, which is one chunk. */
const CHUNK_EVENTS = 20_000
const NAMED_MAX = 20

/** The end of the chunk that begins at a place; null where it reaches the end. */
export async function endOfChunk(
  db: Db,
  series: UsageSeries,
  { begin, eventsMax = CHUNK_EVENTS, ...bounds }: Omit<Chunk, 'end'> & { readonly eventsMax?: number },
): Promise<Place | null> {
  const where = within('time', { ...bounds, begin, end: null })
  const isLater =
    begin === null ? sql`true` : sql`(subject, day) > (${begin.subject}::text, ${begin.day}::timestamptz)`
  const { rows } = await sql<Place>`
    SELECT subject, (CASE WHEN ${isLater} THEN day ELSE day + interval '24 hours' END)::text AS day
    FROM (SELECT subject, date_bin('24 hours', time, ${bucketOrigin}) AS day FROM events
      WHERE type = ${series.eventType} AND ${where} ORDER BY subject, time OFFSET ${eventsMax} LIMIT 1) next`.execute(
    db,
  )
  return rows[0] ?? null
}

/**
 * Recounts a chunk from the events that a series says it holds. One statement: what is rolled up meanwhile is in all of it or
 * in nothing. Null where the series has gone.
 */
export async function recount(db: Db, series: UsageSeries, chunk: Chunk): Promise<Recount | null> {
  return await answerTo(db, sql`${comparing(series, chunk)} ${answer()}`)
}

/**
 * Recounts a chunk and writes what differs anew. Nobody who stores, reads or closes waits for it: only the rolling up of
 * later events does.
 */
export async function mend(db: Database, series: UsageSeries, chunk: Chunk): Promise<Recount | null> {
  const statement: RawBuilder<Answer> = sql`${comparing(series, chunk)} ${mending(series)} ${answer()}`
  return await withoutRolling(db, async (trx) => await answerTo(trx, statement))
}

interface Answer extends Recount {
  readonly isThere: boolean
}

async function answerTo(db: Db, statement: RawBuilder<Answer>): Promise<Recount | null> {
  const { rows } = await statement.execute(db)
  const [row] = rows
  if (row === undefined) throw new Error('a recount without a row')
  const { isThere, ...counted } = row
  return isThere ? counted : null
}

const identity = sql.raw('minutes, subject, bucket, group_digest')
const content = ['groups', 'count', 'sum', 'low', 'high', 'latest', 'latest_time', 'latest_seq'] as const
const columns = sql.raw(content.join(', '))
const columnsOf = (relation: 'k' | 'r') =>
  sql.raw(content.map((column) => `${relation}.${column}`).join(', '))

/** Begins the statement: rollups of a chunk that are not what they should be, with what they should be, as `differing`. */
function comparing(series: UsageSeries, chunk: Chunk): RawBuilder<unknown> {
  const stored = sql`(SELECT seq, type, subject, time, data, txid FROM events WHERE events.type = ${series.eventType}
    AND seq <= (SELECT rolled_seq FROM series) AND ${within('time', chunk)})`
  return sql`
    WITH series AS MATERIALIZED (
      SELECT rolled_seq FROM usage_series WHERE id = ${series.id} AND NOT obsolete
    ), usable AS MATERIALIZED (
      ${usableEvents(series, stored, [sql`events.txid`])}
    ), recounted AS (
      SELECT minutes, subject, bucket, ${groupDigest} AS group_digest, ${columns}, newest FROM (
        SELECT minutes, subject, date_bin(minutes * interval '1 minute', time, ${bucketOrigin}) AS bucket, groups,
          ${keptOfEvents[series.keeps]}, max(txid) AS newest
        FROM usable, unnest(${[...bucketMinutes]}::smallint[]) AS lengths (minutes)
        GROUP BY minutes, subject, 3, groups) buckets
    ), kept AS MATERIALIZED (
      SELECT ${identity}, ${columns}, txid FROM usage_rollups WHERE series_id = ${series.id} AND ${within('bucket', chunk)}
    ), differing AS MATERIALIZED (
      -- Whoever sees a rollup has to see all that is in it: it was written after the newest of its events.
      SELECT ${identity}, ${columnsOf('r')}, coalesce(k.groups, r.groups) AS named_groups,
        ${valuesOf('k', sql`k.txid`)} AS kept, ${valuesOf('r', sql`r.newest`)} AS recounted
      FROM kept k FULL JOIN recounted r USING (${identity})
      WHERE k.count IS NULL OR r.count IS NULL OR k.txid <= r.newest
        OR ROW(${columnsOf('k')}) IS DISTINCT FROM ROW(${columnsOf('r')})
    )`
}

/** As JSON of text, which keeps all digits; transactions where they are what differs. */
function valuesOf(relation: 'k' | 'r', txid: RawBuilder<unknown>): RawBuilder<unknown> {
  const of = (column: string) => sql.raw(`${relation}.${column}`)
  const plain = (column: string) => sql`trim_scale(${of(column)})::text`
  return sql`CASE WHEN ${of('count')} IS NOT NULL THEN jsonb_strip_nulls(jsonb_build_object(
    'count', ${of('count')}::text, 'sum', ${plain('sum')}, 'low', ${plain('low')}, 'high', ${plain('high')},
    'latest', ${plain('latest')}, 'latestTime', ${of('latest_time')}::text, 'latestSeq', ${of('latest_seq')}::text,
    'transaction', CASE WHEN k.txid <= r.newest THEN ${txid}::text END)) END`
}

function answer(): RawBuilder<Answer> {
  return sql`
    SELECT EXISTS (SELECT FROM series) AS is_there, (SELECT count(*) FROM usable)::int AS events,
      (SELECT count(*) FROM kept)::int AS rollups, (SELECT count(*) FROM differing)::int AS differing,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('subject', subject, 'bucket', bucket, 'minutes', minutes,
          'groups', coalesce(named_groups, '{}'), 'kept', kept, 'recounted', recounted)), '[]')
        FROM (SELECT * FROM differing ORDER BY subject, bucket, minutes DESC LIMIT ${NAMED_MAX}) named) AS differences`
}

function mending(series: UsageSeries): RawBuilder<unknown> {
  const anew = sql.join(content.map((column) => sql.raw(`${column} = excluded.${column}`)))
  return sql`, removed AS (
      DELETE FROM usage_rollups r USING differing d
      WHERE d.count IS NULL AND r.series_id = ${series.id} AND r.minutes = d.minutes AND r.subject = d.subject
        AND r.bucket = d.bucket AND r.group_digest = d.group_digest
    ), written AS (
      INSERT INTO usage_rollups (series_id, ${identity}, ${columns})
      SELECT ${series.id}, ${identity}, ${columns} FROM differing WHERE count IS NOT NULL ORDER BY ${identity}
      ON CONFLICT (series_id, ${identity}) DO UPDATE SET ${anew}, txid = excluded.txid
    )`
}

function within(time: 'time' | 'bucket', { subjects, from, to, begin, end }: Chunk): RawBuilder<unknown> {
  const at = sql.ref(time)
  const list: RawBuilder<unknown>[] = [sql`true`]
  if (subjects !== null) list.push(sql`subject = ANY(${[...subjects]}::text[])`)
  if (from !== null) list.push(sql`${at} >= ${from}`)
  if (to !== null) list.push(sql`${at} < ${to}`)
  if (begin !== null) list.push(sql`(subject, ${at}) >= (${begin.subject}::text, ${begin.day}::timestamptz)`)
  if (end !== null) list.push(sql`(subject, ${at}) < (${end.subject}::text, ${end.day}::timestamptz)`)
  return sql.join(list, sql` AND `)
}
