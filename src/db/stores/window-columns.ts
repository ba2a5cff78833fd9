import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import type { Db } from '../connection.ts'
import type { MeterQuery } from './meter-query.ts'
import type { BucketMinutes, Cut } from './usage-segments.ts'
import { bucketsBetween, bucketsInWindows, listedWindows } from './usage-windows.ts'
import { calendarWindow } from '../../domain/usage-windows.ts'
import type { Period } from '../../domain/periods.ts'

/** As JSON has it: text, or a number that a double holds. */
export type Cell = string | number | null
export type Column = readonly Cell[]

/** How the windows of a query are told apart by PostgreSQL, and known again by us. */
export interface AskedWindows {
  /** Which buckets give the answer; null: only events do. */
  readonly buckets: Cut | null
  /** What rows are grouped by, of events or of buckets of a length. No more than is needed: every column costs, in every row. */
  readonly keys: (minutes: BucketMinutes | null) => readonly RawBuilder<unknown>[]
  /** What is answered of each, by the names of the keys. */
  readonly told: (keys: readonly RawBuilder<unknown>[]) => readonly RawBuilder<unknown>[]
  /** The window, in epoch ms, by what was told. */
  readonly read: (told: readonly Cell[]) => Period
}

/** @throws what PostgreSQL says of a zone that it does not know */
export async function windowsToAsk(db: Db, query: MeterQuery): Promise<AskedWindows> {
  const listed = listedWindows(query)
  if (listed !== null) return windowsOfList(listed)
  const buckets = await bucketsInWindows(db, query)
  switch (query.windowSize) {
    case null:
      return wholeInterval(query, buckets)
    case 'DAY':
    case 'MONTH':
      return datedWindows(query, query.windowSize, buckets)
    case 'MINUTE':
      return begunWindows(() => windowBase(query), MINUTE_MS, buckets)
    case 'HOUR':
      // Every hour of the zone is a whole number of them after any hour of UTC: no calendar has to be asked of each row.
      return buckets?.longest === 60 ? begunWindows(hourOf, HOUR_MS, buckets) : cutHours(query, buckets)
  }
}

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

function windowsOfList(windows: readonly Period[]): AskedWindows {
  const beginnings = windows.map(({ from }) => new Date(from))
  return {
    buckets: bucketsBetween(windows),
    keys: () => [sql`width_bucket(events.time, ${beginnings}::timestamptz[])`],
    told: ([place]) => [sql`${place}`],
    read: ([place]) => {
      const window = windows[Number(place) - 1]
      if (window === undefined) throw new Error('usage outside of the windows that hold its interval')
      return window
    },
  }
}

/** One group, and none where there is no usage; an interval that is open begins and ends with its usage. */
function wholeInterval({ from, to }: MeterQuery, buckets: Cut | null): AskedWindows {
  return {
    buckets,
    keys: () => [sql`NULL::timestamp`],
    told: () => [inSeconds(sql`date_trunc('minute', first)`), inSeconds(sql`date_trunc('minute', last)`)],
    read: ([first, last]) => ({
      from: from?.getTime() ?? inMs(first),
      to: to?.getTime() ?? inMs(last) + MINUTE_MS,
    }),
  }
}

/** By the local date that they begin with: their ends are calendar arithmetic (billing rule 3). */
function datedWindows({ timeZone }: MeterQuery, size: 'DAY' | 'MONTH', buckets: Cut | null): AskedWindows {
  return {
    buckets,
    keys: () => [sql`date_trunc(${size.toLowerCase()}, events.time AT TIME ZONE ${timeZone})`],
    told: ([date]) => [sql`to_char(${date}, 'YYYY-MM-DD')`],
    read: ([date]) => calendarWindow(size, String(date), timeZone),
  }
}

/** Told by their first instant. */
function begunWindows(
  start: (minutes: BucketMinutes | null) => RawBuilder<unknown>,
  lengthMs: number,
  buckets: Cut | null,
): AskedWindows {
  return {
    buckets,
    keys: (minutes) => [start(minutes)],
    told: ([begun]) => [inSeconds(sql`${begun}`)],
    read: ([begun]) => {
      const from = inMs(begun)
      return { from, to: from + lengthMs }
    },
  }
}

/** The bucket of an hour is the hour: PostgreSQL finds these in their order, and has nothing to sort. */
const hourOf = (minutes: BucketMinutes | null): RawBuilder<unknown> =>
  minutes === 60 ? sql`events.bucket` : sql`date_bin('1 hour', events.time, '0001-01-01T00:00Z')`

/** Where clocks move by half an hour (Lord Howe), an hour that was cut in two starts at the change. */
function cutHours(query: MeterQuery, buckets: Cut | null): AskedWindows {
  const base = windowBase(query)
  const zone = query.timeZone
  const drift = sql`date_trunc('hour', events.time AT TIME ZONE ${zone}) - (${base} AT TIME ZONE ${zone})`
  return {
    buckets,
    keys: () => [base, sql`${base} + greatest(${drift}, -(${drift}))`],
    told: (keys) => keys.slice(0, 2).map(inSeconds),
    read: ([whole, begun]) => ({ from: inMs(begun), to: inMs(whole) + HOUR_MS }),
  }
}

/** Minutes and hours are cut from the instant at its own offset, so that the hour that comes twice is two windows. */
function windowBase({ windowSize, timeZone }: MeterQuery): RawBuilder<unknown> {
  return sql`date_trunc(${windowSize?.toLowerCase()}, events.time, ${timeZone})`
}

/** Windows begin and end with whole seconds: a number is cheaper to write and to read than a date. */
const inSeconds = (at: RawBuilder<unknown>): RawBuilder<unknown> => sql`date_part('epoch', ${at})`

function inMs(seconds: Cell | undefined): number {
  if (typeof seconds !== 'number') throw new Error('a window without its instant')
  return seconds * 1000
}
