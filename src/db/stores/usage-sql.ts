import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { parseJsonPath } from '../../domain/json-path.ts'
import { aggregationReads, usageNumber } from '../../domain/meters.ts'
import type { UsageMeter } from '../../domain/meters.ts'
import type { SubjectHold } from '../../domain/subject-holds.ts'

/** What is counted: a meter's events of some subjects in a half-open interval (billing rule 2). */
export interface UsageScope {
  readonly meter: UsageMeter
  /** null: every subject. */
  readonly subjects: readonly string[] | null
  /** When events of the subjects named here count, of the others always. */
  readonly holds?: readonly SubjectHold[] | null
  readonly from: Date | null
  readonly to: Date | null
  /** Values allowed for a group-by key of the meter. */
  readonly groupByFilters?: Readonly<Record<string, readonly string[]>>
  /** Only events that were stored after this one. */
  readonly afterSeq?: string
  /** A pg_snapshot as text: only events that it can see (billing rule 8). */
  readonly cutoff?: string
  /** A pg_snapshot as text: only events that it cannot see, late usage. */
  readonly hiddenFrom?: string
}

/** The text at a JSONPath of the event's data; null where there is none. */
export function textAt(path: string): RawBuilder<string | null> {
  return sql`(${jsonAt(path)}) #>> '{}'`
}

/** Strict, as `valueAt` is in JavaScript: positions find nothing in objects, and names nothing in arrays. */
function jsonAt(path: string): RawBuilder<unknown> {
  const steps = parseJsonPath(path).map((segment) =>
    typeof segment === 'number' ? sql`-> ${segment}::int` : sql`-> ${segment}::text`,
  )
  return sql.join([sql`events.data`, ...steps], sql` `)
}

/**
 * The meter's events with their value: columns seq, time, subject, value (not for COUNT) and what `columns` adds. An event that
 * this meter cannot use (no number where one is needed) is not among them, whatever was wrong with it at ingestion.
 * `source` is the table, or another relation that is named `events`.
 */
export function meterEvents(
  scope: UsageScope,
  columns: readonly RawBuilder<unknown>[] = [],
  source: RawBuilder<unknown> = sql`events`,
): RawBuilder<unknown> {
  const { meter } = scope
  const json = jsonAt(meter.valueProperty ?? '$')
  const extra = columns.length === 0 ? sql`` : sql`, ${sql.join(columns)}`
  const reads = aggregationReads(meter.aggregation)
  const where = sql.join(conditions(scope), sql` AND `)
  if (reads === 'nothing')
    return sql`SELECT events.seq, events.time, events.subject${extra} FROM ${source} WHERE ${where}`
  return sql`SELECT * FROM (
    SELECT e.*, ${reads === 'number' ? numberValue : textValue} AS value FROM (
      SELECT events.seq, events.time, events.subject${extra}, ${json} AS json FROM ${source} WHERE ${where} ${computedOnce}
    ) e ${computedOnce}
  ) v WHERE ${usableWhen(reads)}`
}

/** Without it PostgreSQL puts the expressions of a subquery wherever they are used, and computes them as often. */
const computedOnce = sql`OFFSET 0`

/** Zero with 30 decimals: a quotient has at least the decimals of its dividend. */
const averageScale = `0.${'0'.repeat(30)}`

/** The aggregate over the rows of `MeterUsage`, exact, as text; AVG is rounded to 30 decimals. */
export function aggregateOf(meter: UsageMeter): RawBuilder<string | null> {
  switch (meter.aggregation) {
    case 'SUM':
      return plain(sql`coalesce(sum(value), 0)`)
    case 'COUNT':
      return sql`coalesce(sum(n), 0)::text`
    case 'UNIQUE_COUNT':
      return sql`count(DISTINCT value)::text`
    case 'AVG':
      return plain(sql`(sum(value) + ${averageScale}::numeric) / nullif(sum(n), 0)`)
    case 'MIN':
      return plain(sql`min(value)`)
    case 'MAX':
      return plain(sql`max(value)`)
    case 'LATEST':
      // Two events of one instant are ordered by when they were stored, so that the answer never changes.
      return plain(sql`(array_agg(value ORDER BY time DESC, seq DESC))[1]`)
  }
}

function conditions(scope: UsageScope): readonly RawBuilder<unknown>[] {
  const { meter } = scope
  const list: RawBuilder<unknown>[] = [sql`events.type = ${meter.eventType}`]
  if (scope.subjects !== null) list.push(isOneOf(sql`events.subject`, scope.subjects))
  if (scope.holds) list.push(isHeld(scope.holds))
  if (scope.from !== null) list.push(sql`events.time >= ${scope.from}`)
  if (scope.to !== null) list.push(sql`events.time < ${scope.to}`)
  if (meter.eventFrom !== null) list.push(sql`events.time >= ${meter.eventFrom}`)
  if (scope.afterSeq !== undefined) list.push(sql`events.seq > ${scope.afterSeq}::bigint`)
  if (scope.cutoff !== undefined) {
    list.push(sql`pg_visible_in_snapshot(events.txid, ${scope.cutoff}::pg_snapshot)`)
  }
  if (scope.hiddenFrom !== undefined) {
    list.push(sql`NOT pg_visible_in_snapshot(events.txid, ${scope.hiddenFrom}::pg_snapshot)`)
  }
  for (const [key, values] of Object.entries(scope.groupByFilters ?? {})) {
    const path = Object.hasOwn(meter.groupBy, key) ? meter.groupBy[key] : undefined
    // A key the meter does not have matches nothing, never everything.
    list.push(path === undefined ? sql`false` : sql`(${textAt(path)}) = ANY(${[...values]}::text[])`)
  }
  return list
}

function isHeld(holds: readonly SubjectHold[]): RawBuilder<unknown> {
  const instant = (ms: number | null, open: string): string =>
    ms === null ? open : new Date(ms).toISOString()
  const named = holds.map(({ subjectKey }) => subjectKey)
  return sql`(events.subject <> ALL(${[...new Set(named)]}::text[]) OR EXISTS (
    SELECT FROM unnest(${named}::text[],
      ${holds.map(({ fromMs }) => instant(fromMs, '-infinity'))}::timestamptz[],
      ${holds.map(({ toMs }) => instant(toMs, 'infinity'))}::timestamptz[]) AS held (subject, since, until)
    WHERE held.subject = events.subject AND events.time >= held.since AND events.time < held.until))`
}

/** A single one is compared as one: PostgreSQL takes a list of unknown length for ten. */
export function isOneOf(column: RawBuilder<unknown>, values: readonly string[]): RawBuilder<unknown> {
  const [first, ...others] = values
  return first !== undefined && others.length === 0
    ? sql`${column} = ${first}`
    : sql`${column} = ANY(${[...values]}::text[])`
}

function usableWhen(reads: 'number' | 'text'): RawBuilder<unknown> {
  if (reads === 'text') return sql`v.value IS NOT NULL AND v.value <> ''`
  const { magnitudeMax, scaleMax } = usageNumber
  return sql`abs(v.value) < ${magnitudeMax}::numeric AND scale(trim_scale(v.value)) <= ${scaleMax}::int`
}

/** CASE keeps the cast away from text that is no number, and spares numbers the pattern: a third of the time. */
const numberValue = sql`CASE jsonb_typeof(e.json)
  WHEN 'number' THEN e.json::numeric
  WHEN 'string' THEN CASE
    WHEN length(e.json #>> '{}') <= ${usageNumber.lengthMax}::int AND (e.json #>> '{}') ~ ${usageNumber.pattern}
    THEN (e.json #>> '{}')::numeric
  END
END`
const textValue = sql`CASE WHEN jsonb_typeof(e.json) IN ('string', 'number', 'boolean') THEN e.json #>> '{}' END`

function plain(value: RawBuilder<unknown>): RawBuilder<string | null> {
  return sql`trim_scale(${value})::text`
}
