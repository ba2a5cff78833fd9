import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { Aggregation, UsageMeter } from '../../domain/meters.ts'

/** What is kept in rollups: meters that measure the same share a series. */
export interface UsageSeries {
  readonly id: number
  readonly eventType: string
  readonly keeps: 'count' | 'sum' | 'extremes' | 'latest'
  readonly valueProperty: string | null
  readonly groupBy: Readonly<Record<string, string>>
  /** Its rollups hold exactly the events up to this one. */
  readonly rolledSeq: string
}

/** Null: distinct values cannot be added up. */
export const keptFor: Readonly<Record<Aggregation, UsageSeries['keeps'] | null>> = {
  SUM: 'sum',
  AVG: 'sum',
  COUNT: 'count',
  MIN: 'extremes',
  MAX: 'extremes',
  LATEST: 'latest',
  UNIQUE_COUNT: null,
}

/** Keys of groups in the order in which rollups keep their values. */
export function groupKeys(groupBy: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(groupBy).sort()
}

/** A series that can be read, and whether there are events behind it. */
export interface ReadableSeries {
  readonly id: number
  readonly rolledSeq: string
  readonly isBehind: boolean
}

/** Of a row of `usage_series`. */
export const isBehind = sql<boolean>`coalesce((SELECT max(seq) FROM events) > rolled_seq, false)`

/** The series of a meter; null where there is none, or none that could answer it. */
export async function findSeries(db: Db, meter: UsageMeter): Promise<ReadableSeries | null> {
  const keeps = keptFor[meter.aggregation]
  if (keeps === null) return null
  const path = keeps === 'count' ? null : (meter.valueProperty ?? '$')
  return (await seriesThatKeeps(db, meter.eventType, keeps, path, JSON.stringify(meter.groupBy)))[0] ?? null
}

const seriesThatKeeps = prepared(
  (db, eventType: string, keeps: string, path: string | null, groupBy: string) =>
    sql<ReadableSeries>`
    SELECT id, rolled_seq, ${isBehind} AS is_behind
    FROM usage_series WHERE event_type = ${eventType} AND keeps = ${keeps} AND NOT obsolete
      AND value_property IS NOT DISTINCT FROM ${path}::text AND group_by = ${groupBy}::jsonb
    ORDER BY id LIMIT 1`.compile(db),
)

const keepsOfAggregation = sql.join(
  Object.entries(keptFor).map(([aggregation, keeps]) => sql`WHEN ${aggregation}::text THEN ${keeps}::text`),
  sql` `,
)

/** The series of a row of `meters` as a value of another question: `findSeries` finds the same. */
export const seriesOfMeter = sql<ReadableSeries | null>`(
  SELECT jsonb_build_object('id', s.id, 'rolledSeq', s.rolled_seq::text,
    'isBehind', coalesce((SELECT max(seq) FROM events) > s.rolled_seq, false))
  FROM usage_series s WHERE NOT s.obsolete AND s.event_type = meters.event_type AND s.group_by = meters.group_by
    AND s.keeps = CASE meters.aggregation ${keepsOfAggregation} END
    AND s.value_property IS NOT DISTINCT FROM CASE WHEN s.keeps <> 'count' THEN coalesce(meters.value_property, '$') END
  ORDER BY s.id LIMIT 1)`

/** What living meters measure, and what was deleted but is still billed by features that were sold. */
const measuredByMeters = sql`
  SELECT id, key, event_type, keeps, CASE WHEN keeps <> 'count' THEN coalesce(value_property, '$') END AS value_property, group_by
  FROM (SELECT *, CASE aggregation ${keepsOfAggregation} END AS keeps FROM meters
    WHERE deleted_at IS NULL OR EXISTS (SELECT FROM features WHERE features.meter_id = meters.id)) kept
  WHERE keeps IS NOT NULL`
const needed = sql`SELECT DISTINCT event_type, keeps, value_property, group_by FROM (${measuredByMeters}) measured`

const isNeeded = (known: RawBuilder<unknown>, measured: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`${known}.event_type = ${measured}.event_type AND ${known}.keeps = ${measured}.keeps
    AND ${known}.value_property IS NOT DISTINCT FROM ${measured}.value_property AND ${known}.group_by = ${measured}.group_by`

/**
 * A series for whatever is measured, none that nothing measures, and none that is beyond the numbers of events: these were set
 * back, and events would come that it says it holds. One without events up to `finishedSeq` begins after
 * it, others at the first event that was ever stored.
 */
export async function matchSeriesToMeters(db: Db, finishedSeq: string): Promise<void> {
  await sql`
    UPDATE usage_series SET obsolete = true
    WHERE NOT obsolete AND (rolled_seq > (SELECT last_value FROM events_seq_seq) OR NOT EXISTS (
      SELECT FROM (${needed}) needed WHERE ${isNeeded(sql`usage_series`, sql`needed`)}))`.execute(db)
  await sql`
    INSERT INTO usage_series (event_type, keeps, value_property, group_by, rolled_seq)
    SELECT event_type, keeps, value_property, group_by,
      CASE WHEN EXISTS (SELECT FROM events WHERE events.type = needed.event_type) THEN 0 ELSE ${finishedSeq}::bigint END
    FROM (${needed}) needed WHERE NOT EXISTS (
      SELECT FROM usage_series s WHERE NOT s.obsolete AND ${isNeeded(sql`s`, sql`needed`)})`.execute(db)
}

export async function livingSeries(db: Db): Promise<readonly UsageSeries[]> {
  const { rows } = await sql<UsageSeries>`
    SELECT id, event_type, keeps, value_property, group_by, rolled_seq
    FROM usage_series WHERE NOT obsolete ORDER BY rolled_seq, id`.execute(db)
  return rows
}

/** A series and who is answered from it. */
export interface MeteredSeries extends UsageSeries {
  /** Keys of meters. */
  readonly meters: readonly string[]
  /** Events after those it holds, of whatever type: at most so many are not rolled up. */
  readonly behind: string
}

/** The series that can be read: of one meter (by id), or all. */
export async function meteredSeries(db: Db, meterId: string | null): Promise<readonly MeteredSeries[]> {
  const measured = sql`FROM (${measuredByMeters}) measured WHERE ${isNeeded(sql`s`, sql`measured`)}`
  const ofMeter = meterId === null ? sql`` : sql`AND EXISTS (SELECT ${measured} AND measured.id = ${meterId})`
  const { rows } = await sql<MeteredSeries>`
    SELECT id, event_type, keeps, value_property, group_by, rolled_seq,
      ARRAY(SELECT DISTINCT measured.key ${measured} ORDER BY 1) AS meters,
      greatest((SELECT coalesce(max(seq), 0) FROM events) - rolled_seq, 0) AS behind
    FROM usage_series s WHERE NOT obsolete ${ofMeter} ORDER BY event_type, id`.execute(db)
  return rows
}

/** Deletes what obsolete series have left, some rows at a time; whether there was anything. */
export async function deleteObsolete(db: Db, rowsMax: number): Promise<boolean> {
  const { rows } = await sql<{ id: number }>`
    SELECT id FROM usage_series WHERE obsolete ORDER BY id LIMIT 1`.execute(db)
  const id = rows[0]?.id
  if (id === undefined) return false
  const { numAffectedRows } = await sql`
    DELETE FROM usage_rollups WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM usage_rollups WHERE series_id = ${id} LIMIT ${rowsMax}))`.execute(db)
  if ((numAffectedRows ?? 0n) === 0n) await sql`DELETE FROM usage_series WHERE id = ${id}`.execute(db)
  return true
}
