import type { Connection } from './client.ts'
import { classifyStripeError } from './failures.ts'
import type { InvoiceRef } from './invoice-types.ts'

/** Takes automatic tax off a draft; one that is finalized stays what it is. */
export async function withoutTax(connection: Connection, invoice: InvoiceRef): Promise<void> {
  const idempotencyKey = `untaxed:${invoice.invoiceId}:g${invoice.generation}`
  await connection.call('invoices.update', (stripe) =>
    stripe.invoices.update(
      invoice.stripeInvoiceId,
      { automatic_tax: { enabled: false } },
      { idempotencyKey },
    ),
  )
}

const taxCodes: ReadonlySet<string> = new Set([
  'customer_tax_location_invalid',
  'stripe_tax_inactive',
  'taxes_calculation_failed',
])

/**
 * Whether Stripe refused because it cannot compute tax: the customer's location, or an account without tax settings, for
 * which it has a sentence (head office, origin address) rather than a code.
 */
export function isTaxRefusal(error: unknown): boolean {
  const { kind, code, message } = classifyStripeError(error)
  if (kind !== 'final') return false
  return taxCodes.has(code) || /head office address|origin address|tax settings|stripe tax/i.test(message)
}
