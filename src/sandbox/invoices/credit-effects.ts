import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { refuse } from '../errors.ts'
import { update } from '../events.ts'
import { refundCharge } from '../resources/refunds.ts'
import type { CreditNoteRecord, InvoiceRecord } from '../records.ts'
import { changeBalance, targetOf } from './balance.ts'
import type { NoteInput } from './credit.ts'
import { defaultPayment, intentOf } from './payments.ts'
import { settle } from './settle.ts'

function requireInvoice(ctx: Context, note: CreditNoteRecord): InvoiceRecord {
  const invoice = ctx.store.get('invoices', note.invoice)
  if (invoice === undefined) throw new Error(`no invoice ${note.invoice}`)
  return invoice
}

/** What an open invoice still asks for changes by `delta`, and so does its payment. */
function changeDue(ctx: Context, invoice: InvoiceRecord, delta: number): InvoiceRecord {
  const changed = update(ctx, 'invoice.updated', [
    'invoices',
    {
      ...invoice,
      amount_due: invoice.amount_due + delta,
      amount_remaining: invoice.amount_remaining + delta,
      pre_payment_credit_notes_amount: invoice.pre_payment_credit_notes_amount - delta,
    },
  ])
  const payment = defaultPayment(ctx, changed)
  const intent = intentOf(ctx, changed)
  if (payment !== undefined)
    ctx.store.put('invoicePayments', { ...payment, amount_requested: changed.amount_due })
  if (intent !== undefined) ctx.store.put('paymentIntents', { ...intent, amount: changed.amount_due })
  return changed
}

/** Refunds and credits of a note on a paid invoice. */
function payBack(
  ctx: Context,
  invoice: InvoiceRecord,
  [note, input]: readonly [CreditNoteRecord, NoteInput],
): CreditNoteRecord {
  const { refund_amount: refund = 0, credit_amount: credit = 0 } = input
  let paid = note
  if (refund > 0) {
    const charge = intentOf(ctx, invoice)?.latest_charge
    const found = typeof charge === 'string' ? ctx.store.get('charges', charge) : undefined
    if (found === undefined) throw refuse('This invoice has no charge to refund.', { param: 'refund_amount' })
    const made = refundCharge(ctx, found, { amount: refund })
    paid = {
      ...paid,
      refunds: [{ amount_refunded: refund, payment_record_refund: null, refund: made.id, type: 'refund' }],
    }
  }
  if (credit > 0) {
    const transaction = changeBalance(ctx, targetOf(invoice), {
      amount: -credit,
      type: 'credit_note',
      creditNote: note.id,
    })
    paid = { ...paid, customer_balance_transaction: transaction.id }
  }
  const credited = invoice.post_payment_credit_notes_amount + note.amount
  update(ctx, 'invoice.updated', ['invoices', { ...invoice, post_payment_credit_notes_amount: credited }])
  return paid
}

/** Issues the note: an open invoice owes less (nothing left: it is paid), a paid one pays back. */
export function applyNote(ctx: Context, note: CreditNoteRecord, input: NoteInput): CreditNoteRecord {
  const invoice = requireInvoice(ctx, note)
  if (invoice.status === 'paid') return ctx.store.put('creditNotes', payBack(ctx, invoice, [note, input]))
  ctx.store.put('creditNotes', note)
  const changed = changeDue(ctx, invoice, -note.amount)
  if (changed.amount_remaining <= 0) settle(ctx, changed, 'nothing_due')
  return note
}

/** Only a note on an invoice that is still open can be voided [stripe docs: credit notes]. */
export function voidNote(ctx: Context, note: CreditNoteRecord): CreditNoteRecord {
  const invoice = requireInvoice(ctx, note)
  if (invoice.status !== 'open') throw refuse('You can only void a credit note on an open invoice.')
  changeDue(ctx, invoice, note.amount)
  return ctx.store.put('creditNotes', { ...note, status: 'void', voided_at: timeOf(ctx, invoice.test_clock) })
}
