/** Where the items of an invoice of ours are looked for. */
export interface ItemsQuery {
  /** Ours, from the items' metadata. */
  readonly invoiceId: string
  readonly stripeCustomerId: string
  /** Lower bound, real time; null (a customer on a test clock) looks through all of the customer's items. */
  readonly createdMs: number | null
}

/** An item at Stripe as it is now. */
export interface StripeItemView {
  readonly stripeItemId: string
  /** Ours, from the metadata. */
  readonly itemId: string
  /** In OUR minor units. */
  readonly amountMinor: bigint
  /** The Stripe invoice that took it up; null while it is pending. */
  readonly stripeInvoiceId: string | null
}

export interface ItemContent {
  readonly lineId: string
  /** ISO 4217, upper case. */
  readonly currency: string
  /** Net, in OUR minor units; negative takes back. */
  readonly amountMinor: bigint
  readonly description: string
  readonly fromMs: number
  readonly toMs: number
  readonly taxCode?: string
  readonly taxBehavior?: 'inclusive' | 'exclusive'
}

export interface ItemToCreate extends ItemContent {
  /** Ours: the idempotency key, with the generation. */
  readonly itemId: string
  readonly generation: number
  readonly invoiceId: string
  readonly stripeCustomerId: string
  /** Whose next invoice takes it up; null: any of the customer's. */
  readonly stripeSubscriptionId: string | null
  /** The draft that it goes onto; null: it waits for the next. */
  readonly stripeInvoiceId: string | null
}

export interface LastInvoiceRequest {
  readonly invoiceId: string
  readonly generation: number
  readonly stripeCustomerId: string
  readonly createdMs: number | null
  readonly currency: string
  readonly collectionMethod: 'charge_automatically' | 'send_invoice'
  readonly daysUntilDue?: number
  readonly automaticTax: boolean
  readonly defaultPaymentMethodId: string | null
}
