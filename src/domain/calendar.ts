import { Temporal } from 'temporal-polyfill'
import { DomainError } from './errors.ts'
import { remembered } from './remembered.ts'

/** An ISO 8601 duration with its parts, for calendar arithmetic. */
export type Duration = Temporal.Duration

/** A billing cadence in the one unit that it counts in: months (a year is 12) or days (a week is 7). */
export interface Cadence {
  readonly unit: 'month' | 'day'
  readonly count: number
}

const maxCadenceMonths = 120
const maxCadenceDays = 3660

/**
 * Parses an ISO 8601 duration that is zero or positive.
 * @throws DomainError invalid_duration
 */
export function parseDuration(iso: string, field?: string): Duration {
  const duration = tryDuration(iso)
  if (duration === null || duration.sign < 0) {
    throw new DomainError(
      'invalid_duration',
      `"${iso.slice(0, 40)}" is not an ISO 8601 duration`,
      withField(field),
    )
  }
  return duration
}

const longestDays = 3720

/**
 * Parses a duration that a contract or a wait may have: beyond ten years calendar arithmetic leaves the calendar.
 * @throws DomainError invalid_duration
 */
export function parseTerm(iso: string, field?: string): Duration {
  const duration = parseDuration(iso, field)
  const { years, months, weeks, days, hours, minutes, seconds } = duration
  const inDays = years * 366 + months * 31 + weeks * 7 + days + (hours + minutes / 60 + seconds / 3600) / 24
  if (inDays <= longestDays) return duration
  const why = `"${iso.slice(0, 40)}" is longer than ten years`
  throw new DomainError('invalid_duration', why, withField(field))
}

function tryDuration(iso: string): Duration | null {
  try {
    return iso.startsWith('P') ? Temporal.Duration.from(iso) : null
  } catch {
    return null
  }
}

const withField = (field: string | undefined) => (field === undefined ? {} : { field })

/**
 * The instant of an epoch millisecond as calendar time in a zone.
 * @throws DomainError invalid_time_zone
 */
export function zoned(ms: number, timeZone: string): Temporal.ZonedDateTime {
  try {
    return Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(timeZone)
  } catch (error) {
    if (isTimeZone(timeZone)) throw error
    throw new DomainError('invalid_time_zone', `"${timeZone.slice(0, 40)}" is not a time zone`)
  }
}

/** Months later at the same time of day, where the month is too short its last day. */
export function monthsLaterInUtc(ms: number, months: number): number {
  const date = new Date(ms)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months + 1)
  // Day 0 is the last one of the month before.
  date.setUTCDate(0)
  if (day < date.getUTCDate()) date.setUTCDate(day)
  return date.getTime()
}

/** Calendar arithmetic in a zone, clamped to the month's end: never multiples of 24 hours (rule 3). */
export function addDuration(ms: number, iso: string, timeZone: string): number {
  const lengthMs = fixedLengthMs(iso, timeZone)
  if (lengthMs !== null) return ms + lengthMs
  return zoned(ms, timeZone).add(parseDuration(iso), { overflow: 'constrain' }).epochMilliseconds
}

/** The instant a duration before another, by the calendar of the zone. */
export function subtractDuration(ms: number, iso: string, timeZone: string): number {
  const lengthMs = fixedLengthMs(iso, timeZone)
  if (lengthMs !== null) return ms - lengthMs
  return zoned(ms, timeZone).subtract(parseDuration(iso), { overflow: 'constrain' }).epochMilliseconds
}

const knownLength = remembered<number | null>(1000)

/** How long a duration always is; null where that depends on when it begins, as days do outside of UTC. */
function fixedLengthMs(iso: string, timeZone: string): number | null {
  if (timeZone !== 'UTC') return null
  return knownLength(iso, () => {
    const duration = parseDuration(iso)
    if (duration.years + duration.months + duration.microseconds + duration.nanoseconds > 0) return null
    const minutes = ((duration.weeks * 7 + duration.days) * 24 + duration.hours) * 60 + duration.minutes
    const lengthMs = (minutes * 60 + duration.seconds) * 1000 + duration.milliseconds
    // The calendar says of longer ones where it ends.
    return lengthMs <= longestDays * 86_400_000 ? lengthMs : null
  })
}

/** Whether a name is an IANA time zone. Offsets such as +01:00 are refused: they have no daylight saving. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name)
    return true
  } catch {
    return false
  }
}

/** There are few, and reading one takes as long as counting a period with it. */
const knownCadences = new Map<string, Cadence>()
const knownCadencesMax = 1000

/**
 * Parses a cadence: whole months (P1M, P3M, P1Y) or whole days (P1D, P1W), never both and never hours.
 * @throws DomainError invalid_duration
 */
export function parseCadence(iso: string, field?: string): Cadence {
  const known = knownCadences.get(iso)
  if (known !== undefined) return known
  const cadence = readCadence(iso, field)
  if (knownCadences.size < knownCadencesMax) knownCadences.set(iso, cadence)
  return cadence
}

function readCadence(iso: string, field: string | undefined): Cadence {
  const d = parseDuration(iso, field)
  const months = d.years * 12 + d.months
  const days = d.weeks * 7 + d.days
  const hasTime = d.hours + d.minutes + d.seconds + d.milliseconds + d.microseconds + d.nanoseconds > 0
  const oneUnit = months > 0 !== days > 0
  if (hasTime || !oneUnit || months > maxCadenceMonths || days > maxCadenceDays) {
    const why = `"${iso.slice(0, 40)}" is not a cadence: whole months or whole days, of at most ten years`
    throw new DomainError('invalid_duration', why, withField(field))
  }
  return months > 0 ? { unit: 'month', count: months } : { unit: 'day', count: days }
}

/** Whether every boundary of the large cadence is one of the small, in every calendar from the same anchor (rule 4). */
export function cadenceDivides(small: string, large: string): boolean {
  const a = parseCadence(small)
  const b = parseCadence(large)
  if (a.unit === 'day' && a.count === 1) return true
  return a.unit === b.unit && b.count % a.count === 0
}
