import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '../connection.ts'
import { namingFirstTexts } from '../prepared.ts'
import { readUsage } from './usage-reading.ts'
import type { GroupText, UsageColumns } from './usage-reading.ts'
import { aggregateOf, meterEvents, textAt } from './usage-sql.ts'
import type { UsageScope } from './usage-sql.ts'
import { windowsToAsk } from './window-columns.ts'
import type { Column } from './window-columns.ts'
import { DomainError } from '../../domain/errors.ts'
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

/** One row with the columns of the answer: hundreds of rows would be dearer to send and to read than to sum up. */
interface Answer {
  /** The values, what tells the windows, the groups, of one order; null where there is no usage. */
  readonly columns: readonly (Column | null)[]
}

/** Usage by window and group, in order of both; windows and groups without usage have no row. */
export async function queryMeter(db: Db, query: MeterQuery): Promise<readonly MeterQueryRow[]> {
  const { meter, groupBy } = query
  const windows = await windowsToAsk(db, query).catch(refuseUnknownZone(query.timeZone))
  const columns: UsageColumns = (text, minutes) => [
    ...windows.keys(minutes),
    ...groupBy.map((key) => groupColumn(key, meter.groupBy, text)),
  ]
  // Columns of their own: a list of them is compared many times slower.
  const names = [...windows.keys(null), ...groupBy].map((_key, index) => sql.raw(`x${index}`))
  const groups = names.slice(names.length - groupBy.length)
  const told = windows.told(names)
  const shown = [sql`value`, ...told, ...groups].map((of, index) => ({ of, as: sql.raw(`c${index}`) }))
  const keys = sql.join(names)
  // Whatever aggregates the rows of an ordered subquery sees them in its order.
  const rows = await readUsage(
    db,
    { scope: query, columns, buckets: windows.buckets, askOfOne: askWindows },
    (usage) => sql<Answer>`
      SELECT array_to_json(ARRAY[${sql.join(shown.map(({ as }) => sql`json_agg(${as})`))}]) AS columns FROM (
        SELECT ${sql.join(shown.map(({ of, as }) => sql`${of} AS ${as}`))} FROM (
          SELECT ${aggregateOf(meter)} AS value, ${keys} ${query.windowSize === null ? span : sql``}
          FROM (${usage.rows}) usage GROUP BY ${keys} ${beforeSorted}
        ) summed ORDER BY ${keys} LIMIT ${ROWS_MAX + 1}
      ) ordered`,
  ).catch(refuseUnknownZone(query.timeZone))
  const [values = [], ...others] = (rows[0]?.columns ?? []).map((column) => column ?? [])
  checkCount(values.length)
  const windowColumns = others.slice(0, told.length)
  return presented(values, {
    windowOf: (row) => windows.read(windowColumns.map((column) => column[row] ?? null)),
    groups: new Map(groupBy.map((key, index) => [key, others[told.length + index] ?? []])),
  })
}

const span = sql`, min(time) AS first, max(time) AS last`
/** Without it PostgreSQL sorts all rows to group them in order, where it could hash them and sort the few that come of it. */
const beforeSorted = sql`OFFSET 0`

function checkCount(rows: number): void {
  if (rows <= ROWS_MAX) return
  const message = `the answer has more than ${ROWS_MAX} rows; ask for a shorter interval, larger windows or fewer groups`
  throw new DomainError('validation_failed', message, { field: 'from' })
}

interface Presented {
  readonly windowOf: (row: number) => Period
  readonly groups: ReadonlyMap<string, Column>
}

function presented(values: Column, { windowOf, groups }: Presented): readonly MeterQueryRow[] {
  const others = [...groups].filter(([key]) => key !== 'subject' && key !== 'customer_id')
  const textIn = (column: Column | undefined, row: number): string | null => {
    const text = column?.[row] ?? null
    return text === null ? null : String(text)
  }
  return values.map((value, row) => {
    const { from, to } = windowOf(row)
    return {
      value: String(value),
      windowStart: new Date(from),
      windowEnd: new Date(to),
      subject: textIn(groups.get('subject'), row),
      customerId: textIn(groups.get('customer_id'), row),
      groupBy:
        others.length === 0
          ? noGroups
          : Object.fromEntries(others.map(([key, column]) => [key, textIn(column, row)])),
    }
  })
}

const noGroups = {}

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
