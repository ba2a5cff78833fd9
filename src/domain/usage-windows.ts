import { Temporal } from 'temporal-polyfill'
import { zoned } from './calendar.ts'
import { DomainError } from './errors.ts'
import type { Period } from './periods.ts'
import { remembered } from './remembered.ts'

export const windowSizes = ['MINUTE', 'HOUR', 'DAY', 'MONTH'] as const
export type WindowSize = (typeof windowSizes)[number]

/** A calendar takes longer to tell a window than PostgreSQL to sum it up, and the same days are asked for again and again. */
const knownWindow = remembered<Period>(10_000)

/** The window of a local day or month, given by its first date: 23 or 25 hours long where the clocks change. */
export function calendarWindow(size: 'DAY' | 'MONTH', date: string, timeZone: string): Period {
  return knownWindow(`${size} ${date} ${timeZone}`, () => readWindow(size, date, timeZone))
}

function readWindow(size: 'DAY' | 'MONTH', date: string, timeZone: string): Period {
  const first = Temporal.PlainDate.from(date)
  const next = first.add(size === 'DAY' ? { days: 1 } : { months: 1 })
  // Where midnight does not exist a day starts at its first instant; where it comes twice, at the first of them.
  const startOf = (day: Temporal.PlainDate) => day.toZonedDateTime(timeZone).startOfDay().epochMilliseconds
  return { from: startOf(first), to: startOf(next) }
}

/** A calendar that tells more of them at once would hold up everything else. */
const windowsMax = 400

/** The same month is asked for again and again as well, and its days are some fifty objects of the calendar. */
const knownWindows = remembered<readonly Period[]>(200)

/**
 * The days or months of a zone that hold a half-open interval, in epoch ms, each beginning where the one before ends; null
 * where there are too many. A day that a zone skipped is not among them.
 */
export function calendarWindows(
  size: 'DAY' | 'MONTH',
  interval: Period,
  timeZone: string,
): readonly Period[] | null {
  const { from, to } = interval
  if (to - from > windowsMax * shortestMs[size]) return null
  return knownWindows(`${size} ${from} ${to} ${timeZone}`, () => readWindows(size, interval, timeZone))
}

function readWindows(size: 'DAY' | 'MONTH', { from, to }: Period, timeZone: string): readonly Period[] {
  const windows: Period[] = []
  const first = zoned(from, timeZone).toPlainDate()
  let date = size === 'DAY' ? first : first.with({ day: 1 })
  for (let reached = from; reached < to; date = date.add(size === 'DAY' ? { days: 1 } : { months: 1 })) {
    const window = calendarWindow(size, date.toString(), timeZone)
    if (window.to <= reached) continue
    windows.push(window)
    reached = window.to
  }
  return windows
}

const shortestMs = { DAY: 23 * 3_600_000, MONTH: 27 * 86_400_000 }

/**
 * A query's interval has to begin and end on edges of its windows: a window that was cut would look like one that was
 * counted whole.
 * @throws DomainError `validation_failed` with the field
 */
export function checkAligned(
  ms: number,
  size: WindowSize,
  { timeZone, field }: { timeZone: string; field: string },
): void {
  const at = zoned(ms, timeZone)
  const isAligned =
    at.second + at.millisecond === 0 &&
    (size === 'MINUTE' || at.minute === 0) &&
    (size === 'MINUTE' || size === 'HOUR' || at.equals(at.startOfDay())) &&
    (size !== 'MONTH' || at.day === 1)
  if (isAligned) return
  const local = at.toPlainDateTime().toString()
  throw new DomainError(
    'validation_failed',
    `${field} has to be the start of a ${size.toLowerCase()} in ${timeZone} when windowSize is ${size}; it is ${local} there`,
    { field },
  )
}
