import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '../connection.ts'
import { namingFirstTexts } from '../prepared.ts'
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

const askWindows = namingFirstTexts()

const ROWS_MAX = 100_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

interface RawRow {
  readonly value: string
  /** Which of the listed windows, counted from 1. */
  readonly place?: number
  /** The local date that days and months begin with where they are not listed. */
  readonly date?: string
  /** Where an hour began that was cut in two. */
  readonly base?: Date
  readonly start?: Date
  readonly end?: Date
  readonly groups: readonly (string | null)[] | null
}

/** Usage by window and group, in order of both; windows and groups without usage have no row. */
export async function queryMeter(db: Db, query: MeterQuery): Promise<readonly MeterQueryRow[]> {
  const { meter, groupBy } = query
  const listed = listedWindows(query)
  const buckets =
    listed === null
      ? await bucketsInWindows(db, query).catch(refuseUnknownZone(query.timeZone))
      : bucketsBetween(listed)
  const windows = listed === null ? toldWindows(query, buckets) : [placeIn(listed)]
  const columns: UsageColumns = (text) => [
    ...windows.map(({ of }) => of),
    ...groupBy.map((key) => groupColumn(key, meter.groupBy, text)),
  ]
  // Columns of their own: a list of them is compared many times slower.
  const names = [...windows, ...groupBy].map((_key, index) => sql.raw(`x${index}`))
  const groups = names.slice(windows.length)
  const shown = windows.map(({ as }, index) => sql`, ${as(sql.raw(`x${index}`))}`)
  const keys = sql.join(names)
  const rows = await readUsage(
    db,
    { scope: query, columns, buckets, askOfOne: askWindows },
    (usage) => sql<RawRow>`
      SELECT value ${sql.join(shown, sql``)},
        ${groupBy.length === 0 ? sql`NULL` : sql`ARRAY[${sql.join(groups)}]`}::text[] AS groups
      FROM (
        SELECT ${aggregateOf(meter)} AS value, ${keys} ${query.windowSize === null ? span : sql``}
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

/** What windows are told apart by, and how it is answered. No more than is needed: every column costs, in every row. */
interface WindowColumn {
  readonly of: RawBuilder<unknown>
  readonly as: (column: RawBuilder<unknown>) => RawBuilder<unknown>
}

function placeIn(windows: readonly Period[]): WindowColumn {
  const beginnings = windows.map(({ from }) => new Date(from))
  const of = sql`width_bucket(events.time, ${beginnings}::timestamptz[])`
  return { of, as: (column) => sql`${column} AS place` }
}

function toldWindows(query: MeterQuery, buckets: Cut | null): readonly WindowColumn[] {
  const { windowSize, timeZone } = query
  const start = (of: RawBuilder<unknown>): WindowColumn => ({ of, as: (column) => sql`${column} AS start` })
  switch (windowSize) {
    case null: {
      // One group, and none where there is no usage.
      const as = () => sql`date_trunc('minute', first) AS start, date_trunc('minute', last) AS end`
      return [{ of: sql`NULL::timestamp`, as }]
    }
    case 'DAY':
    case 'MONTH': {
      // Their ends are calendar arithmetic (billing rule 3).
      const of = sql`date_trunc(${windowSize.toLowerCase()}, events.time AT TIME ZONE ${timeZone})`
      return [{ of, as: (column) => sql`to_char(${column}, 'YYYY-MM-DD') AS date` }]
    }
    case 'MINUTE':
      return [start(windowBase(query))]
    case 'HOUR':
      // Every hour of the zone is a whole number of them after any hour of UTC: no calendar has to be asked of each row.
      if (buckets?.longest === 60) return [start(sql`date_bin('1 hour', events.time, '0001-01-01T00:00Z')`)]
      return [{ of: windowBase(query), as: (column) => sql`${column} AS base` }, start(windowStart(query))]
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
