import type { Recurring } from '../records.ts'

const DAY = 86_400

/** A month with fewer days than the anchor's day ends the period on its last day [stripe docs: billing cycle anchor]. */
function monthsLater(at: number, months: number): number {
  const date = new Date(at * 1000)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months)
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, lastDay))
  return date.getTime() / 1000
}

/** The `index`-th boundary counted from the anchor, in seconds; stepping from the last boundary would drift. */
export function boundaryAt(anchor: number, recurring: Recurring, index: number): number {
  const count = recurring.interval_count * index
  switch (recurring.interval) {
    case 'day':
      return anchor + count * DAY
    case 'week':
      return anchor + count * 7 * DAY
    case 'month':
      return monthsLater(anchor, count)
    case 'year':
      return monthsLater(anchor, count * 12)
  }
}

/** The first boundary after an instant that is not before the anchor. */
export function boundaryAfter(anchor: number, recurring: Recurring, at: number): number {
  let index = 0
  while (boundaryAt(anchor, recurring, index) <= at) index += 1
  return boundaryAt(anchor, recurring, index)
}
