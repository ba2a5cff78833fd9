import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { refuse } from '../errors.ts'
import { emit, update } from '../events.ts'
import { followInvoice } from '../subscriptions/change.ts'
import type { InvoiceRecord } from '../records.ts'
import { changeBalance, targetOf } from './balance.ts'
import { cancelPayments, defaultPayment, intentOf } from './payments.ts'

/** How an invoice came to be paid. */
export type PaidBy = 'payment' | 'nothing_due' | 'out_of_band'

/**
 * Marks an invoice paid: `invoice.paid`, and `invoice.payment_succeeded` unless it was paid outside of Stripe
 * [stripe docs: invoice workflow].
 */
export function settle(ctx: Context, invoice: InvoiceRecord, by: PaidBy): InvoiceRecord {
  const at = timeOf(ctx, invoice.test_clock)
  const paid: InvoiceRecord = {
    ...invoice,
    status: 'paid',
    amount_paid: invoice.amount_due,
    amount_remaining: 0,
    ...(by === 'out_of_band' ? { amount_paid_off_stripe: invoice.amount_remaining } : {}),
    attempted: true,
    auto_advance: false,
    next_payment_attempt: null,
    status_transitions: { ...invoice.status_transitions, paid_at: at },
    _dueAt: null,
  }
  update(ctx, 'invoice.updated', ['invoices', paid])
  if (by === 'out_of_band') cancelPayments(ctx, paid)
  else payInvoicePayment(ctx, paid, at)
  emit(ctx, 'invoice.paid', ['invoices', paid])
  if (by !== 'out_of_band') emit(ctx, 'invoice.payment_succeeded', ['invoices', paid])
  setDelinquent(ctx, paid, false)
  followInvoice(ctx, paid)
  return paid
}

function payInvoicePayment(ctx: Context, invoice: InvoiceRecord, at: number): void {
  const payment = defaultPayment(ctx, invoice)
  if (payment === undefined || payment.status !== 'open') return
  const paid = ctx.store.put('invoicePayments', {
    ...payment,
    amount_paid: payment.amount_requested,
    status: 'paid',
    status_transitions: { canceled_at: null, paid_at: at },
  })
  emit(ctx, 'invoice_payment.paid', ['invoicePayments', paid])
}

/** `delinquent` follows the latest charged or overdue invoice (guessed: Stripe looks at the latest one only). */
export function setDelinquent(ctx: Context, invoice: InvoiceRecord, delinquent: boolean): void {
  const customer = ctx.store.get('customers', invoice.customer)
  if (customer === undefined || customer._deleted || customer.delinquent === delinquent) return
  update(ctx, 'customer.updated', ['customers', { ...customer, delinquent }])
}

/** Voids an open or uncollectible invoice; balance that it consumed returns to the customer. */
export function voidInvoice(ctx: Context, invoice: InvoiceRecord): InvoiceRecord {
  if (invoice.status === 'paid') throw refuse('Invoices with `paid` payments cannot be voided.')
  if (invoice.status !== 'open' && invoice.status !== 'uncollectible') throw notOpen()
  if (intentOf(ctx, invoice)?.status === 'processing')
    throw refuse('You cannot void an invoice while its payment is processing.')
  const voided = close(ctx, invoice, 'void')
  const applied = (voided.ending_balance ?? 0) - voided.starting_balance
  if (applied !== 0)
    changeBalance(ctx, targetOf(voided), { amount: -applied, type: 'unapplied_from_invoice' })
  cancelPayments(ctx, voided)
  emit(ctx, 'invoice.voided', ['invoices', voided])
  followInvoice(ctx, voided)
  return voided
}

/** Marks an open invoice uncollectible; it can still be paid or voided. */
export function markUncollectible(ctx: Context, invoice: InvoiceRecord): InvoiceRecord {
  if (invoice.status !== 'open') throw notOpen()
  const marked = close(
    ctx,
    { ...invoice, status_details: { uncollectible: { reason: 'user_forgiven' } } },
    'uncollectible',
  )
  emit(ctx, 'invoice.marked_uncollectible', ['invoices', marked])
  followInvoice(ctx, marked)
  return marked
}

function close(ctx: Context, invoice: InvoiceRecord, status: 'void' | 'uncollectible'): InvoiceRecord {
  const at = timeOf(ctx, invoice.test_clock)
  const stamp = status === 'void' ? { voided_at: at } : { marked_uncollectible_at: at }
  return ctx.store.put('invoices', {
    ...invoice,
    status,
    auto_advance: false,
    next_payment_attempt: null,
    status_transitions: { ...invoice.status_transitions, ...stamp },
    _dueAt: null,
  })
}

/** The refusal of an action that only an open invoice takes. */
export function notOpen(): Error {
  return refuse("You can only pass in open invoices. This invoice isn't open.")
}
