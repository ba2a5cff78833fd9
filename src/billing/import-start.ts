import type { StripeSubscriptionView } from '../stripe/subscription-types.ts'

type AtStripe = Pick<
  StripeSubscriptionView,
  'createdMs' | 'startMs' | 'currentPeriodStartMs' | 'billingAnchorMs' | 'isOnTestClock'
>

/** Where usage begins to count: when it was made, or with the period that runs at Stripe now. */
export type ImportFrom = 'start' | 'current_period'

/**
 * What was made at Stripe after the app was installed counts from its start, what was there before with the period that
 * runs: its usage of before was somebody else's to bill. Stripe's test clocks tell no time of ours; what stands on one was
 * made to be tried here.
 */
export function importFrom(there: AtStripe, installedAt: Date): ImportFrom {
  // Stripe's instants are whole seconds.
  const installedMs = Math.floor(installedAt.getTime() / 1000) * 1000
  return there.isOnTestClock || there.createdMs >= installedMs ? 'start' : 'current_period'
}

/** Its periods are Stripe's: they are counted from the same anchor. */
export function importStart(there: AtStripe, from: ImportFrom) {
  const current = Number.isFinite(there.currentPeriodStartMs) ? there.currentPeriodStartMs : there.startMs
  return {
    activeFrom: new Date(from === 'start' ? there.startMs : current),
    billingAnchor: new Date(there.billingAnchorMs),
  }
}
