import type { Db } from '../db/connection.ts'
import type { RatedUsageRow } from '../db/stores/closings.ts'
import { currency } from '../domain/currency.ts'
import { Decimal } from '../domain/decimal.ts'
import type { RateCard } from '../domain/rate-card.ts'
import { lateDifference, rateItem } from '../domain/rating.ts'
import type { BillableItem } from '../domain/schedule.ts'
import { meterQuantity } from './metering.ts'
import { storedHolds } from './slice-subjects.ts'
import type { PlannedLine, RatingContext } from './planned-line.ts'

/**
 * Rates a closed slice again with what is visible now: the difference to what was billed, or null when nothing came that
 * its cutoff did not see, or nothing that changes the price (rule 9).
 */
export async function rateLate(
  db: Db,
  context: RatingContext,
  slice: RatedUsageRow,
): Promise<PlannedLine | null> {
  const item = itemOfSlice(slice)
  const options = {
    currency: currency(context.subscription.currency),
    proRating: context.subscription.proRatingEnabled,
  }
  const { subjectKeys, usageCutoff } = slice
  const { meters } = context
  const whose = { subjectKeys, subjectHolds: storedHolds(slice.subjectHolds) }
  const meteredQuantity = await meterQuantity(db, { meters, whose, unseenBy: usageCutoff }, item)
  if (meteredQuantity === 'nothing_new') return null
  const now = rateItem(item, { ...options, meteredQuantity })
  const billedMinor = BigInt(slice.billedMinor)
  const rated = lateDifference({
    item,
    now,
    billedMinor,
    billedQuantity: new Decimal(slice.quantity),
    currency: options.currency,
  })
  if (rated === null) return null
  return {
    kind: 'late_usage',
    item,
    rated,
    slice: {
      ...whose,
      quantity: now.meteredQuantity ?? '0',
      billedMinor: billedMinor + rated.totalMinor,
    },
  }
}

/** A stored slice as the item it was rated from. */
export function itemOfSlice(slice: RatedUsageRow): BillableItem {
  const service = { from: slice.serviceFrom.getTime(), to: slice.serviceTo.getTime() }
  return {
    lineKey: slice.lineKey,
    phaseKey: slice.phaseKey,
    // Written by closing-execute.ts from a validated plan.
    rateCard: slice.rateCard as unknown as RateCard,
    featureKey: slice.featureKey,
    kind: 'usage',
    service,
    fullService: { from: slice.fullServiceFrom.getTime(), to: slice.fullServiceTo.getTime() },
    billing: service,
    invoiceAtMs: service.to,
  }
}
