import { Temporal } from 'temporal-polyfill'
import { parseRfc3339 } from '../../domain/cloud-event.ts'

const localTime = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?$/

function isoOf(cell: string): string {
  return cell.trim().replace(/^(\S+)\s+(?=\d)/, '$1T')
}

/** Whether a cell is a time on a clock, which only a zone makes an instant. */
export function isLocalTime(cell: string): boolean {
  return localTime.test(isoOf(cell))
}

/**
 * A cell as an RFC 3339 instant, or null: with an offset as it says, without one in the given zone. Takes a space for
 * the T and up to nine fractional digits.
 */
export function instantOfCell(cell: string, timeZone: string | null): string | null {
  const iso = isoOf(cell)
  const direct = parseRfc3339(iso)
  if (direct !== null || timeZone === null || !localTime.test(iso)) return direct
  try {
    // In the hour that comes twice the first is taken, in the one that does not exist the instant after the gap.
    const zoned = Temporal.PlainDateTime.from(iso, { overflow: 'reject' }).toZonedDateTime(timeZone)
    return parseRfc3339(zoned.toInstant().toString())
  } catch {
    return null
  }
}
