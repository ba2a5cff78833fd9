import { Big } from 'big.js'
import { plus } from './calendar.ts'
import type { Slice } from './calendar.ts'
import { findings } from './contract.ts'
import type { Check, Findings } from './contract.ts'
import type { Fleet } from './fleet.ts'
import { priceOf } from './prices.ts'
import type { ClosingRow, CustomerRow, EventRow, LineRow, MeterRow, SubscriptionRow } from './rows.ts'
import { counters, identityOf, isVisible } from './usage.ts'
import type { Counter } from './usage.ts'

/** What was accepted is stored, each once and as it was sent, and nothing else is. */
export function checkEvents(fleet: Fleet): Check {
  const found = findings('every accepted event is stored exactly once')
  const { ours, accepted } = fleet
  const stored = new Map<string, EventRow>()
  for (const event of ours.events) {
    found.examine()
    const identity = identityOf(event)
    const name = `event ${event.source} ${event.id}`
    found.claim(!stored.has(identity), () => `${name} is stored twice`)
    stored.set(identity, event)
    const sent = accepted.get(identity)
    found.claim(sent !== undefined, () => `${name} is stored, and was never accepted`)
    if (sent === undefined) continue
    const isSame =
      sent.subject === event.subject &&
      sent.type === event.type &&
      (sent.time === undefined || Date.parse(sent.time) === event.time) &&
      canonical(sent.data ?? null) === canonical(event.data)
    found.claim(isSame, () => `${name} is not stored as it was sent`)
  }
  for (const [identity, { source, id }] of accepted) {
    found.examine()
    found.claim(stored.has(identity), () => `event ${source} ${id} was accepted and is not stored`)
  }
  found.claim(
    ours.identities === stored.size,
    () => `${ours.identities} identities stand for ${stored.size} events`,
  )
  return found.check()
}

/** JSON whose members are in order: the database keeps its own. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join()}}`
}

/**
 * Every line is what its slice costs, computed anew: fees from the plan, usage from the raw events that each closing could
 * see, late usage as the difference. What all invoices billed and what is not due yet is everything that was accepted.
 */
export function checkRating(fleet: Fleet): Check {
  const found = findings('rated usage equals a recount of the accepted events')
  const { accepted } = fleet
  const counterOf = counters(fleet.ours.events)
  const meters = new Map(fleet.ours.meters.map((meter) => [meter.feature_key, meter]))
  for (const { subscription, customer, slices } of fleet.due) {
    const lines = linesByKey(fleet, subscription)
    const used = new Map<MeterRow, Counter>()
    for (const phase of subscription.phases)
      for (const { featureKey } of phase.rateCards) {
        const meter = meters.get(featureKey ?? '')
        if (meter !== undefined) used.set(meter, counterOf(meter, customer.subjects))
      }
    const billed = new Map<Counter, Billed>()
    for (const slice of slices) {
      found.examine()
      const of = lines.get(slice.lineKey) ?? []
      if (slice.rateCard.price?.type === 'flat') {
        checkFee(found, { subscription, slice, lines: of })
        continue
      }
      const meter = meters.get(slice.rateCard.featureKey ?? '')
      const counter = meter === undefined ? undefined : used.get(meter)
      found.claim(counter !== undefined, () => `${slice.lineKey} has no meter`)
      if (counter === undefined) continue
      const answeredAt = (event: EventRow): number => accepted.get(identityOf(event))?.answeredAt ?? Infinity
      const rated = { subscription, customer, slice, lines: of, counter, answeredAt }
      const seen = checkUsage(found, rated, fleet.closingsOf(subscription.id))
      const sum = billed.get(counter) ?? { quantity: new Big(0), events: new Set<string>() }
      for (const event of seen) {
        found.claim(
          !sum.events.has(event.seq),
          () => `event ${event.source} ${event.id} was billed in two periods`,
        )
        sum.events.add(event.seq)
      }
      const quantity = of.reduce((total, line) => total.plus(line.metered_quantity ?? '0'), sum.quantity)
      billed.set(counter, { ...sum, quantity })
    }
    for (const [counter, { quantity, events }] of billed) {
      if (!counter.adds) continue
      const sent = counter.all().flatMap((event) => {
        const { data } = accepted.get(identityOf(event)) ?? {}
        return data === undefined ? [] : [{ ...event, data }]
      })
      const waiting = counter.total(sent.filter(({ seq }) => !events.has(seq)))
      const all = counter.total(sent)
      found.claim(
        quantity.plus(waiting).eq(all),
        () =>
          `${subscription.id}: ${quantity.toFixed()} billed and ${waiting.toFixed()} not are not the ${all.toFixed()} that were sent`,
      )
    }
  }
  return found.check()
}

interface Billed {
  readonly quantity: Big
  readonly events: Set<string>
}

type BilledLine = LineRow & { readonly closing: ClosingRow }

/** Lines of closings only: a running invoice has billed nothing yet. */
function linesByKey(fleet: Fleet, { id }: SubscriptionRow): ReadonlyMap<string, readonly BilledLine[]> {
  const lines = new Map<string, BilledLine[]>()
  for (const closing of fleet.closingsOf(id))
    for (const line of fleet.linesOf(closing.invoice_id))
      lines.set(line.line_key, [...(lines.get(line.line_key) ?? []), { ...line, closing }])
  return lines
}

interface Rated {
  readonly subscription: SubscriptionRow
  readonly slice: Slice
  readonly lines: readonly BilledLine[]
}

const netOf = ({ amount_minor: amount, discount_minor: discount }: LineRow): bigint =>
  BigInt(amount) - BigInt(discount)
const pricing = ({ subscription, slice }: Rated, line?: LineRow) => ({
  rateCard: slice.rateCard,
  service: line === undefined ? slice.service : { from: line.service_from, to: line.service_to },
  full: slice.full,
  currency: subscription.currency,
  prorates: subscription.pro_rating_enabled,
})

function checkFee(found: Findings, rated: Rated): void {
  for (const line of rated.lines) {
    const wanted = priceOf(pricing(rated, line), new Big(0))
    found.claim(netOf(line) === wanted, () => `line ${line.id} bills ${netOf(line)}, ${wanted} is right`)
  }
}

interface RatedUsage extends Rated {
  readonly counter: Counter
  readonly customer: CustomerRow
  readonly answeredAt: (event: EventRow) => number
}

/** What was answered before a closing began is counted by it: its cutoff may leave out only what came meanwhile. */
function checkCutoff(
  found: Findings,
  { slice, answeredAt }: RatedUsage,
  { closing, events }: { readonly closing: ClosingRow; readonly events: readonly EventRow[] },
): void {
  for (const event of events)
    found.claim(
      isVisible(event.txid, closing.usage_cutoff) || answeredAt(event) >= closing.closed_at,
      () =>
        `${slice.lineKey}: event ${event.source} ${event.id} was answered before the closing at ${new Date(closing.period_at).toISOString()}, which did not see it`,
    )
}

/** Follows a slice over all closings from its own on; returns the events that its lines have billed. */
function checkUsage(
  found: Findings,
  rated: RatedUsage,
  closings: readonly ClosingRow[],
): readonly EventRow[] {
  const { slice, lines, counter } = rated
  const events = counter.within(slice.service)
  let billed = 0n
  let seen: readonly EventRow[] = []
  for (const closing of closings.filter((each) => each.period_at >= slice.closesAt)) {
    const isOwn = closing.period_at === slice.closesAt && closing.reason === 'period'
    if (!isOwn && !isLookedAt(rated, closing)) continue
    checkCutoff(found, rated, { closing, events })
    const visible = events.filter(({ txid }) => isVisible(txid, closing.usage_cutoff))
    const quantity = counter.total(visible)
    const wanted = priceOf(pricing(rated), quantity) - billed
    const made = lines.filter((line) => line.closing === closing)
    const isRight = isOwn || wanted !== 0n ? made.length === 1 : made.length === 0
    const at = new Date(closing.period_at).toISOString()
    found.claim(
      isRight,
      () => `${slice.lineKey} has ${made.length} lines at ${at}, where ${wanted} is to be billed`,
    )
    const [line] = made
    if (line === undefined) continue
    const net = netOf(line)
    found.claim(
      net === wanted,
      () => `line ${line.id} bills ${net}, ${wanted} is right for ${quantity.toFixed()}`,
    )
    found.claim(
      line.kind === (isOwn ? 'usage' : 'late_usage'),
      () => `line ${line.id} is of kind ${line.kind}`,
    )
    found.claim(line.usage_cutoff === closing.usage_cutoff, () => `line ${line.id} has a cutoff of its own`)
    const metered = quantity.minus(isOwn ? 0 : counter.total(seen))
    found.claim(
      !counter.adds || metered.eq(line.metered_quantity ?? '0'),
      () => `line ${line.id} counts ${line.metered_quantity}, a recount ${metered.toFixed()}`,
    )
    billed += net
    seen = visible
  }
  return seen
}

/** Whether a later closing rates the slice again: the policy says so, and the slice is within its window. */
function isLookedAt(
  { slice, subscription, customer }: Rated & { readonly customer: CustomerRow },
  closing: ClosingRow,
): boolean {
  if (customer.late_policy !== 'bill_on_next') return false
  const from = closing.reason === 'correction' ? closing.period_from : closing.period_at
  return slice.service.to >= plus(from, customer.late_window, { zone: subscription.timezone, factor: -1 })
}
