import type { StripeRefusal } from '../errors.ts'
import type { PaymentMethodRecord } from '../records.ts'

/** The words of a payment method: `Visa ending in 4242`. */
export function methodWords(method: PaymentMethodRecord): string {
  const { card, us_bank_account: bank, sepa_debit: sepa } = method
  const brand = card?.display_brand ?? card?.brand ?? 'card'
  if (card) return `${brand.charAt(0).toUpperCase()}${brand.slice(1)} ending in ${card.last4}`
  return `Bank account ending in ${bank?.last4 ?? sepa?.last4 ?? '····'}`
}

/** A refusal as a customer is told of it: the API's words, except where they are for developers. */
export function refusalWords({ body, message }: StripeRefusal): string {
  return body.code === 'tax_id_invalid'
    ? 'Your tax ID is not valid. Please check it, or leave it out.'
    : message
}
