import type { Db } from '../db/connection.ts'
import { ratedUsageSince } from '../db/stores/closings.ts'
import type { RatedUsageRow } from '../db/stores/closings.ts'
import { getSubscription } from '../db/stores/subscriptions.ts'
import { DomainError } from '../domain/errors.ts'
import { itemOfSlice, rateLate } from './late-rating.ts'
import { usageMeters } from './metering.ts'

/** Usage of a closed period that no invoice has billed. */
export interface UnbilledLateUsage {
  readonly slice: RatedUsageRow
  readonly quantity: string
  /** What it would cost, or give back, in minor units. */
  readonly differenceMinor: bigint
  readonly description: string
}

/**
 * Late usage that is not on any invoice, whatever the policy: what the next closing will bill, what `ignore` leaves out,
 * what came after the window (rule 9: reported, never silently lost). Reads only. Errors: not_found.
 */
export async function lateUsageReport(db: Db, subscriptionId: string): Promise<readonly UnbilledLateUsage[]> {
  const subscription = await getSubscription(db, subscriptionId)
  if (!subscription) throw new DomainError('not_found', `subscription ${subscriptionId} does not exist`)
  const all = { from: subscription.activeFrom, to: subscription.closedThrough ?? subscription.activeFrom }
  const slices = await ratedUsageSince(db, subscriptionId, all)
  const meters = await usageMeters(
    db,
    slices.map((slice) => itemOfSlice(slice).featureKey ?? ''),
  )
  const found: UnbilledLateUsage[] = []
  for (const slice of slices) {
    const line = await rateLate(db, { subscription, meters }, slice)
    if (line === null) continue
    found.push({
      slice,
      quantity: line.slice?.quantity ?? '0',
      differenceMinor: line.rated.totalMinor,
      description: line.rated.description,
    })
  }
  return found
}
