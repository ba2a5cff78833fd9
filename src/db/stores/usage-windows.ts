import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import type { MeterQuery } from './meter-query.ts'
import type { Cut } from './usage-segments.ts'

/** Until 2011 some zones moved their clocks at a minute past midnight, inside a bucket. */
const WHOLE_QUARTERS_SINCE = Date.UTC(2012, 0, 1)
const DAYS_MAX = 4000
const DAY_MS = 86_400_000

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

/** PostgreSQL cuts the windows, so it is asked. No zone changes its offset for less than a day. */
async function isWholeHoursOff(db: Db, { timeZone, from, to }: MeterQuery): Promise<boolean> {
  // Of what is before that the events are cut as well.
  if (from === null || to === null || from.getTime() < WHOLE_QUARTERS_SINCE) return false
  const begin = from.getTime() - DAY_MS
  const end = to.getTime() + DAY_MS
  if (end - begin > DAYS_MAX * DAY_MS) return false
  const { rows } = await sql<{ whole: boolean }>`
    SELECT coalesce(bool_and(extract(minute FROM day AT TIME ZONE ${timeZone}) = extract(minute FROM day AT TIME ZONE 'UTC')), true) AS whole
    FROM generate_series(${new Date(begin)}::timestamptz, ${new Date(end)}::timestamptz, interval '1 day') day`.execute(
    db,
  )
  return rows[0]?.whole ?? false
}
