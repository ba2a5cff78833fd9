import { Temporal } from 'temporal-polyfill'
import type { Phase, RateCard, SubscriptionRow } from './rows.ts'

/** Half-open, epoch milliseconds; `to` is Infinity while no end is known. */
export interface Span {
  readonly from: number
  readonly to: number
}

const units = ['years', 'months', 'weeks', 'days', 'hours', 'minutes', 'seconds'] as const
type Parts = Record<(typeof units)[number], number>

function times(duration: string, factor: number): Parts {
  const parsed = Temporal.Duration.from(duration)
  return Object.fromEntries(units.map((unit) => [unit, parsed[unit] * factor])) as Parts
}

/** An instant and so many durations, by the calendar of the zone; a day that a month lacks is its last. */
export function plus(ms: number, duration: string, { zone, factor = 1 }: Steps): number {
  const start = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone)
  return start.add(times(duration, factor)).epochMilliseconds
}

interface Steps {
  readonly zone: string
  readonly factor?: number
}

/** `anchor + k × cadence` for every k that falls into [from, to]: always counted from the anchor. */
function boundaries(terms: Terms, cadence: string, { from, to }: Span): readonly number[] {
  const { anchor, zone } = terms
  const boundary = (k: number): number => plus(anchor, cadence, { zone, factor: k })
  const stepMs = boundary(1) - boundary(0)
  let k = Math.floor((from - anchor) / stepMs)
  while (boundary(k) >= from) k -= 1
  const found: number[] = []
  for (k += 1; boundary(k) <= to; k += 1) if (boundary(k) >= from) found.push(boundary(k))
  return found
}

interface Terms {
  readonly anchor: number
  readonly zone: string
}

const termsOf = ({ billing_anchor: anchor, timezone: zone }: SubscriptionRow): Terms => ({ anchor, zone })
const endOf = ({ active_to: to }: SubscriptionRow): number => to ?? Infinity

/** The phases with what they cover. Durations of one unit are added up before they are added to the calendar. */
function phaseSpans(row: SubscriptionRow): readonly (Span & { readonly phase: Phase })[] {
  const zone = row.timezone
  const starts = [row.active_from]
  let base = row.active_from
  let sum: Parts | null = null
  for (const { duration } of row.phases) {
    if (duration === null) break
    const parts = times(duration, 1)
    const used = (given: Parts): string => units.filter((unit) => given[unit] !== 0).join()
    if (sum !== null && used(sum) === used(parts)) {
      for (const unit of units) sum[unit] += parts[unit]
    } else {
      base = starts.at(-1) ?? base
      sum = parts
    }
    const start = Temporal.Instant.fromEpochMilliseconds(base).toZonedDateTimeISO(zone)
    starts.push(start.add(sum).epochMilliseconds)
  }
  return row.phases.flatMap((phase, index) => {
    const from = starts[index] ?? Infinity
    const to = Math.min(starts[index + 1] ?? Infinity, endOf(row))
    return from < to ? [{ phase, from, to }] : []
  })
}

/** Every instant up to `until` at which the subscription has to close: start, boundaries, phase changes, end. */
export function closingInstants(row: SubscriptionRow, until: number): readonly number[] {
  const end = endOf(row)
  if (end <= row.active_from || row.active_from > until) return []
  const inside = { from: row.active_from, to: Math.min(end, until) }
  const changes = phaseSpans(row).map(({ from }) => from)
  const all = [...boundaries(termsOf(row), row.billing_cadence, inside), ...changes, row.active_from]
  if (end <= until) all.push(end)
  return [...new Set(all)].filter((at) => at <= inside.to).sort((a, b) => a - b)
}

/** A stretch of one price that has to be a line. */
export interface Slice {
  readonly lineKey: string
  readonly rateCard: RateCard
  readonly service: Span
  readonly full: Span
  /** The closing instant that bills it. */
  readonly closesAt: number
  readonly isInAdvance: boolean
}

/** Every slice that the closings up to `through` bill. */
export function slices(row: SubscriptionRow, closings: readonly number[]): readonly Slice[] {
  const through = closings.at(-1)
  if (through === undefined) return []
  return phaseSpans(row).flatMap((span) =>
    span.phase.rateCards
      .filter(({ price }) => price !== null)
      .flatMap((rateCard) => slicesOf(row, rateCard, { ...span, closings, through })),
  )
}

interface Stretch extends Span {
  readonly phase: Phase
  readonly closings: readonly number[]
  readonly through: number
}

function slicesOf(row: SubscriptionRow, rateCard: RateCard, stretch: Stretch): readonly Slice[] {
  const { phase, closings, through } = stretch
  const { price } = rateCard
  const isInAdvance = price?.type === 'flat' && price.paymentTerm !== 'in_arrears'
  return periodsOf(row, rateCard, stretch).flatMap(({ service, full }) => {
    const closesAt = isInAdvance
      ? closings.findLast((at) => at <= service.from)
      : closings.find((at) => at >= service.to)
    const isBilled = isInAdvance
      ? service.from <= through && service.from < endOf(row)
      : service.to <= through
    if (!isBilled || closesAt === undefined) return []
    const lineKey = `${phase.key}/${rateCard.key}/${new Date(service.from).toISOString()}`
    return [{ lineKey, rateCard, service, full, closesAt, isInAdvance }]
  })
}

/** The periods of a rate card that begin up to the last closing, each cut to its phase. */
function periodsOf(row: SubscriptionRow, rateCard: RateCard, stretch: Stretch) {
  const { from, to, through } = stretch
  const terms = termsOf(row)
  const cadence = rateCard.billingCadence
  if (cadence === null) {
    const [, next = Infinity] = edges(terms, row.billing_cadence, { from, to: from })
    const service = { from, to: Math.min(to, Number.isFinite(to) ? to : next) }
    return [{ service, full: service }]
  }
  const marks = edges(terms, cadence, { from, to: Math.min(to, through) })
  return marks.flatMap((start, index) => {
    const end = marks[index + 1]
    if (end === undefined) return []
    const service = { from: Math.max(start, from), to: Math.min(end, to) }
    return service.from < service.to && service.from <= through
      ? [{ service, full: { from: start, to: end } }]
      : []
  })
}

/** The boundaries around a span: from the last at or before its start to the first after its end. */
function edges(terms: Terms, cadence: string, { from, to }: Span): readonly number[] {
  const wide = {
    from: plus(from, cadence, { zone: terms.zone, factor: -2 }),
    to: plus(to, cadence, { zone: terms.zone, factor: 2 }),
  }
  const all = boundaries(terms, cadence, wide)
  const first = all.findLastIndex((at) => at <= from)
  const last = all.findIndex((at) => at > to)
  return all.slice(first, last + 1)
}
