import { monthsLaterInUtc, parseCadence, zoned } from './calendar.ts'
import { remembered } from './remembered.ts'

/** A half-open interval of epoch milliseconds, [from, to) (rule 2). */
export interface Period {
  readonly from: number
  readonly to: number
}

/** Instants at `anchor + k × cadence`, as calendar arithmetic in the time zone (rules 1 and 3). */
export interface Grid {
  readonly anchorMs: number
  readonly timeZone: string
  /** ISO 8601: whole months or whole days, see parseCadence. */
  readonly cadence: string
}

const dayMs = 86_400_000
const averageMonthMs = 2_629_746_000

/**
 * Boundary k of a grid, k may be negative. Always counted from the anchor: stepping from the boundary before would
 * drift from 31 Jan over 28 Feb to 28 Mar (rule 1).
 */
export function boundaryAt(grid: Grid, k: number): number {
  const { unit, count } = parseCadence(grid.cadence)
  if (grid.timeZone !== 'UTC') return zonedBoundary(grid, unit, k * count)
  return unit === 'month' ? monthsLaterInUtc(grid.anchorMs, k * count) : grid.anchorMs + k * count * dayMs
}

/**
 * Of zones other than UTC. A calendar's object stands in a WeakMap, and what is in one outlives a small garbage collection: a
 * process that counts periods all the time stands still for ten times as long in each.
 */
const knownBoundary = remembered<number>(10_000)

function zonedBoundary({ anchorMs, timeZone }: Grid, unit: 'month' | 'day', steps: number): number {
  return knownBoundary(`${anchorMs} ${timeZone} ${unit} ${steps}`, () => {
    const step = unit === 'month' ? { months: steps } : { days: steps }
    return zoned(anchorMs, timeZone).add(step, { overflow: 'constrain' }).epochMilliseconds
  })
}

/** The first boundary after an instant; at a boundary, the next one. */
export function boundaryAfter(grid: Grid, ms: number): number {
  return periodContaining(grid, ms).to
}

type IndexedPeriod = Period & { readonly index: number }

/** What was asked for last: whoever looks at a subscription has several questions about the same two periods. */
let recent: readonly { readonly grid: Grid; readonly period: IndexedPeriod }[] = []
const recentMax = 4

/** The period that an instant belongs to; an instant at a boundary belongs to the period that starts there (rule 2). */
export function periodContaining(grid: Grid, ms: number): IndexedPeriod {
  const known = recent.find((one) => isSame(one.grid, grid) && contains(one.period, ms))
  if (known !== undefined) return known.period
  const period = findPeriod(grid, ms)
  recent = [{ grid, period }, ...recent.slice(0, recentMax - 1)]
  return period
}

const isSame = (a: Grid, b: Grid): boolean =>
  a.anchorMs === b.anchorMs && a.cadence === b.cadence && a.timeZone === b.timeZone

function findPeriod(grid: Grid, ms: number): IndexedPeriod {
  let index = indexNear(grid, ms)
  let from = boundaryAt(grid, index)
  while (from > ms) from = boundaryAt(grid, (index -= 1))
  let to = boundaryAt(grid, index + 1)
  while (to <= ms) {
    index += 1
    from = to
    to = boundaryAt(grid, index + 1)
  }
  return { index, from, to }
}

/** A guess from average lengths, off by at most a few: the caller corrects it. */
function indexNear(grid: Grid, ms: number): number {
  const { unit, count } = parseCadence(grid.cadence)
  return Math.floor((ms - grid.anchorMs) / (count * (unit === 'month' ? averageMonthMs : dayMs)))
}

/** The overlap of two half-open intervals; null when they share no instant. */
export function intersect(a: Period, b: Period): Period | null {
  const from = Math.max(a.from, b.from)
  const to = Math.min(a.to, b.to)
  return from < to ? { from, to } : null
}

/** Whether an instant is in a period: `to` is not (rule 2). */
export function contains(period: Period, ms: number): boolean {
  return period.from <= ms && ms < period.to
}
