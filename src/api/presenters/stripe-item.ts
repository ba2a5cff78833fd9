import { itemKey } from '../../billing/stripe-item-sync.ts'
import type { InvoiceLineRow } from '../../db/stores/invoices.ts'
import type { StripeItemRow } from '../../db/stores/stripe-items.ts'
import { currency } from '../../domain/currency.ts'
import { formatMinor } from '../../domain/money.ts'
import type { StripeItem } from '../schemas/stripe-plan-mappings.ts'

interface OfInvoice {
  readonly currency: string
  readonly lines: readonly InvoiceLineRow[]
}

export function presentStripeItem(item: StripeItemRow, invoice: OfInvoice): StripeItem {
  const line = invoice.lines.find((each) => itemKey(each) === item.lineKey)
  return {
    ...(line !== undefined && { lineId: line.id }),
    sequence: item.sequence,
    amount: formatMinor(BigInt(item.amountMinor), currency(invoice.currency)),
    description: item.description,
    ...(item.stripeItemId !== null && { stripeItemId: item.stripeItemId }),
    ...(item.stripeInvoiceId !== null && { stripeInvoiceId: item.stripeInvoiceId }),
    ...(item.stripeInvoiceNumber !== null && { stripeInvoiceNumber: item.stripeInvoiceNumber }),
    ...(item.stripeInvoiceStatus !== null && { stripeInvoiceStatus: item.stripeInvoiceStatus }),
    ...(item.stripeHostedUrl !== null && { hostedInvoiceUrl: item.stripeHostedUrl }),
  }
}
