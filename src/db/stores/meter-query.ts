import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '../connection.ts'
import type { Cut } from './usage-segments.ts'
import { bucketsBetween, bucketsInWindows, listedWindows } from './usage-windows.ts'
import { readUsage } from './usage-reading.ts'
import type { GroupText, UsageColumns } from './usage-reading.ts'
import { aggregateOf, meterEvents, textAt } from './usage-sql.ts'
import type { UsageScope } from './usage-sql.ts'
import { DomainError } from '../../domain/errors.ts'
import { calendarWindow } from '../../domain/usage-windows.ts'
import type { WindowSize } from '../../domain/usage-windows.ts'
import type { Period } from '../../domain/periods.ts'

export interface MeterQuery extends UsageScope {
  /** null: one aggregate over the whole interval. */
  readonly windowSize: WindowSize | null
  readonly timeZone: string
  /** `subject`, `customer_id` or group-by keys of the meter. */
  readonly groupBy: readonly string[]
}

export interface MeterQueryRow {
  /** Exact decimal text. */
  readonly value: string
  readonly windowStart: Date
  readonly windowEnd: Date
  readonly subject: string | null
  readonly customerId: string | null
  readonly groupBy: Readonly<Record<string, string | null>>
}

const ROWS_MAX = 100_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

interface RawRow {
  readonly value: string
  /** Which of the listed windows, counted from 1. */
  readonly place: number | null
  /** The local date that days and months begin with where they are not listed. */
  readonly date: string | null
  /** Where an hour began that was cut in two. */
  readonly base: Date | null
  readonly start: Date | null
  readonly end: Date | null
  readonly groups: readonly (string | null)[] | null
}

/** Usage by window and group, in order of both; windows and groups without usage have no row. */
export async function queryMeter(db: Db, query: MeterQuery): Promise<readonly MeterQueryRow[]> {
  const { meter, groupBy, windowSize } = query
  const columns: UsageColumns = (text) => [
    ...windowColumns(query, { listed, buckets }),
    ...groupBy.map((key) => groupColumn(key, meter.groupBy, text)),
  ]
  const listed = listedWindows(query)
  const buckets =
    listed === null
      ? await bucketsInWindows(db, query).catch(refuseUnknownZone(query.timeZone))
      : bucketsBetween(listed)
  // Columns of their own: a list of them is compared many times slower.
  const groups = groupBy.map((_key, index) => sql.raw(`x${index + 3}`))
  const keys = sql.join([sql`x0`, sql`x1`, sql`x2`, ...groups])
  const rows = await readUsage(
    db,
    { scope: query, columns, buckets },
    (usage) => sql<RawRow>`
      SELECT value, ${listed === null ? shownWindow(windowSize) : sql`x0 AS place`},
        ${groupBy.length === 0 ? sql`NULL` : sql`ARRAY[${sql.join(groups)}]`}::text[] AS groups
      FROM (
        SELECT ${aggregateOf(meter)} AS value, ${keys} ${windowSize === null ? span : sql``}
        FROM (${usage.rows}) usage GROUP BY ${keys} ${beforeSorted}
      ) summed ORDER BY ${keys} LIMIT ${ROWS_MAX + 1}`,
  ).catch(refuseUnknownZone(query.timeZone))
  if (rows.length > ROWS_MAX) {
    const message = `the answer has more than ${ROWS_MAX} rows; ask for a shorter interval, larger windows or fewer groups`
    throw new DomainError('validation_failed', message, { field: 'from' })
  }
  const windowOf = listed === null ? windowsOf(query) : placedIn(listed)
  return rows.map((row) => present(row, query.groupBy, windowOf(row)))
}

const span = sql`, min(time) AS first, max(time) AS last`
/** Without it PostgreSQL sorts all rows to group them in order, where it could hash them and sort the few that come of it. */
const beforeSorted = sql`OFFSET 0`

function present(row: RawRow, keys: readonly string[], { from, to }: Period): MeterQueryRow {
  const byKey = Object.fromEntries(keys.map((key, index) => [key, row.groups?.[index] ?? null]))
  const { subject = null, customer_id: customerId = null, ...groupBy } = byKey
  return {
    value: row.value,
    windowStart: new Date(from),
    windowEnd: new Date(to),
    subject,
    customerId,
    groupBy,
  }
}

/** In epoch ms. */
type WindowOf = (row: RawRow) => Period

function placedIn(windows: readonly Period[]): WindowOf {
  return ({ place }) => {
    const window = windows[(place ?? 0) - 1]
    if (window === undefined) throw new Error('usage outside of the windows that hold its interval')
    return window
  }
}

function windowsOf({ windowSize, timeZone, from, to }: MeterQuery): WindowOf {
  switch (windowSize) {
    case 'DAY':
    case 'MONTH':
      return ({ date }) => calendarWindow(windowSize, date ?? '', timeZone)
    case 'HOUR':
    case 'MINUTE': {
      const lengthMs = windowSize === 'HOUR' ? HOUR_MS : MINUTE_MS
      return ({ start, base }) => ({
        from: start?.getTime() ?? Number.NaN,
        to: ((base ?? start)?.getTime() ?? Number.NaN) + lengthMs,
      })
    }
    case null:
      return ({ start, end }) => ({
        from: from?.getTime() ?? start?.getTime() ?? Number.NaN,
        to: to?.getTime() ?? (end?.getTime() ?? Number.NaN) + MINUTE_MS,
      })
  }
}

/** Only what is needed: every column costs, in every row. */
function shownWindow(windowSize: WindowSize | null): RawBuilder<unknown> {
  switch (windowSize) {
    case 'DAY':
    case 'MONTH':
      return sql`to_char(x0, 'YYYY-MM-DD') AS date`
    case 'HOUR':
      return sql`x1 AS base, x2 AS start`
    case 'MINUTE':
      return sql`x2 AS start`
    case null:
      return sql`date_trunc('minute', first) AS start, date_trunc('minute', last) AS end`
  }
}

function groupColumn(
  key: string,
  groupBy: Readonly<Record<string, string>>,
  text: GroupText,
): RawBuilder<unknown> {
  if (key === 'subject') return sql`events.subject`
  if (key === 'customer_id') {
    return sql`(SELECT customer_id FROM customer_subjects
      WHERE subject_key = events.subject AND customer_subjects.deleted_at IS NULL)`
  }
  if (Object.hasOwn(groupBy, key)) return text(key)
  const known = ['subject', 'customer_id', ...Object.keys(groupBy)].join(', ')
  throw new DomainError('validation_failed', `this meter cannot be grouped by ${key}; it knows ${known}`, {
    field: 'groupBy',
  })
}

/** What a window is told apart by: its place in a list or its local date (days and months), its base and its start (hours and minutes). */
function windowColumns(
  query: MeterQuery,
  { listed, buckets }: { readonly listed: readonly Period[] | null; readonly buckets: Cut | null },
): readonly RawBuilder<unknown>[] {
  const { windowSize, timeZone } = query
  const none = sql`NULL::timestamptz`
  if (listed !== null) {
    const beginnings = listed.map(({ from }) => new Date(from))
    return [sql`width_bucket(events.time, ${beginnings}::timestamptz[])`, none, none]
  }
  switch (windowSize) {
    case null:
      return [sql`NULL::timestamp`, none, none]
    case 'DAY':
    case 'MONTH':
      // Their ends are calendar arithmetic (billing rule 3).
      return [sql`date_trunc(${windowSize.toLowerCase()}, events.time AT TIME ZONE ${timeZone})`, none, none]
    case 'MINUTE':
      return [sql`NULL::timestamp`, none, windowBase(query)]
    case 'HOUR':
      // Every hour of the zone is a whole number of them after any hour of UTC: no calendar has to be asked of each row.
      if (buckets?.longest === 60)
        return [sql`NULL::timestamp`, none, sql`date_bin('1 hour', events.time, '0001-01-01T00:00Z')`]
      return [sql`NULL::timestamp`, windowBase(query), windowStart(query)]
  }
}

/** Minutes and hours are cut from the instant at its own offset, so that the hour that comes twice is two windows. */
function windowBase({ windowSize, timeZone }: MeterQuery): RawBuilder<unknown> {
  return sql`date_trunc(${windowSize?.toLowerCase()}, events.time, ${timeZone})`
}

/** Where clocks move by half an hour (Lord Howe), an hour that was cut in two starts at the change. */
function windowStart(query: MeterQuery): RawBuilder<unknown> {
  const zone = query.timeZone
  const drift = sql`date_trunc('hour', events.time AT TIME ZONE ${zone}) - (${windowBase(query)} AT TIME ZONE ${zone})`
  return sql`${windowBase(query)} + greatest(${drift}, -(${drift}))`
}

/** PostgreSQL brings its own list of zones, which may lack one that JavaScript knows. */
function refuseUnknownZone(timeZone: string): (error: unknown) => never {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === '22023') {
      throw new DomainError('invalid_time_zone', `"${timeZone}" is not a time zone of the database`, {
        field: 'windowTimeZone',
      })
    }
    throw error
  }
}

/** Subjects with usage of a meter, sorted. */
export async function meterSubjects(db: Db, scope: UsageScope): Promise<readonly string[]> {
  return await distinctValues(db, scope, sql`events.subject`)
}

/** Values of one of the meter's group-by keys, sorted. */
export async function meterGroupByValues(db: Db, scope: UsageScope, key: string): Promise<readonly string[]> {
  const { groupBy } = scope.meter
  return await distinctValues(
    db,
    scope,
    groupColumn(key, groupBy, (known) => textAt(groupBy[known] ?? '$')),
  )
}

async function distinctValues(
  db: Db,
  scope: UsageScope,
  column: RawBuilder<unknown>,
): Promise<readonly string[]> {
  const { rows } = await sql<{ found: string }>`
    SELECT DISTINCT found FROM (${meterEvents(scope, [sql`${column} AS found`])}) usage
    WHERE found IS NOT NULL ORDER BY found LIMIT ${ROWS_MAX}`.execute(db)
  return rows.map(({ found }) => found)
}
