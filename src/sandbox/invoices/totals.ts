import type { Context } from '../context.ts'
import { taxSettings } from '../resources/tax-settings.ts'
import type { InvoiceRecord } from '../records.ts'
import { itemsOf, totalTaxes } from './lines.ts'
import { taxCountry, taxesOf } from './taxes.ts'

/** The customer's balance counts only in its own currency [stripe docs: customer balance]. */
export function balanceFor(ctx: Context, invoice: InvoiceRecord): number {
  const customer = ctx.store.get('customers', invoice.customer)
  if (customer === undefined) return 0
  return customer.currency === null || customer.currency === invoice.currency ? customer.balance : 0
}

/** The invoice with every amount computed from its lines; for drafts only, an open invoice keeps what it was issued with. */
export function withTotals(ctx: Context, invoice: InvoiceRecord): InvoiceRecord {
  const items = itemsOf(ctx, invoice)
  const taxes = items.flatMap((item) => taxesOf(ctx, invoice, item))
  const sum = (inclusive: boolean) =>
    taxes.filter((t) => t.inclusive === inclusive).reduce((s, t) => s + t.amount, 0)
  const subtotal = items.reduce((total, item) => total + item.amount, 0)
  const total = subtotal + sum(false)
  const startingBalance = balanceFor(ctx, invoice)
  const amountDue = Math.max(0, total + startingBalance)
  const totals = totalTaxes(taxes)
  const status = invoice.automatic_tax.enabled ? automaticStatus(ctx, invoice) : null
  return {
    ...invoice,
    subtotal,
    subtotal_excluding_tax: subtotal - sum(true),
    total,
    total_excluding_tax: total - sum(true) - sum(false),
    total_taxes: totals as unknown as InvoiceRecord['total_taxes'],
    starting_balance: startingBalance,
    amount_due: amountDue,
    amount_remaining: amountDue,
    automatic_tax: { ...invoice.automatic_tax, status },
  }
}

function automaticStatus(
  ctx: Context,
  invoice: InvoiceRecord,
): 'complete' | 'failed' | 'requires_location_inputs' {
  if (taxSettings(ctx).isFailing) return 'failed'
  return taxCountry(ctx, invoice) === null ? 'requires_location_inputs' : 'complete'
}
