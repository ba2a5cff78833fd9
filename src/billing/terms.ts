import type { SubscriptionRow } from '../db/stores/subscriptions.ts'
import type { Phase } from '../domain/rate-card.ts'
import type { Terms } from '../domain/schedule.ts'

/** A subscription's snapshot as the domain's schedule reads it. */
export function termsOf(row: SubscriptionRow): Terms {
  return {
    activeFromMs: row.activeFrom.getTime(),
    activeToMs: row.activeTo?.getTime() ?? null,
    anchorMs: row.billingAnchor.getTime(),
    timeZone: row.timezone,
    billingCadence: row.billingCadence,
    proRating: row.proRatingEnabled,
    // Validated when the plan was published or the subscription made.
    phases: row.phases as unknown as readonly Phase[],
  }
}
