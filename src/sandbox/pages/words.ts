import type { PaymentMethodRecord } from '../tables.ts'

/** The words of a payment method: `Visa ending in 4242`. */
export function methodWords(method: PaymentMethodRecord): string {
  const { card, us_bank_account: bank, sepa_debit: sepa } = method
  const brand = card?.display_brand ?? card?.brand ?? 'card'
  if (card) return `${brand.charAt(0).toUpperCase()}${brand.slice(1)} ending in ${card.last4}`
  return `Bank account ending in ${bank?.last4 ?? sepa?.last4 ?? '····'}`
}
