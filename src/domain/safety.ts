/** Bounds within which a subscription bills by itself (rule 33). */
export interface SafetyBounds {
  readonly maxInvoicesPerDay: number
  /** Longest time that one billing period may cover. */
  readonly maxPeriodMs: number
}

const safetyBounds: SafetyBounds = {
  maxInvoicesPerDay: 25,
  maxPeriodMs: 11 * 366 * 86_400_000,
}

export interface ClosingFacts {
  readonly atMs: number
  readonly previousMs: number | null
  /** The subscription's own present: its test clock's, if it has one. */
  readonly nowMs: number
  /** Invoices of the subscription in the 24 hours of its own time before the closing. */
  readonly invoicesInLastDay: number
}

/** Why a closing would be absurd, for the operator who can release the subscription; null when it is fine (rule 33). */
export function parkReason(facts: ClosingFacts, bounds: SafetyBounds = safetyBounds): string | null {
  if (facts.atMs > facts.nowMs) return 'The period to bill has not ended yet'
  if (facts.previousMs !== null && facts.atMs - facts.previousMs > bounds.maxPeriodMs) {
    return 'The period to bill is longer than any cadence'
  }
  if (facts.invoicesInLastDay >= bounds.maxInvoicesPerDay) {
    return `The subscription has ${facts.invoicesInLastDay} invoices within a day already`
  }
  return null
}
