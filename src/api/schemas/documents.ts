import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { Discounts as StoredDiscounts, Price as StoredPrice } from '../../domain/rate-card.ts'
import { Discounts, FlatPriceWithPaymentTerm, RateCardUsageBasedPrice, TaxConfig } from './prices.ts'
import { ref } from './reference.ts'

/** Parts of a plan as a subscription's or an invoice's snapshot shows them. */
export const PriceDocument = ref(RateCardUsageBasedPrice)
export type PriceDocument = Static<typeof RateCardUsageBasedPrice>
export const FlatPriceDocument = ref(FlatPriceWithPaymentTerm)
export const DiscountsDocument = ref(Discounts)
export const TaxConfigDocument = ref(TaxConfig)
type TaxConfigDocument = Static<typeof TaxConfig>

/** A price of a snapshot, in the contract's words. */
export function presentPrice(price: StoredPrice): PriceDocument {
  return price.type === 'tiered'
    ? { ...price, tiers: price.tiers.map((tier) => ({ ...tier })) }
    : { ...price }
}

/** Discounts of a snapshot; a percentage that was stored as text is the same number here. */
export function presentDiscounts(discounts: StoredDiscounts): Static<typeof Discounts> {
  return {
    ...(discounts.percentage && { percentage: { percentage: Number(discounts.percentage.percentage) } }),
    ...(discounts.usage && { usage: { quantity: discounts.usage.quantity } }),
  }
}

/** The workflow settings of a billing profile, as an invoice shows them: they were checked when they were written. */
export interface WorkflowDocument {
  collection?: { alignment?: { type: 'subscription' }; interval?: string }
  invoicing?: {
    autoAdvance?: boolean
    draftPeriod?: string
    dueAfter?: string
    progressiveBilling?: boolean
    defaultTaxConfig?: TaxConfigDocument
  }
  payment?: { collectionMethod?: 'charge_automatically' | 'send_invoice' }
  tax?: { enabled?: boolean; enforced?: boolean }
}
export const WorkflowDocument = Type.Unsafe<WorkflowDocument>({
  type: 'object',
  additionalProperties: true,
  description: 'How the invoice is collected, issued, paid and taxed.',
})
