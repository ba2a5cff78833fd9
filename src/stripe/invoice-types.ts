export interface LineToSync {
  /** Our line id, kept in the Stripe line's metadata: what makes adding lines repeatable. */
  readonly lineId: string
  /** Net of discounts, in OUR minor units; negative for credits. */
  readonly amountMinor: bigint
  readonly description: string
  readonly fromMs: number
  readonly toMs: number
  /** Stripe's (`txcd_…`), and whether the price holds the tax; sent with automatic tax only. */
  readonly taxCode?: string
  readonly taxBehavior?: 'inclusive' | 'exclusive'
}
/** One of our lines within a line at Stripe. */
export interface LinePart {
  readonly lineId: string
  readonly amountMinor: bigint
}
export interface InvoiceToSync {
  readonly invoiceId: string
  readonly subscriptionId: string
  readonly stripeCustomerId: string
  /** Known from an earlier run; null makes the saga create or adopt. */
  readonly stripeInvoiceId: string | null
  /** invoices.sync_generation: part of every idempotency key (billing rule 31). */
  readonly generation: number
  /** How often it was rated while it ran: part of the keys of changes to a draft; 0 or left out where it never ran. */
  readonly run?: number
  /** Nobody has issued it yet: one that is void at Stripe was voided by hand while it grew, and another is made. */
  readonly isGrowing?: boolean
  /**
   * Lower bound for finding a lost invoice by metadata, real time; an hour of clock skew is allowed for. null (a customer
   * on a test clock, whose Stripe time is another) searches all of the customer's invoices.
   */
  readonly createdMs: number | null
  /** false only when no earlier try can have reached Stripe: it saves the search. Default true. */
  readonly mayExist?: boolean
  /** ISO 4217, upper case. */
  readonly currency: string
  readonly collectionMethod: 'charge_automatically' | 'send_invoice'
  /** send_invoice needs one of the two. */
  readonly daysUntilDue?: number
  readonly dueMs?: number
  readonly number?: string
  /** Shown on the invoice, at most 1500 characters. */
  readonly description?: string
  readonly defaultPaymentMethodId?: string
  /** Stripe Tax computes the tax; default false, and always sent. */
  readonly automaticTax?: boolean
  /** What it may be paid with; left out: what the account has enabled. */
  readonly paymentMethodTypes?: readonly string[]
  /** It is issued without the tax that was asked for; its lines stay as they were made. */
  readonly taxSkipped?: boolean
  readonly lines: readonly LineToSync[]
}
export interface SyncedInvoice {
  readonly stripeInvoiceId: string
  /** True when the invoice was found and not created by this call. */
  readonly adopted: boolean
  /** It is past draft: somebody finalized it, or an earlier run did. */
  readonly isFinal: boolean
}

export interface InvoiceRef {
  readonly invoiceId: string
  readonly stripeInvoiceId: string
  readonly generation: number
}
export interface InvoiceToFinalize extends InvoiceRef {
  readonly number?: string
}
export interface InvoiceToPay extends InvoiceRef {
  /** 1 for the first; a new attempt has a new idempotency key. */
  readonly attempt: number
  readonly paymentMethodId?: string
}

export type StripeInvoiceStatus = 'draft' | 'open' | 'paid' | 'uncollectible' | 'void'
/** `unknown`: there is a payment, and the key may not read what became of it. */
type PaymentKind = 'none' | 'unknown' | 'succeeded' | 'processing' | 'requires_action' | 'failed'
/** The latest payment of an invoice. */
export interface PaymentOutcome {
  readonly kind: PaymentKind
  /** The charge, else the payment intent: what attempts are counted by (billing rule 30). */
  readonly paymentId: string | null
  readonly code: string | null
  readonly declineCode: string | null
  /** Trying the same payment method again is of no use: ask for a new one (billing rule 32). */
  readonly hard: boolean
  readonly message: string | null
}
export interface LineTax {
  readonly taxMinor: bigint
  /** The part of it that the line's amount holds already. */
  readonly includedMinor: bigint
}
/** A Stripe invoice as we need it; amounts in OUR minor units. */
export interface StripeInvoiceView {
  readonly stripeInvoiceId: string
  /** Our id, from the metadata; null for an invoice that is not ours. */
  readonly invoiceId: string | null
  readonly status: StripeInvoiceStatus
  readonly number: string | null
  /** Upper case. */
  readonly currency: string
  readonly subtotalMinor: bigint
  /** All tax, what prices hold included. */
  readonly taxMinor: bigint
  readonly totalMinor: bigint
  readonly amountPaidMinor: bigint
  readonly amountRemainingMinor: bigint
  readonly amountOverpaidMinor: bigint
  /** A balance that the Stripe customer already had and that paid a part (billing rule 21). */
  readonly balanceAppliedMinor: bigint
  /** By the id that we gave the line at Stripe. */
  readonly lineTax: Readonly<Record<string, LineTax>>
  /** Stripe computed parts of a minor unit (ISK, UGX): its amounts are rounded here. */
  readonly isRounded: boolean
  /** Stripe Tax computed it. */
  readonly isTaxed: boolean
  readonly hostedUrl: string | null
  readonly pdfUrl: string | null
  readonly dueMs: number | null
  readonly finalizedMs: number | null
  readonly paidMs: number | null
  readonly payment: PaymentOutcome
}

export interface InvoiceQuery {
  readonly invoiceId: string
  readonly stripeCustomerId: string
  readonly createdMs: number | null
  /** Passes over invoices that are void. */
  readonly isGrowing?: boolean
}
