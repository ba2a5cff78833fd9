import type { StoredApp } from './types.ts'

/** What happened to the money of an invoice after it was issued, under Stripe's id; the amount in our minor units. */
export interface StripeAdjustment {
  readonly id: string
  readonly kind: 'refund' | 'dispute' | 'credit_note'
  /** In Stripe's words: `succeeded`, `needs_response`, `won`, `lost`, `issued`, `void`. */
  readonly status: string
  readonly amountMinor: bigint
  /** Upper case. */
  readonly currency: string
  readonly reason: string | null
  readonly atMs: number
}

/** Where an event says that money moved. */
export interface AdjustmentSource {
  readonly kind: 'charge' | 'dispute' | 'credit_note'
  readonly id: string
}

export interface InvoiceAdjustments {
  /** Of Stripe; null when the payment was for none. */
  readonly stripeInvoiceId: string | null
  readonly adjustments: readonly StripeAdjustment[]
}

export interface AdjustmentsGateway {
  /** The refunds of a charge, a dispute, or a credit note, with the invoice that they are of. */
  readonly getAdjustments: (app: StoredApp, source: AdjustmentSource) => Promise<InvoiceAdjustments>
}
