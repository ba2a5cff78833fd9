import type { Context } from '../context.ts'
import type { InvoiceItemRecord, InvoiceRecord, LineTax } from '../records.ts'
import { subscriptionOfInvoice, subscriptionOfItem } from './drafts.ts'
import { taxesOf } from './taxes.ts'

/**
 * The items of an invoice in its order of lines: pending items swept at creation, newest first, then those added
 * later, oldest first; a subscription's own lines come between [stripe docs: invoice object, lines].
 */
export function itemsOf(ctx: Context, invoice: InvoiceRecord): readonly InvoiceItemRecord[] {
  return ctx.store.by('invoiceItems', 'invoice', invoice.id).toSorted((a, b) => a._position - b._position)
}

function taxEntry(tax: LineTax): object {
  return {
    amount: tax.amount,
    tax_behavior: tax.inclusive ? 'inclusive' : 'exclusive',
    tax_rate_details: tax.rate === null ? null : { tax_rate: tax.rate },
    taxability_reason: tax.reason,
    taxable_amount: tax.taxableAmount,
    type: 'tax_rate_details',
  }
}

function parentOf(invoice: InvoiceRecord, item: InvoiceItemRecord): object {
  const proration = { proration: item.proration, proration_details: { credited_items: null } }
  const prorated = item.parent?.subscription_details?.subscription_item
  if (item._subscriptionItem === undefined && prorated === undefined) {
    const invoice_item_details = {
      invoice_item: item.id,
      ...proration,
      subscription: subscriptionOfItem(item),
    }
    return { type: 'invoice_item_details', invoice_item_details, subscription_item_details: null }
  }
  const subscription_item_details = {
    invoice_item: prorated === undefined ? null : item.id,
    ...proration,
    subscription: subscriptionOfItem(item) ?? subscriptionOfInvoice(invoice),
    subscription_item: prorated ?? item._subscriptionItem,
  }
  return { type: 'subscription_item_details', invoice_item_details: null, subscription_item_details }
}

/** One line as the API shows it. */
export function lineItem(
  ctx: Context,
  invoice: InvoiceRecord,
  item: InvoiceItemRecord,
): { readonly id: string } {
  const taxes = taxesOf(ctx, invoice, item)
  const inclusive = taxes.filter((tax) => tax.inclusive).reduce((sum, tax) => sum + tax.amount, 0)
  const line = {
    id: item._line,
    object: 'line_item',
    amount: item.amount,
    currency: item.currency,
    description: item.description,
    discount_amounts: [],
    discountable: item.discountable,
    discounts: [],
    invoice: invoice.id,
    livemode: false,
    metadata: item.metadata,
    parent: parentOf(invoice, item),
    period: item.period,
    pretax_credit_amounts: [],
    pricing: item.pricing,
    quantity: item.quantity,
    quantity_decimal: String(item.quantity),
    subscription:
      item._subscriptionItem === undefined ? subscriptionOfItem(item) : subscriptionOfInvoice(invoice),
    subtotal: item.amount - inclusive,
    taxes: taxes.map(taxEntry),
  }
  return line
}

/** All lines. */
export function lineItems(ctx: Context, invoice: InvoiceRecord): readonly { readonly id: string }[] {
  return itemsOf(ctx, invoice).map((item) => lineItem(ctx, invoice, item))
}

/** Taxes summed by rate, as `total_taxes` has them. */
export function totalTaxes(taxes: readonly LineTax[]): { readonly amount: number }[] {
  const groups = new Map<string, LineTax[]>()
  for (const tax of taxes) {
    const key = `${tax.rate}|${tax.inclusive}|${tax.reason}`
    groups.set(key, [...(groups.get(key) ?? []), tax])
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const amount = group.reduce((sum, tax) => sum + tax.amount, 0)
    const taxableAmount = group.reduce((sum, tax) => sum + tax.taxableAmount, 0)
    return [{ ...taxEntry({ ...first, amount, taxableAmount }), amount }]
  })
}
