import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '../connection.ts'
import type { Ask } from '../prepared.ts'
import { bucketMinutes, segmentsOf } from './usage-segments.ts'
import type { BucketMinutes, Cut, Segment } from './usage-segments.ts'
import { findSeries, groupKeys, isBehind } from './usage-series.ts'
import type { ReadableSeries } from './usage-series.ts'
import { isOneOf, meterEvents, textAt } from './usage-sql.ts'
import type { UsageScope } from './usage-sql.ts'
import type { Aggregation } from '../../domain/meters.ts'

/** The text of a meter's group-by key: from the data of events, or from what a rollup keeps. */
export type GroupText = (key: string) => RawBuilder<unknown>
/** Further columns of `events`, which is the table of events or, under its name, the rollups of so many minutes with their `bucket`. */
export type UsageColumns = (group: GroupText, minutes: BucketMinutes | null) => readonly RawBuilder<unknown>[]

export interface Reading {
  readonly columns?: UsageColumns
  /** Which buckets give the answer; null: only events do. */
  readonly buckets: Cut | null
  /** The meter's series, where it was found just now. */
  readonly series?: ReadableSeries | null | undefined
  /** How one subject's usage is asked for, whose rows are found by a key; left out: planned each time, as that of several. */
  readonly askOfOne?: Ask
}

/** Rows of a meter's usage, to be read in the statement they are given to. */
export interface MeterUsage {
  /** seq, time, subject, value, n (how many events a row stands for), and what `columns` adds as x0, x1 and so on. */
  readonly rows: RawBuilder<unknown>
  /** Whether the scope has events that a cutoff did not see: a condition. */
  readonly unseenBy: (cutoff: string) => RawBuilder<boolean>
}

const TRIES = 10

/**
 * Reads the usage of a meter: rollups for whole buckets, events at ragged edges and those that are not rolled up yet;
 * where there are no rollups, events alone. Exactly what the snapshot of the statement sees (billing rule 8): one that
 * finds the rollups grown, or fallen behind, since they were looked up is run again.
 */
export async function readUsage<T>(
  db: Db,
  { scope, series: known, askOfOne, ...reading }: Reading & { readonly scope: UsageScope },
  query: (usage: MeterUsage) => RawBuilder<T>,
): Promise<readonly T[]> {
  const { buckets } = reading
  if (buckets !== null && !asksOfEvents(scope)) {
    for (let attempt = 1; attempt <= TRIES; attempt += 1) {
      const isFound = attempt === 1 && known !== undefined
      const series = isFound ? known : await findSeries(db, scope.meter)
      if (series === null) break
      const usage = rolledUpUsage({ scope, ...reading, buckets, series })
      const question = sql<T & SeriesNow>`
        SELECT answer.*, ${nowOf(series, sql`rolled_seq`)} AS "rolledSeqNow", ${nowOf(series, isBehind)} AS "isBehindNow"
        FROM (${query(usage)}) answer`
      // How far the rollups are behind decides how events behind them are best found: those are planned each time.
      const isOfOne = scope.subjects?.length === 1 && !series.isBehind
      const rows = isOfOne && askOfOne ? await askOfOne(db, question) : (await question.execute(db)).rows
      const [first] = rows
      const now =
        first === undefined
          ? await findSeries(db, scope.meter)
          : { id: series.id, rolledSeq: first.rolledSeqNow, isBehind: first.isBehindNow }
      if (now?.id === series.id && isStill(series, now)) return rows
    }
  }
  return (await query(rawUsage(scope, reading)).execute(db)).rows
}

/** The series as the statement that answers finds it. */
interface SeriesNow {
  readonly rolledSeqNow: string | null
  readonly isBehindNow: boolean | null
}

const nowOf = ({ id }: ReadableSeries, column: RawBuilder<unknown>): RawBuilder<unknown> =>
  sql`(SELECT ${column} FROM usage_series WHERE id = ${id} AND NOT obsolete)`

/** Whether a statement that was made for the one may be answered on the other. */
function isStill(
  asked: ReadableSeries,
  now: { readonly rolledSeq: string | null; readonly isBehind: boolean | null },
): boolean {
  // Events were stored meanwhile, and it does not look for any.
  const isMissing = now.isBehind === true && !asked.isBehind
  return now.rolledSeq === asked.rolledSeq && !isMissing
}

/** What a cutoff saw, and what a subject used while it was somebody's, is a question about single events. */
function asksOfEvents({ cutoff, hiddenFrom, holds }: UsageScope): boolean {
  return cutoff !== undefined || hiddenFrom !== undefined || Boolean(holds)
}

function rawUsage(scope: UsageScope, { columns = () => [] }: Pick<Reading, 'columns'>): MeterUsage {
  return {
    rows: rowsOfEvents(scope, columns),
    unseenBy: (cutoff) => sql`EXISTS (${meterEvents({ ...scope, hiddenFrom: cutoff })})`,
  }
}

interface RolledUpReading extends Omit<Reading, 'series' | 'askOfOne'> {
  readonly buckets: Cut
  readonly scope: UsageScope
  readonly series: ReadableSeries
}

function rolledUpUsage({ scope, columns = () => [], buckets: lengths, series }: RolledUpReading): MeterUsage {
  const interval = { from: beginning(scope), to: scope.to?.getTime() ?? null }
  const segments = segmentsOf(interval, lengths)
  const ragged = segments.filter(({ minutes }) => minutes === null).map((one) => within(scope, one))
  const buckets = segments.flatMap((one) => (one.minutes === null ? [] : [{ ...one, minutes: one.minutes }]))
  const behind = buckets.length === 0 || !series.isBehind ? [] : [behindOf(scope, buckets, series)]
  const events = [...ragged, ...behind]
  const rows = [
    ...buckets.map((one) => rowsOfBuckets({ scope, columns, series }, one)),
    ...events.map((one) => rowsOfEvents(one, columns)),
  ]
  return {
    // An empty interval has no segment.
    rows: rows.length === 0 ? rowsOfEvents(scope, columns) : sql.join(rows, sql` UNION ALL `),
    unseenBy: (cutoff) =>
      sql.join(
        [
          ...buckets.map((one) => unseenInBuckets({ scope, series, cutoff }, one)),
          ...events.map((one) => sql`EXISTS (${meterEvents({ ...one, hiddenFrom: cutoff })})`),
          sql`false`,
        ],
        sql` OR `,
      ),
  }
}

type BucketSegment = Segment & { readonly minutes: BucketMinutes }

function beginning({ from, meter: { eventFrom } }: UsageScope): number | null {
  if (from === null || eventFrom === null) return from?.getTime() ?? eventFrom?.getTime() ?? null
  return Math.max(from.getTime(), eventFrom.getTime())
}

function within(scope: UsageScope, { from, to }: Pick<Segment, 'from' | 'to'>): UsageScope {
  return { ...scope, from: from === null ? null : new Date(from), to: to === null ? null : new Date(to) }
}

/** Events of the buckets that are not in them yet. */
function behindOf(
  scope: UsageScope,
  buckets: readonly BucketSegment[],
  { rolledSeq }: ReadableSeries,
): UsageScope {
  const whole = within(scope, { from: buckets[0]?.from ?? null, to: buckets.at(-1)?.to ?? null })
  return { ...whole, afterSeq: rolledSeq }
}

function rowsOfEvents(scope: UsageScope, columns: UsageColumns): RawBuilder<unknown> {
  const { aggregation, groupBy } = scope.meter
  const extra = columns((key) => textAt(groupBy[key] ?? '$'), null)
  const names = extra.map((_column, index) => sql`, ${columnName(index)}`)
  const events = meterEvents(
    scope,
    extra.map((column, index) => sql`${column} AS ${columnName(index)}`),
  )
  const value = aggregation === 'COUNT' ? sql`NULL::numeric AS value` : sql`value`
  return sql`SELECT seq, time, subject, ${value}, 1::bigint AS n${sql.join(names, sql``)} FROM (${events}) one`
}

const keptValue: Readonly<Record<Aggregation, RawBuilder<unknown>>> = {
  SUM: sql`sum`,
  AVG: sql`sum`,
  COUNT: sql`NULL::numeric`,
  MIN: sql`low`,
  MAX: sql`high`,
  LATEST: sql`latest`,
  UNIQUE_COUNT: sql`NULL::numeric`,
}

interface BucketReading {
  readonly scope: UsageScope
  readonly series: ReadableSeries
  readonly columns: UsageColumns
}

function rowsOfBuckets(
  { scope, series, columns }: BucketReading,
  segment: BucketSegment,
): RawBuilder<unknown> {
  const keys = groupKeys(scope.meter.groupBy)
  const group: GroupText = (key) => sql`events.groups[${keys.indexOf(key) + 1}::int]`
  const extra = columns(group, segment.minutes).map(
    (column, index) => sql`, ${column} AS ${columnName(index)}`,
  )
  // Of the others these columns are empty, and the last ones of a row are the dearest to get at.
  const order =
    scope.meter.aggregation === 'LATEST'
      ? sql`latest_seq AS seq, latest_time AS time`
      : sql`0::bigint AS seq, bucket AS time`
  return sql`
    SELECT events.seq, events.time, events.subject, events.value, events.n${sql.join(extra, sql``)} FROM (
      SELECT ${order}, subject,
        ${keptValue[scope.meter.aggregation]} AS value, count AS n, groups, bucket
      FROM usage_rollups r WHERE ${sql.join(bucketConditions(scope, series, segment), sql` AND `)}
    ) events`
}

function bucketConditions(
  { meter, subjects, groupByFilters }: UsageScope,
  { id }: ReadableSeries,
  { minutes, from, to }: BucketSegment,
): readonly RawBuilder<unknown>[] {
  const keys = groupKeys(meter.groupBy)
  const list: RawBuilder<unknown>[] = [sql`r.series_id = ${id}`, sql`r.minutes = ${minutes}`]
  if (from !== null) list.push(sql`r.bucket >= ${new Date(from)}`)
  if (to !== null) list.push(sql`r.bucket < ${new Date(to)}`)
  if (subjects !== null) list.push(isOneOf(sql`r.subject`, subjects))
  for (const [key, values] of Object.entries(groupByFilters ?? {})) {
    const at = keys.indexOf(key)
    // A key the meter does not have matches nothing, never everything.
    list.push(at < 0 ? sql`false` : sql`r.groups[${at + 1}::int] = ANY(${[...values]}::text[])`)
  }
  return list
}

/**
 * A bucket whose last writer the cutoff saw holds nothing that is new to it. Of the others the events are looked at:
 * who wrote them may only have counted later what was stored before. That is told finer by the smallest buckets in them.
 */
function unseenInBuckets(
  { scope, series, cutoff }: { scope: UsageScope; series: ReadableSeries; cutoff: string },
  segment: BucketSegment,
): RawBuilder<unknown> {
  const where = sql.join(bucketConditions(scope, series, segment), sql` AND `)
  const hidden = { ...scope, subjects: null, from: null, to: null, hiddenFrom: cutoff }
  const events = sql`(SELECT * FROM events WHERE events.subject = r.subject AND events.time >= fine.bucket
    AND events.time < fine.bucket + ${bucketMinutes[0]}::int * interval '1 minute') events`
  return sql`EXISTS (
    SELECT FROM usage_rollups r JOIN usage_rollups fine ON fine.series_id = r.series_id AND fine.minutes = ${bucketMinutes[0]}
      AND fine.subject = r.subject AND fine.bucket >= r.bucket AND fine.bucket < r.bucket + ${segment.minutes}::int * interval '1 minute'
    WHERE ${where} AND NOT pg_visible_in_snapshot(r.txid, ${cutoff}::pg_snapshot)
      AND NOT pg_visible_in_snapshot(fine.txid, ${cutoff}::pg_snapshot)
      AND EXISTS (${meterEvents(hidden, [], events)}))`
}

function columnName(index: number): RawBuilder<unknown> {
  return sql.raw(`x${index}`)
}
