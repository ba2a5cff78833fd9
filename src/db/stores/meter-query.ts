import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '../connection.ts'
import { aggregateOf, meterEvents, textAt } from './usage-sql.ts'
import type { UsageScope } from './usage-sql.ts'
import { DomainError } from '../../domain/errors.ts'
import { calendarWindow } from '../../domain/usage-windows.ts'
import type { WindowSize } from '../../domain/usage-windows.ts'

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
  readonly date: string | null
  readonly base: Date | null
  readonly start: Date
  readonly end: Date
  readonly groups: readonly (string | null)[]
}

/** Usage by window and group, in order of both; windows and groups without usage have no row. */
export async function queryMeter(db: Db, query: MeterQuery): Promise<readonly MeterQueryRow[]> {
  const { meter, groupBy } = query
  const groups = groupBy.map((key) => groupColumn(key, meter.groupBy))
  const events = meterEvents(query, [
    sql`ARRAY[${sql.join(groups)}]::text[] AS groups`,
    sql`${windowDate(query)} AS date`,
    sql`${windowBase(query)} AS base`,
    sql`${windowStart(query)} AS start`,
  ])
  const { rows } = await sql<RawRow>`
    SELECT ${aggregateOf(meter)} AS value, date, base, groups,
      coalesce(start, date_trunc('minute', min(time))) AS start, date_trunc('minute', max(time)) AS end
    FROM (${events}) usage GROUP BY date, base, start, groups
    ORDER BY date, start, groups LIMIT ${ROWS_MAX + 1}`
    .execute(db)
    .catch(refuseUnknownZone(query.timeZone))
  if (rows.length > ROWS_MAX) {
    const message = `the answer has more than ${ROWS_MAX} rows; ask for a shorter interval, larger windows or fewer groups`
    throw new DomainError('validation_failed', message, { field: 'from' })
  }
  return rows.map((row) => present(row, query))
}

function present(row: RawRow, query: MeterQuery): MeterQueryRow {
  const byKey = Object.fromEntries(query.groupBy.map((key, index) => [key, row.groups[index] ?? null]))
  const { subject = null, customer_id: customerId = null, ...groupBy } = byKey
  const { from, to } = windowOf(row, query)
  return {
    value: row.value,
    windowStart: new Date(from),
    windowEnd: new Date(to),
    subject,
    customerId,
    groupBy,
  }
}

function windowOf(row: RawRow, { windowSize, timeZone, from, to }: MeterQuery): { from: number; to: number } {
  switch (windowSize) {
    case 'DAY':
    case 'MONTH':
      return calendarWindow(windowSize, row.date ?? '', timeZone)
    case 'HOUR':
    case 'MINUTE':
      return {
        from: row.start.getTime(),
        to: (row.base ?? row.start).getTime() + (windowSize === 'HOUR' ? HOUR_MS : MINUTE_MS),
      }
    case null:
      return { from: (from ?? row.start).getTime(), to: to?.getTime() ?? row.end.getTime() + MINUTE_MS }
  }
}

function groupColumn(key: string, groupBy: Readonly<Record<string, string>>): RawBuilder<unknown> {
  if (key === 'subject') return sql`events.subject`
  if (key === 'customer_id') {
    return sql`(SELECT customer_id FROM customer_subjects
      WHERE subject_key = events.subject AND customer_subjects.deleted_at IS NULL)`
  }
  const path = Object.hasOwn(groupBy, key) ? groupBy[key] : undefined
  if (path !== undefined) return textAt(path)
  const known = ['subject', 'customer_id', ...Object.keys(groupBy)].join(', ')
  throw new DomainError('validation_failed', `this meter cannot be grouped by ${key}; it knows ${known}`, {
    field: 'groupBy',
  })
}

/** Days and months are grouped by their local date, and their ends are calendar arithmetic (billing rule 3). */
function windowDate({ windowSize, timeZone }: MeterQuery): RawBuilder<unknown> {
  if (windowSize !== 'DAY' && windowSize !== 'MONTH') return sql`NULL::text`
  const unit = windowSize.toLowerCase()
  return sql`to_char(date_trunc(${unit}, events.time AT TIME ZONE ${timeZone}), 'YYYY-MM-DD')`
}

/** Minutes and hours are cut from the instant at its own offset, so that the hour that comes twice is two windows. */
function windowBase({ windowSize, timeZone }: MeterQuery): RawBuilder<unknown> {
  if (windowSize !== 'MINUTE' && windowSize !== 'HOUR') return sql`NULL::timestamptz`
  return sql`date_trunc(${windowSize.toLowerCase()}, events.time, ${timeZone})`
}

/** Where clocks move by half an hour (Lord Howe), an hour that was cut in two starts at the change. */
function windowStart(query: MeterQuery): RawBuilder<unknown> {
  if (query.windowSize !== 'HOUR') return windowBase(query)
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
  return await distinctValues(db, scope, groupColumn(key, scope.meter.groupBy))
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
