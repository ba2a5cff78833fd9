/** A price at Stripe as a mapping reads it. */
export interface StripePriceView {
  readonly id: string
  readonly isRecurring: boolean
  /** ISO 8601, e.g. `P1M`; null for a price that is charged once. */
  readonly cadence: string | null
  /** Upper case. */
  readonly currency: string
}

/** A subscription that was made at Stripe, as we need it. */
export interface StripeSubscriptionView {
  readonly id: string
  readonly status: string
  readonly stripeCustomerId: string
  /** Upper case. */
  readonly currency: string
  readonly createdMs: number
  /** Before it was made, where it was backdated. */
  readonly startMs: number
  /** Its instants are those of a test clock of Stripe's. */
  readonly isOnTestClock: boolean
  /** What Stripe counts its periods from. */
  readonly billingAnchorMs: number
  readonly currentPeriodStartMs: number
  readonly endedMs: number | null
  /** When it will end, where it was canceled for a later instant. */
  readonly cancelAtMs: number | null
  readonly priceIds: readonly string[]
  readonly defaultPaymentMethodId: string | null
  readonly latestInvoiceId: string | null
  /** Stripe Tax computes the tax of its invoices: no line of those may be negative. */
  readonly automaticTax: boolean
  /** What the metadata asks for: the key of our customer, and what its usage is reported under; null: nothing. */
  readonly customerKey: string | null
  readonly subjectKeys: readonly string[] | null
}

/** Who subscribed at Stripe: what a customer of ours is made from. */
export interface StripeSubscriberView {
  readonly id: string
  readonly deleted: boolean
  readonly name: string | null
  readonly email: string | null
  /** Upper case; null until the first invoice. */
  readonly currency: string | null
  readonly testClockId: string | null
  /** What the metadata asks for: the key of our customer, and what its usage is reported under; null: nothing. */
  readonly customerKey: string | null
  readonly subjectKeys: readonly string[] | null
}
