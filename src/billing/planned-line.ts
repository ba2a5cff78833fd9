import type { SubscriptionRow } from '../db/stores/subscriptions.ts'
import type { RatedItem } from '../domain/rating.ts'
import type { BillableItem } from '../domain/schedule.ts'
import type { SliceSubjects } from '../domain/subject-holds.ts'
import type { UsageMeters } from './metering.ts'

/** A line of a planned invoice: what is billed, how it was rated, and (usage) the slice's total after this invoice. */
export interface PlannedLine {
  readonly kind: 'flat' | 'usage' | 'late_usage'
  readonly item: BillableItem
  readonly rated: RatedItem
  /** Usage only: the quantity and amount of the whole slice over all invoices, which later differences start from. */
  readonly slice: RatedSlice | null
}

/** Its subjects are those of when it was first rated: later changes do not move what was billed (rule 23). */
interface RatedSlice extends SliceSubjects {
  readonly quantity: string
  readonly billedMinor: bigint
}

/** What rating an item of a subscription needs. */
export interface RatingContext {
  readonly subscription: SubscriptionRow
  readonly meters: UsageMeters
}
