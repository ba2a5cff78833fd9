import type { InvoiceLineRow } from '../db/stores/invoices.ts'

/** What Stripe is sent of a line. */
export const netMinor = (line: Pick<InvoiceLineRow, 'amountMinor' | 'discountMinor'>): bigint =>
  BigInt(line.amountMinor) - BigInt(line.discountMinor)
