import type { Context } from './context.ts'
import { timeOf } from './context.ts'
import { StripeRefusal } from './errors.ts'
import { emit, update } from './events.ts'
import { attemptPayment } from './invoices/collect.ts'
import { finishDebit } from './invoices/debits.ts'
import { finalize, nextInstant, recordFinalizationFailure } from './invoices/finalize.ts'
import { intentOf } from './invoices/payments.ts'
import { setDelinquent } from './invoices/settle.ts'
import { followInvoice } from './subscriptions/change.ts'
import type { InvoiceRecord } from './records.ts'

const HOUR = 3600

/** Whether `invoice.created` is still being delivered, or was refused by every try so far. */
export function createdDelivery(ctx: Context, invoice: InvoiceRecord): 'done' | 'untried' | 'failing' {
  const ids = ctx.store.by('deliveries', 'pendingObject', `${invoice.id}|invoice.created`)
  if (ids.length === 0) return 'done'
  return ids.some((delivery) => delivery.attempts === 0 && !delivery.held) ? 'untried' : 'failing'
}

/**
 * Automatic finalization waits for a successful `invoice.created` for up to 72 hours, then goes on without it
 * [stripe docs: invoice workflow, webhooks].
 */
function finalizeAutomatically(ctx: Context, invoice: InvoiceRecord): void {
  const now = timeOf(ctx, invoice.test_clock)
  const scheduled = invoice.automatically_finalizes_at ?? now
  const deadline = scheduled + 72 * HOUR
  if (createdDelivery(ctx, invoice) !== 'done' && now < deadline) {
    ctx.store.put('invoices', { ...invoice, _dueAt: Math.min(deadline, now + HOUR) })
    return
  }
  try {
    const issued = finalize(ctx, invoice, true)
    if (issued.collection_method === 'send_invoice' && issued.status === 'open')
      emit(ctx, 'invoice.sent', ['invoices', issued])
  } catch (error) {
    if (!(error instanceof StripeRefusal)) throw error
    const { message, code } = error.body
    recordFinalizationFailure(ctx, invoice, { message, ...(code === undefined ? {} : { code }) })
  }
}

function becomeOverdue(ctx: Context, invoice: InvoiceRecord): void {
  const overdue = { ...invoice, _overdueSent: true }
  const stored = ctx.store.put('invoices', { ...overdue, _dueAt: nextInstant(overdue) })
  emit(ctx, 'invoice.overdue', ['invoices', stored])
  setDelinquent(ctx, stored, true)
  followInvoice(ctx, stored)
}

function bankAnswers(ctx: Context, invoice: InvoiceRecord): void {
  const intent = intentOf(ctx, invoice)
  if (intent === undefined || finishDebit(ctx, intent) === null)
    ctx.store.put('invoices', { ...invoice, _settlesAt: null })
}

/** Does what time has brought about for one invoice. */
export function invoiceDue(ctx: Context, invoice: InvoiceRecord): void {
  const now = timeOf(ctx, invoice.test_clock)
  if (invoice.status === 'draft') finalizeAutomatically(ctx, invoice)
  else if (typeof invoice._settlesAt === 'number' && invoice._settlesAt <= now) bankAnswers(ctx, invoice)
  else if (invoice.next_payment_attempt !== null && invoice.next_payment_attempt <= now)
    attemptPayment(ctx, invoice, 'automatic')
  else if (invoice.due_date !== null && invoice.due_date <= now && !invoice._overdueSent)
    becomeOverdue(ctx, invoice)
  const after = ctx.store.get('invoices', invoice.id)
  // Whatever was done must move the instant, or time would stand still.
  if (
    after !== undefined &&
    after._dueAt !== null &&
    after._dueAt <= now &&
    after._dueAt === invoice._dueAt &&
    after.status === invoice.status
  ) {
    update(ctx, 'invoice.updated', ['invoices', { ...after, _dueAt: null }])
  }
}
