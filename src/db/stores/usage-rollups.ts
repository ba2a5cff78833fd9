import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { groupKeys } from './usage-series.ts'
import type { UsageSeries } from './usage-series.ts'
import { bucketMinutes } from './usage-segments.ts'
import { meterEvents, textAt } from './usage-sql.ts'
import type { Aggregation } from '../../domain/meters.ts'

type Keeps = UsageSeries['keeps']
type Kept = Partial<Record<'sum' | 'low' | 'high' | 'latest' | 'time' | 'seq', string>>

const aggregationOf = {
  count: 'COUNT',
  sum: 'SUM',
  extremes: 'MAX',
  latest: 'LATEST',
} as const satisfies Record<Keeps, Aggregation>

/** What is kept of events. Only what the kind of series needs is computed: the order of LATEST costs a sort. */
export const keptOfEvents: Readonly<Record<Keeps, RawBuilder<unknown>>> = {
  count: columns('count(*)', {}),
  sum: columns('count(*)', { sum: 'sum(value)' }),
  extremes: columns('count(*)', { low: 'min(value)', high: 'max(value)' }),
  latest: columns('count(*)', {
    latest: '(array_agg(value ORDER BY time DESC, seq DESC))[1]',
    time: 'max(time)',
    seq: '(array_agg(seq ORDER BY time DESC, seq DESC))[1]',
  }),
}
const ofBuckets: Readonly<Record<Keeps, RawBuilder<unknown>>> = {
  count: columns('sum(count)::bigint', {}),
  sum: columns('sum(count)::bigint', { sum: 'sum(sum)' }),
  extremes: columns('sum(count)::bigint', { low: 'min(low)', high: 'max(high)' }),
  latest: columns('sum(count)::bigint', {
    latest: '(array_agg(latest ORDER BY latest_time DESC, latest_seq DESC))[1]',
    time: 'max(latest_time)',
    seq: '(array_agg(latest_seq ORDER BY latest_time DESC, latest_seq DESC))[1]',
  }),
}

function columns(count: string, { sum, low, high, latest, time, seq }: Kept): RawBuilder<unknown> {
  const or = (expression: string | undefined, type: string): string => expression ?? `NULL::${type}`
  return sql.raw(
    `${count} AS count, ${or(sum, 'numeric')} AS sum, ${or(low, 'numeric')} AS low, ${or(high, 'numeric')} AS high,
    ${or(latest, 'numeric')} AS latest, ${or(time, 'timestamptz')} AS latest_time, ${or(seq, 'bigint')} AS latest_seq`,
  )
}

/** Adds the events after one and up to another to the rollups of some series, buckets of every length at once. */
export function addToRollups(
  series: readonly UsageSeries[],
  { after, upTo }: { readonly after: string; readonly upTo: string },
): RawBuilder<unknown> {
  const smallest = series.map(
    (one, index) => sql`${part('fine', index)} AS MATERIALIZED (${fromEvents(one)})`,
  )
  const all = series.flatMap(({ keeps }, index) =>
    bucketMinutes.map((minutes) => fromBuckets(keeps, part('fine', index), minutes)),
  )
  return sql`
    WITH slice AS MATERIALIZED (
      SELECT seq, type, subject, time, data FROM events WHERE seq > ${after}::bigint AND seq <= ${upTo}::bigint
    ), ${sql.join(smallest)}
    INSERT INTO usage_rollups AS r (series_id, minutes, subject, bucket, group_digest, groups,
      count, sum, low, high, latest, latest_time, latest_seq)
    SELECT series_id, minutes, subject, bucket, group_digest, groups, count, sum, low, high, latest, latest_time, latest_seq
    FROM (${sql.join(all, sql` UNION ALL `)}) parts ORDER BY series_id, minutes, subject, bucket
    ON CONFLICT (series_id, minutes, subject, bucket, group_digest) DO UPDATE SET
      count = r.count + excluded.count, sum = r.sum + excluded.sum, txid = excluded.txid,
      low = least(r.low, excluded.low), high = greatest(r.high, excluded.high),
      latest = CASE WHEN ${excludedIsLater} THEN excluded.latest ELSE r.latest END,
      latest_seq = CASE WHEN ${excludedIsLater} THEN excluded.latest_seq ELSE r.latest_seq END,
      latest_time = CASE WHEN ${excludedIsLater} THEN excluded.latest_time ELSE r.latest_time END`
}

/** Groups in the primary key: of the column `groups`. */
export const groupDigest = sql.raw(
  `CASE WHEN groups IS NULL THEN ''::bytea ELSE sha256(convert_to(groups::text, 'UTF8')) END`,
)

const excludedIsLater = sql.raw('(excluded.latest_time, excluded.latest_seq) > (r.latest_time, r.latest_seq)')

function part(name: string, index: number): RawBuilder<unknown> {
  return sql.raw(`${name}${index}`)
}

/**
 * The events of a relation that a series can use: columns seq, time, subject, groups, value (not where only events are counted)
 * and what `columns` adds.
 */
export function usableEvents(
  { eventType, keeps, valueProperty, groupBy }: UsageSeries,
  source: RawBuilder<unknown>,
  columns: readonly RawBuilder<unknown>[] = [],
): RawBuilder<unknown> {
  const values = groupKeys(groupBy).map((key) => textAt(groupBy[key] ?? '$'))
  const groups = values.length === 0 ? sql`NULL::text[]` : sql`ARRAY[${sql.join(values)}]::text[]`
  const meter = { eventType, eventFrom: null, aggregation: aggregationOf[keeps], valueProperty, groupBy }
  const scope = { meter, subjects: null, from: null, to: null }
  return meterEvents(scope, [sql`${groups} AS groups`, ...columns], sql`${source} events`)
}

function fromEvents(series: UsageSeries): RawBuilder<unknown> {
  return sql`
    SELECT *, ${groupDigest} AS group_digest FROM (
      SELECT ${series.id}::int AS series_id, subject, ${bucketOf(bucketMinutes[0], 'time')} AS bucket, groups, ${keptOfEvents[series.keeps]}
      FROM (${usableEvents(series, sql`slice`)}) usable GROUP BY subject, 3, groups) buckets`
}

function fromBuckets(keeps: Keeps, from: RawBuilder<unknown>, minutes: number): RawBuilder<unknown> {
  return sql`
    SELECT series_id, ${minutes}::smallint AS minutes, subject, ${bucketOf(minutes, 'bucket')} AS bucket, group_digest,
      min(groups) AS groups, ${ofBuckets[keeps]}
    FROM ${from} GROUP BY series_id, subject, 4, group_digest`
}

/** From the first day an event can have: before its origin date_bin differs between versions of PostgreSQL. */
export const bucketOrigin = sql.raw(`'0001-01-01T00:00:00Z'::timestamptz`)

function bucketOf(minutes: number, column: 'time' | 'bucket'): RawBuilder<unknown> {
  return sql`date_bin(${sql.lit(`${minutes} minutes`)}, ${sql.raw(column)}, ${bucketOrigin})`
}
