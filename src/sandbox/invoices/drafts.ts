import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { newId } from '../ids.ts'
import type { CustomerRecord, InvoiceItemRecord, InvoiceRecord, Metadata } from '../records.ts'

/** An invoice with `auto_advance` stays a draft for an hour [stripe docs: invoice workflow]. */
const DRAFT_WINDOW = 3600

/** An empty draft of a customer, not yet kept. */
export function blank(ctx: Context, customer: CustomerRecord, currency: string): InvoiceRecord {
  const created = timeOf(ctx, customer.test_clock)
  return {
    id: newId('in'),
    object: 'invoice',
    account_country: 'US',
    account_name: 'Sandbox',
    amount_due: 0,
    amount_overpaid: 0,
    amount_paid: 0,
    amount_remaining: 0,
    amount_shipping: 0,
    application: null,
    attempt_count: 0,
    attempted: false,
    auto_advance: false,
    automatic_tax: { disabled_reason: null, enabled: false, liability: null, provider: null, status: null },
    automatically_finalizes_at: null,
    billing_reason: 'manual',
    collection_method: 'charge_automatically',
    created,
    currency,
    custom_fields: null,
    customer: customer.id,
    customer_account: null,
    customer_address: customer.address ?? null,
    customer_email: customer.email,
    customer_name: customer.name ?? null,
    customer_phone: customer.phone ?? null,
    customer_shipping: null,
    customer_tax_exempt: customer.tax_exempt ?? 'none',
    customer_tax_ids: [],
    default_payment_method: null,
    default_source: null,
    default_tax_rates: [],
    description: null,
    due_date: null,
    effective_at: null,
    ending_balance: null,
    footer: customer.invoice_settings.footer,
    from_invoice: null,
    hosted_invoice_url: null,
    invoice_pdf: null,
    issuer: { type: 'self' },
    last_finalization_error: null,
    latest_revision: null,
    livemode: false,
    metadata: {},
    next_payment_attempt: null,
    number: null,
    on_behalf_of: null,
    parent: null,
    payment_settings: { default_mandate: null, payment_method_options: null, payment_method_types: null },
    period_end: created,
    period_start: created,
    post_payment_credit_notes_amount: 0,
    pre_payment_credit_notes_amount: 0,
    receipt_number: null,
    rendering: null,
    shipping_cost: null,
    shipping_details: null,
    starting_balance: 0,
    statement_descriptor: null,
    status: 'draft',
    status_transitions: { finalized_at: null, marked_uncollectible_at: null, paid_at: null, voided_at: null },
    subtotal: 0,
    subtotal_excluding_tax: 0,
    test_clock: customer.test_clock ?? null,
    total: 0,
    total_discount_amounts: [],
    total_excluding_tax: 0,
    total_pretax_credit_amounts: [],
    total_taxes: [],
    webhooks_delivered_at: null,
    _daysUntilDue: null,
    _dueAt: null,
    _overdueSent: false,
    _retries: 0,
    _secret: null,
  }
}

/** Sets the instants that follow from `auto_advance` while a draft [recorded traffic: stripe_world]. */
export function withSchedule(invoice: InvoiceRecord, requested: number | null | undefined): InvoiceRecord {
  if (invoice.status !== 'draft') return invoice
  const automatic = invoice.auto_advance === true
  const at = requested ?? (automatic ? invoice.created + DRAFT_WINDOW + 1 : null)
  const charges = automatic && invoice.collection_method === 'charge_automatically'
  return {
    ...invoice,
    automatically_finalizes_at: at,
    next_payment_attempt: charges ? (requested ?? invoice.created + DRAFT_WINDOW) : null,
    _dueAt: at,
  }
}

/** The member `automatic_tax` before anything is calculated. */
export function automaticTax(enabled: boolean): InvoiceRecord['automatic_tax'] {
  const liability = enabled ? ({ type: 'self' } as const) : null
  return { disabled_reason: null, enabled, liability, provider: enabled ? 'stripe' : null, status: null }
}

/** The subscription that an item was accrued for. */
export function subscriptionOfItem(item: InvoiceItemRecord): string | null {
  return item.parent?.subscription_details?.subscription ?? null
}

/** The subscription that an invoice bills. */
export function subscriptionOfInvoice(invoice: InvoiceRecord): string | null {
  return (invoice.parent?.subscription_details?.subscription as string | undefined) ?? null
}

/** What an invoice says of the subscription that it is for; the metadata is a copy [types of the client]. */
export function subscriptionParent(id: string, metadata: Metadata): InvoiceRecord['parent'] {
  return {
    quote_details: null,
    subscription_details: { metadata: { ...metadata }, subscription: id },
    type: 'subscription_details',
  }
}

/**
 * Pending items of this currency move onto the new invoice, newest first; others stay, as do those that `takes` leaves
 * [stripe docs: invoice items].
 */
export function sweepPending(
  ctx: Context,
  invoice: InvoiceRecord,
  takes: (item: InvoiceItemRecord) => boolean = () => true,
): void {
  const pending = ctx.store
    .by('invoiceItems', 'customer', invoice.customer)
    .filter((item) => item.invoice === null && item.currency === invoice.currency && takes(item))
  pending
    .toReversed()
    .slice(0, 250)
    .forEach((item, index) =>
      ctx.store.put('invoiceItems', { ...item, invoice: invoice.id, _position: index - pending.length }),
    )
}
