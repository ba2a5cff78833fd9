import { addDuration, parseDuration, type Duration } from './calendar.ts'
import { DomainError } from './errors.ts'
import { boundaryAfter, intersect, periodContaining, type Grid, type Period } from './periods.ts'
import type { Phase, RateCard } from './rate-card.ts'

/** What a subscription agreed to, as far as time is concerned: a snapshot taken when it was created (rule 3). */
export interface Terms {
  readonly activeFromMs: number
  /** When it ends; null: not known yet. */
  readonly activeToMs: number | null
  /** Every boundary is counted from here (rule 1). */
  readonly anchorMs: number
  readonly timeZone: string
  readonly billingCadence: string
  /** Whether fixed fees and minimums of a partial period are prorated. */
  readonly proRating: boolean
  readonly phases: readonly Phase[]
}

type ClosingKind = 'start' | 'boundary' | 'phase_change' | 'end'

/** An instant at which a subscription bills. */
export interface Closing {
  readonly atMs: number
  readonly kind: ClosingKind
  /** The closing before: what ended in (previous, at] is billed now. null at the start. */
  readonly previousMs: number | null
}

/** A slice of a rate card that is billable at a closing, with its times kept apart (rule 5). */
export interface BillableItem {
  /** `{phase}/{rate card}/{start of the service, ISO}`: the same on every invoice that bills this slice. */
  readonly lineKey: string
  readonly phaseKey: string
  readonly rateCard: RateCard
  readonly featureKey: string | null
  readonly kind: 'flat' | 'usage'
  /** What is billed, clipped to the phase and the subscription. */
  readonly service: Period
  /** The unclipped period that proration is relative to (rule 24). */
  readonly fullService: Period
  readonly billing: Period
  readonly invoiceAtMs: number
}

/** A phase with the instants it covers; `to` is Infinity while its end is not known. */
export interface PhaseSpan extends Period {
  readonly phase: Phase
}

/** More slices of one rate card in one closing than any cadence can need (rule 33). */
const maxSlices = 4_000

/** The phases in order with their instants, clipped to the subscription; a phase that never comes is left out. */
export function phaseSpans(terms: Terms): readonly PhaseSpan[] {
  const end = terms.activeToMs ?? Infinity
  const starts = phaseStarts(terms)
  return terms.phases.flatMap((phase, i) => {
    const from = starts[i] ?? Infinity
    const to = Math.min(starts[i + 1] ?? Infinity, end)
    return from < to ? [{ phase, from, to }] : []
  })
}

/**
 * Start of each phase. Durations in the same unit are added up before they are added to the calendar, so that two
 * phases of a month that start on 31 Jan change on 28 Feb and 31 Mar (rule 1).
 */
function phaseStarts(terms: Terms): readonly number[] {
  const starts = [terms.activeFromMs]
  let base = terms.activeFromMs
  let run: Duration | null = null
  for (const { duration } of terms.phases) {
    if (duration === null) break
    const next = parseDuration(duration)
    const sum: Duration | null = run === null ? null : addParts(run, next)
    if (sum === null) base = starts.at(-1) ?? base
    const total: Duration = sum ?? next
    run = total
    starts.push(addDuration(base, total.toString(), terms.timeZone))
  }
  return starts
}

function unitOf(d: Duration): string {
  const months = d.years !== 0 || d.months !== 0
  const days = d.weeks !== 0 || d.days !== 0
  const time = d.hours !== 0 || d.minutes !== 0 || d.seconds !== 0
  return `${months ? 'm' : ''}${days ? 'd' : ''}${time ? 't' : ''}`
}

/** Two durations of one unit; null when their units differ, where adding up would change the order of steps. */
function addParts(a: Duration, b: Duration): Duration | null {
  if (unitOf(a).length !== 1 || unitOf(a) !== unitOf(b)) return null
  return a.with({
    years: a.years + b.years,
    months: a.months + b.months,
    weeks: a.weeks + b.weeks,
    days: a.days + b.days,
    hours: a.hours + b.hours,
    minutes: a.minutes + b.minutes,
    seconds: a.seconds + b.seconds,
  })
}

const billingGrid = (terms: Terms): Grid => gridOf(terms, terms.billingCadence)

const gridOf = (terms: Terms, cadence: string): Grid => ({
  anchorMs: terms.anchorMs,
  timeZone: terms.timeZone,
  cadence,
})

/**
 * The first closing after an instant: the start, then every billing boundary and phase change inside, then the end.
 * @param afterMs The last closing that was billed; null for none.
 * @returns null after the end: nothing is to come.
 */
export function closingAfter(terms: Terms, afterMs: number | null): Closing | null {
  if (afterMs === null || afterMs < terms.activeFromMs) {
    return { atMs: terms.activeFromMs, kind: 'start', previousMs: null }
  }
  const end = terms.activeToMs ?? Infinity
  if (afterMs >= end) return null
  const boundary = boundaryAfter(billingGrid(terms), afterMs)
  const change = phaseStarts(terms).find((start) => start > afterMs) ?? Infinity
  const atMs = Math.min(boundary, change, end)
  const kind = atMs === end ? 'end' : atMs === change ? 'phase_change' : 'boundary'
  return { atMs, kind, previousMs: afterMs }
}

/**
 * What becomes billable at a closing (rule 16): in arrears what ended in (previous, at]; in advance what starts in
 * [at, next closing), nothing at the end.
 */
export function itemsAt(terms: Terms, closing: Closing): readonly BillableItem[] {
  const next = closingAfter(terms, closing.atMs)?.atMs ?? null
  return phaseSpans(terms).flatMap((span) =>
    span.phase.rateCards.flatMap((rateCard) => {
      if (rateCard.price === null) return []
      const found = isInAdvance(rateCard)
        ? slicesStarting({ terms, span, rateCard, from: closing.atMs, before: next })
        : slicesEnding({ terms, span, rateCard, after: closing.previousMs, at: closing.atMs })
      return found.map((slice) => toItem(slice, { terms, span, rateCard, closing }))
    }),
  )
}

/** Whether a rate card bills at the start of its period: fixed prices do unless they say otherwise. */
export function isInAdvance(rateCard: RateCard): boolean {
  const price = rateCard.price
  return price !== null && price.type === 'flat' && (price.paymentTerm ?? 'in_advance') === 'in_advance'
}

interface Slice {
  readonly service: Period
  readonly fullService: Period
}

interface SliceSource {
  readonly terms: Terms
  readonly span: PhaseSpan
  readonly rateCard: RateCard
}

function slicesStarting(q: SliceSource & { from: number; before: number | null }): readonly Slice[] {
  const { span, from, before } = q
  if (before === null || span.from >= before || span.to <= from) return []
  if (q.rateCard.billingCadence === null) return span.from >= from ? [oneTime(q)] : []
  return slicesFrom(q, { from: Math.max(from, span.from), before }).filter((s) => s.service.from >= from)
}

function slicesEnding(q: SliceSource & { after: number | null; at: number }): readonly Slice[] {
  const { span, after, at } = q
  if (after === null || span.from >= at || span.to <= after) return []
  if (q.rateCard.billingCadence === null) return span.to <= at ? [oneTime(q)] : []
  const slices = slicesFrom(q, { from: Math.max(after, span.from), before: at })
  return slices.filter((s) => s.service.to <= at)
}

/** The periods of a recurring rate card that overlap [from, before), each clipped to the phase. */
function slicesFrom(q: SliceSource, range: { from: number; before: number }): readonly Slice[] {
  const { terms, span, rateCard } = q
  const grid = gridOf(terms, rateCard.billingCadence ?? terms.billingCadence)
  const slices: Slice[] = []
  for (let at = range.from; at < range.before && at < span.to;) {
    const full = periodContaining(grid, at)
    const fullService = { from: full.from, to: full.to }
    const service = intersect(fullService, span)
    if (service !== null) slices.push({ service, fullService })
    if (slices.length > maxSlices) {
      throw new DomainError(
        'validation_failed',
        `${rateCard.key} has more than ${maxSlices} periods to bill at once`,
      )
    }
    at = full.to
  }
  return slices
}

/** A one-time fee is for its whole phase, or while that has no end for its first billing period; it is never split. */
function oneTime({ terms, span }: SliceSource): Slice {
  const to = Number.isFinite(span.to) ? span.to : boundaryAfter(billingGrid(terms), span.from)
  const service = { from: span.from, to }
  return { service, fullService: service }
}

function toItem(slice: Slice, context: SliceSource & { closing: Closing }): BillableItem {
  const { terms, span, rateCard, closing } = context
  return {
    lineKey: `${span.phase.key}/${rateCard.key}/${new Date(slice.service.from).toISOString()}`,
    phaseKey: span.phase.key,
    rateCard,
    featureKey: rateCard.featureKey ?? null,
    kind: rateCard.price?.type === 'flat' ? 'flat' : 'usage',
    ...slice,
    billing: billingPeriod(terms, isInAdvance(rateCard) ? closing.atMs : closing.atMs - 1),
    invoiceAtMs: closing.atMs,
  }
}

/** The billing period that an instant belongs to, clipped to the subscription. */
export function billingPeriod(terms: Terms, ms: number): Period {
  const { from, to } = periodContaining(billingGrid(terms), ms)
  const life = { from: terms.activeFromMs, to: terms.activeToMs ?? Infinity }
  return intersect({ from, to }, life) ?? { from, to }
}
