import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { maximumOf, minimumOf } from '../currencies.ts'
import { refuse } from '../errors.ts'
import { emit, update } from '../events.ts'
import { randomText } from '../ids.ts'
import { taxLocationInvalid } from '../resources/customers.ts'
import { taxIdsOf } from '../resources/tax-ids.ts'
import type { InvoiceRecord } from '../records.ts'
import { changeBalance, targetOf } from './balance.ts'
import { openPayment } from './payments.ts'
import { settle } from './settle.ts'
import { withTotals } from './totals.ts'

const DAY = 86_400

/** Per-customer numbers `PREFIX-0001`; a given number is kept and takes none of the sequence [stripe docs: invoice numbering]. */
function takeNumber(ctx: Context, invoice: InvoiceRecord): string {
  if (invoice.number !== null) return invoice.number
  const customer = ctx.store.get('customers', invoice.customer)
  if (customer === undefined) return 'SANDBOX-0001'
  const sequence = customer.next_invoice_sequence ?? 1
  ctx.store.put('customers', { ...customer, next_invoice_sequence: sequence + 1 })
  return `${customer.invoice_prefix}-${String(sequence).padStart(4, '0')}`
}

interface Due {
  readonly amountDue: number
  readonly endingBalance: number
  readonly kind: 'collect' | 'too_small' | 'nothing'
}

/** What is collected after the balance; below the minimum charge it is rolled onto the balance [recorded traffic: stripe_world]. */
function dueOf(invoice: InvoiceRecord): Due {
  const due = invoice.total + invoice.starting_balance
  if (due <= 0) return { amountDue: 0, endingBalance: due, kind: 'nothing' }
  if (due < minimumOf(invoice.currency)) return { amountDue: 0, endingBalance: due, kind: 'too_small' }
  return { amountDue: due, endingBalance: 0, kind: 'collect' }
}

function applyBalance(ctx: Context, invoice: InvoiceRecord, due: Due): void {
  const amount = due.endingBalance - invoice.starting_balance
  if (amount === 0) return
  changeBalance(ctx, targetOf(invoice), {
    amount,
    type: due.kind === 'too_small' ? 'invoice_too_small' : 'applied_to_invoice',
  })
}

/** Refuses what cannot be issued, before anything changes. */
function check(invoice: InvoiceRecord): void {
  if (invoice.status !== 'draft') {
    throw refuse("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
  }
  const { enabled, status } = invoice.automatic_tax
  // That finalization is refused then is documented, the wording is not.
  if (enabled && status === 'failed') throw refuse('The automatic tax calculation of this invoice failed.')
  if (enabled && status !== 'complete') throw taxLocationInvalid()
  if (invoice.total > maximumOf(invoice.currency)) {
    throw refuse(`Amount must be no more than ${maximumOf(invoice.currency)}`, { code: 'amount_too_large' })
  }
  if (invoice.collection_method === 'send_invoice' && !invoice.customer_email) {
    // The refusal is documented, its wording here is not Stripe's.
    throw refuse(
      'Missing email. In order to create invoices that are sent to the customer, the customer must have a valid email.',
    )
  }
}

/** Issues a draft: open, or at once paid when nothing is to be collected. */
export function finalize(ctx: Context, draft: InvoiceRecord, autoAdvance: boolean): InvoiceRecord {
  if (draft.status !== 'draft') check(draft)
  const customer = ctx.store.get('customers', draft.customer)
  const fresh = withTotals(ctx, {
    ...draft,
    customer_email: customer?.email ?? null,
    customer_address: customer?.address ?? null,
    customer_name: customer?.name ?? null,
    customer_tax_ids: taxIdsOf(ctx, draft.customer).map(({ type, value }) => ({ type, value })),
  })
  check(fresh)
  const at = timeOf(ctx, fresh.test_clock)
  const due = dueOf(fresh)
  const secret = `test_${randomText(40)}`
  const invoice = ctx.store.put('invoices', {
    ...fresh,
    status: 'open',
    number: takeNumber(ctx, fresh),
    auto_advance: autoAdvance,
    amount_due: due.amountDue,
    amount_remaining: due.amountDue,
    ending_balance: due.endingBalance,
    automatically_finalizes_at: null,
    next_payment_attempt: autoAdvance && fresh.collection_method === 'charge_automatically' ? at : null,
    due_date: fresh._daysUntilDue === null ? fresh.due_date : at + fresh._daysUntilDue * DAY,
    effective_at: fresh.effective_at ?? at,
    hosted_invoice_url: `${ctx.origin}/i/${secret}`,
    invoice_pdf: `${ctx.origin}/i/${secret}/pdf`,
    last_finalization_error: null,
    status_transitions: { ...fresh.status_transitions, finalized_at: at },
    _secret: secret,
    _dueAt: null,
  })
  applyBalance(ctx, invoice, due)
  if (due.kind === 'collect') openPayment(ctx, invoice)
  emit(ctx, 'invoice.finalized', ['invoices', invoice])
  if (due.kind !== 'collect') return settle(ctx, invoice, 'nothing_due')
  return ctx.store.put('invoices', { ...invoice, _dueAt: nextInstant(invoice) })
}

/** When time next changes an open invoice: an automatic attempt, or its due date. */
export function nextInstant(invoice: InvoiceRecord): number | null {
  const overdue = invoice._overdueSent ? null : invoice.due_date
  const instants = [invoice.next_payment_attempt, overdue, invoice._settlesAt ?? null].filter(
    (at) => at !== null,
  )
  return invoice.status === 'open' && instants.length > 0 ? Math.min(...instants) : null
}

/** An automatic finalization that failed leaves the draft with its reason [stripe docs: invoice workflow]. */
export function recordFinalizationFailure(
  ctx: Context,
  invoice: InvoiceRecord,
  error: { readonly message: string; readonly code?: string },
): void {
  const failed = {
    ...invoice,
    last_finalization_error: {
      type: 'invalid_request_error',
      ...error,
    } as InvoiceRecord['last_finalization_error'],
    automatically_finalizes_at: null,
    _dueAt: null,
  }
  update(ctx, 'invoice.updated', ['invoices', failed])
  emit(ctx, 'invoice.finalization_failed', ['invoices', failed])
}
