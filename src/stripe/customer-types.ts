export interface StripeCustomerView {
  readonly id: string
  readonly deleted: boolean
  readonly email: string | null
  readonly name: string | null
  readonly defaultPaymentMethodId: string | null
  readonly testClockId: string | null
  /** Upper case, as everywhere with us; null until the customer was first invoiced. */
  readonly currency: string | null
}
export interface CustomerToCreate {
  /** Our id: part of the idempotency key and of the metadata. */
  readonly customerId: string
  readonly name?: string
  readonly email?: string
  /** Its tax location. */
  readonly address?: StripeAddress
  readonly testClockId?: string
  /** A Stripe customer that is gone: part of the idempotency key. */
  readonly replaces?: string
}
export interface StripeAddress {
  readonly country?: string
  readonly postal_code?: string
  readonly state?: string
  readonly city?: string
  readonly line1?: string
  readonly line2?: string
}
export interface PaymentMethodView {
  readonly id: string
  readonly type: string
  readonly customerId: string | null
  readonly cardBrand: string | null
  readonly cardLast4: string | null
  /** The key may not read it: it is taken as it was given. */
  readonly isUnread?: boolean
}
export interface CustomerPaymentMethod {
  readonly stripeCustomerId: string
  readonly paymentMethodId: string
}
