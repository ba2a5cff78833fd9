import type { InvoiceRow } from '../db/stores/invoices.ts'
import type { SubscriptionRow } from '../db/stores/subscriptions.ts'
import { addDuration } from '../domain/calendar.ts'
import { closingAfter, itemsAt } from '../domain/schedule.ts'
import type { Closing } from '../domain/schedule.ts'
import { correctionAtMs } from './late-usage.ts'
import type { BillingSettings } from './settings.ts'
import { termsOf } from './terms.ts'

/** The next thing a subscription will do, and when. */
export interface NextStep {
  readonly reason: 'period' | 'correction'
  readonly closing: Closing
  /** The closing's instant, plus the waits for late usage and of jitter. What is billed is cut at the instant itself. */
  readonly dueMs: number
}

type Schedule = Pick<SubscriptionRow, 'closedThrough'> & SubscriptionRow

const neverBegins = ({ activeFrom, activeTo }: SubscriptionRow): boolean =>
  activeTo !== null && activeTo <= activeFrom

/** The closing that the subscription bills next; null when no period is left to bill. */
export function upcomingClosing(row: SubscriptionRow): Closing | null {
  return neverBegins(row) ? null : closingAfter(termsOf(row), row.closedThrough?.getTime() ?? null)
}

/** How often the draft at Stripe follows the usage by itself. */
const MIRROR_EVERY_MS = 24 * 60 * 60 * 1000

/**
 * When the running invoice is next rated by itself, so that its draft at Stripe grows with the period: at the period's
 * start and once a day; null where it is not, or not yet.
 */
export function mirrorDueMs(
  row: SubscriptionRow,
  { stripe }: BillingSettings,
  running: Pick<InvoiceRow, 'ratedAt'> | undefined,
): number | null {
  if (stripe.synchronize !== 'continuously' || stripe.billing !== 'invoice') return null
  if (upcomingClosing(row) === null) return null
  const startMs = (row.closedThrough ?? row.activeFrom).getTime()
  const ratedMs = running?.ratedAt?.getTime()
  return ratedMs === undefined ? startMs : ratedMs + MIRROR_EVERY_MS
}

/** Computes what comes next after the last closing; null when nothing ever will. */
export function nextStep(row: Schedule, settings: BillingSettings, jitterWindowMs: number): NextStep | null {
  const terms = termsOf(row)
  if (neverBegins(row)) return null
  const closing = upcomingClosing(row)
  if (closing === null) return correction(row, settings)
  const hasUsage = itemsAt(terms, closing).some((item) => item.kind === 'usage')
  // An invoice without usage lines has nothing to wait for.
  const collectedMs = hasUsage
    ? addDuration(closing.atMs, settings.workflow.collection.interval, row.timezone)
    : closing.atMs
  const isSpread = settings.customer.testClockId === null && comesByCalendar(closing)
  return { reason: 'period', closing, dueMs: collectedMs + (isSpread ? jitter(row.id, jitterWindowMs) : 0) }
}

/** Many are due at such an instant. Who subscribes or cancels comes alone, and waits for the invoice. */
const comesByCalendar = ({ kind }: Closing): boolean => kind === 'boundary' || kind === 'phase_change'

/** One last look for usage that came late, when the policy bills it (rule 9). */
function correction(row: SubscriptionRow, settings: BillingSettings): NextStep | null {
  const endedMs = row.activeTo?.getTime()
  if (endedMs === undefined || settings.lateUsage.policy !== 'bill_on_next') return null
  const atMs = correctionAtMs(settings.lateUsage, endedMs, row.timezone)
  if (row.closedThrough !== null && row.closedThrough.getTime() >= atMs) return null
  return { reason: 'correction', closing: { atMs, kind: 'end', previousMs: endedMs }, dueMs: atMs }
}

/**
 * Spreads what is due at one instant, by the subscription's id alone, so that a retry waits for the same instant. FNV-1a:
 * any even hash would do.
 */
function jitter(id: string, windowMs: number): number {
  if (windowMs <= 0) return 0
  let hash = 0x811c9dc5
  for (const char of id) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0
  return hash % windowMs
}
