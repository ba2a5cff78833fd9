import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import type { MeterQuery } from './meter-query.ts'
import { bucketMinutes } from './usage-segments.ts'
import type { Cut } from './usage-segments.ts'
import { calendarWindows } from '../../domain/usage-windows.ts'
import type { Period } from '../../domain/periods.ts'

/** Until 2011 some zones moved their clocks at a minute past midnight, inside a bucket. */
const WHOLE_QUARTERS_SINCE = Date.UTC(2012, 0, 1)
const DAYS_MAX = 4000
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

/**
 * The windows of a query by day or month, told before it is asked: PostgreSQL then finds the window of a row in a list, which
 * is many times cheaper than a calendar. Null for other sizes, and where the interval is open or too long for a list.
 */
export function listedWindows({ windowSize, timeZone, from, to }: MeterQuery): readonly Period[] | null {
  if ((windowSize !== 'DAY' && windowSize !== 'MONTH') || from === null || to === null) return null
  return calendarWindows(windowSize, { from: from.getTime(), to: to.getTime() }, timeZone)
}

/** The longest buckets of which none lies in two windows. */
export function bucketsBetween(windows: readonly Period[]): Cut {
  const edges = windows.slice(1).map(({ from }) => from)
  const isEdge = (minutes: number) => (at: number) => at % (minutes * MINUTE_MS) === 0
  const longest = bucketMinutes.findLast((minutes) => edges.every(isEdge(minutes)))
  if (longest !== undefined) return { longest, since: Number.NEGATIVE_INFINITY }
  const [shortest] = bucketMinutes
  const cut = edges.findLast((at) => !isEdge(shortest)(at))
  return { longest: shortest, since: cut ?? Number.NEGATIVE_INFINITY }
}

/** Buckets that lie in one window each; null where windows need the events themselves. */
export async function bucketsInWindows(db: Db, query: MeterQuery): Promise<Cut | null> {
  const { windowSize, timeZone, from, to } = query
  if (windowSize === 'MINUTE') return null
  // An open interval begins or ends with its first or last event.
  if (windowSize === null)
    return from === null || to === null ? null : { longest: 1440, since: from.getTime() }
  const since = WHOLE_QUARTERS_SINCE
  if (timeZone === 'UTC') return { longest: windowSize === 'HOUR' ? 60 : 1440, since }
  return { longest: (await isWholeHoursOff(db, query)) ? 60 : 15, since }
}

/** No zone changes its offset for less than a day, so that its days tell, from the one before to the one behind. */
async function isWholeHoursOff(db: Db, { timeZone, from, to }: MeterQuery): Promise<boolean> {
  // Of what is before that the events are cut as well.
  if (from === null || to === null || from.getTime() < WHOLE_QUARTERS_SINCE) return false
  const around = { from: from.getTime() - DAY_MS, to: to.getTime() + DAY_MS }
  const days = calendarWindows('DAY', around, timeZone)
  if (days !== null) return days.every((day) => day.from % HOUR_MS === 0 && day.to % HOUR_MS === 0)
  if (around.to - around.from > DAYS_MAX * DAY_MS) return false
  const { rows } = await sql<{ whole: boolean }>`
    SELECT coalesce(bool_and(extract(minute FROM day AT TIME ZONE ${timeZone}) = extract(minute FROM day AT TIME ZONE 'UTC')), true) AS whole
    FROM generate_series(${new Date(around.from)}::timestamptz, ${new Date(around.to)}::timestamptz, interval '1 day') day`.execute(
    db,
  )
  return rows[0]?.whole ?? false
}
