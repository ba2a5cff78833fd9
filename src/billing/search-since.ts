import type { InvoiceRow } from '../db/stores/invoices.ts'
import { invoiceSettings } from './invoice-settings.ts'

/**
 * From when on what Stripe may have of an invoice is looked for there; null for a customer on a test clock, whose time at
 * Stripe is another. Restored to before it, an invoice is made again later than it was sent first, in the same period.
 */
export function searchSince(row: InvoiceRow): number | null {
  if (invoiceSettings(row).onTestClock) return null
  return Math.min(row.createdAt.getTime(), row.periodFrom.getTime())
}
