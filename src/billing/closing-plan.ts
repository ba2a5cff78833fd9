import type { Db } from '../db/connection.ts'
import { closingBasis } from '../db/stores/closing-basis.ts'
import type { PresentRows } from '../db/stores/closing-basis.ts'
import type { SubscriptionRow } from '../db/stores/subscriptions.ts'
import { timesOfSubjects } from '../db/stores/usage-subjects.ts'
import { requireBillableAmounts } from '../domain/amount-limit.ts'
import { currency } from '../domain/currency.ts'
import { planTotals } from '../domain/invoice-arithmetic.ts'
import type { Totals } from '../domain/invoice-arithmetic.ts'
import { rateItem } from '../domain/rating.ts'
import type { RatedItem } from '../domain/rating.ts'
import { closingAfter, itemsAt } from '../domain/schedule.ts'
import type { BillableItem, Closing } from '../domain/schedule.ts'
import { subjectHolds, subjectsWithin } from '../domain/subject-holds.ts'
import type { SubjectHold } from '../domain/subject-holds.ts'
import { rateLate } from './late-rating.ts'
import { lateWindowStartMs } from './late-usage.ts'
import type { PlannedLine, RatingContext } from './planned-line.ts'
import { meterQuantity, metersByFeature } from './metering.ts'
import type { BillingSettings } from './settings.ts'
import { firstInvoiceId } from './stable-ids.ts'
import { termsOf } from './terms.ts'

/** Everything a closing will do, computed and not yet done: what the preview shows is what the close executes. */
export interface ClosingPlan {
  readonly subscription: SubscriptionRow
  readonly settings: BillingSettings
  readonly closing: Closing
  readonly reason: 'period' | 'correction'
  /** Nothing comes after it: what cannot be collected is reported instead of carried (rule 21). */
  readonly isLast: boolean
  readonly cutoff: string
  readonly lines: readonly PlannedLine[]
  readonly totals: Totals<RatedItem>
  readonly present: PresentRows
}

interface PlanRequest {
  readonly subscription: SubscriptionRow
  readonly settings: BillingSettings
  readonly closing: Closing
  readonly reason: 'period' | 'correction'
}

/**
 * Rates what becomes billable at a closing: its items, late usage of earlier periods, the balance carried so far. Reads
 * only; run it inside the closing's snapshot so that cutoff and quantities agree (rule 8). Errors: amount_too_large.
 */
export async function planClosing(db: Db, request: PlanRequest): Promise<ClosingPlan> {
  const { subscription, settings, closing, reason } = request
  const terms = termsOf(subscription)
  const items = reason === 'period' ? itemsAt(terms, closing) : []
  const { cutoff, carriedInMinor, billed, meters, present } = await closingBasis(db, {
    subscription,
    closing: { at: new Date(closing.atMs), reason, invoiceId: firstInvoiceId(request) },
    featureKeys: items.flatMap((item) => item.featureKey ?? []),
    usageFrom: usageFrom(items),
    lateWindow: lateWindow(request),
  })
  const holds = present.hasMovedSubjects
    ? subjectHolds(subscription.customerId, await timesOfSubjects(db, subscription.customerId))
    : null
  const context: PlanContext = { subscription, settings, meters: metersByFeature(meters), holds }

  const lines: PlannedLine[] = []
  for (const item of items) lines.push(await rateOne(db, context, item))
  for (const slice of billed) {
    const line = await rateLate(db, context, slice)
    if (line) lines.push(line)
  }
  requireBillableAmounts(
    lines.map(({ item, rated }) => ({ ...rated, name: item.rateCard.name })),
    currency(subscription.currency),
  )
  const isLast = reason === 'correction' || closingAfter(terms, closing.atMs) === null
  const totals = planTotals({
    lines: lines.map((line) => line.rated),
    currency: currency(subscription.currency),
    carriedInMinor,
    isLast,
  })
  return { subscription, settings, closing, reason, isLast, cutoff, lines, totals, present }
}

type PlanContext = RatingContext & {
  readonly settings: BillingSettings
  /** When the customer had subjects; null: those of now, all the time. */
  readonly holds: readonly SubjectHold[] | null
}

/** Where the usage that is billed begins; null where none is. */
function usageFrom(items: readonly BillableItem[]): Date | null {
  const starts = items.flatMap(({ kind, service }) => (kind === 'usage' ? [service.from] : []))
  return starts.length === 0 ? null : new Date(Math.min(...starts))
}

async function rateOne(db: Db, context: PlanContext, item: BillableItem): Promise<PlannedLine> {
  const options = {
    currency: currency(context.subscription.currency),
    proRating: context.subscription.proRatingEnabled,
  }
  if (item.kind === 'flat') {
    return { kind: 'flat', item, rated: rateItem(item, { ...options, meteredQuantity: null }), slice: null }
  }
  const { meters, settings, holds } = context
  const whose =
    holds === null
      ? { subjectKeys: settings.subjectKeys, subjectHolds: null }
      : subjectsWithin(holds, item.service)
  const meteredQuantity = await meterQuantity(db, { meters, whose }, item)
  const rated = rateItem(item, { ...options, meteredQuantity })
  return {
    kind: 'usage',
    item,
    rated,
    slice: { ...whose, quantity: rated.meteredQuantity ?? '0', billedMinor: rated.totalMinor },
  }
}

/** Slices that were closed before, and ended within the policy's window, are rated again (rule 9). */
function lateWindow({
  settings,
  closing,
  subscription,
  reason,
}: PlanRequest): { from: Date; to: Date } | null {
  if (settings.lateUsage.policy !== 'bill_on_next') return null
  // A correction comes the window's length after the end: it looks at what was in the window then.
  const windowEndMs = reason === 'correction' ? (closing.previousMs ?? closing.atMs) : closing.atMs
  const fromMs = lateWindowStartMs(settings.lateUsage, windowEndMs, subscription.timezone)
  return { from: new Date(fromMs), to: new Date(closing.atMs) }
}
