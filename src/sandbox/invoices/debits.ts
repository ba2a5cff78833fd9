import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { emit, update } from '../events.ts'
import { newId } from '../ids.ts'
import { strip } from '../present.ts'
import { openDispute } from '../resources/disputes.ts'
import { cardError } from '../resources/payment-methods.ts'
import { followInvoice } from '../subscriptions/change.ts'
import type { Decline, InvoiceRecord, PaymentIntentRecord, PaymentMethodRecord } from '../records.ts'
import type { Initiator } from './failures.ts'
import { attemptCount, recordFailure } from './failures.ts'
import { nextInstant } from './finalize.ts'
import { recordCharge } from './payments.ts'
import { settle } from './settle.ts'

/** Business days until a bank has answered, counted as days here [stripe docs: ACH direct debit]. */
const SETTLES_AFTER_DAYS = 4
const DAY = 86_400

/** What a bank says when nothing else is told. */
const returned: Decline = {
  code: 'insufficient_funds',
  declineCode: 'insufficient_funds',
  message: 'The customer’s account has insufficient funds to cover this payment.',
}

interface Debit {
  readonly intent: PaymentIntentRecord
  readonly method: PaymentMethodRecord
  readonly by: Initiator
}

/** A debit is on its way: the payment is `processing`, the invoice stays open until the bank answers. */
export function startDebit(
  ctx: Context,
  invoice: InvoiceRecord,
  { intent, method, by }: Debit,
): InvoiceRecord {
  const amounted = { ...intent, amount: invoice.amount_remaining, payment_method_types: [method.type] }
  const made = recordCharge(ctx, amounted, [method, null], 'pending')
  const processing: PaymentIntentRecord = {
    ...amounted,
    status: 'processing',
    latest_charge: made.id,
    payment_method: method.id,
    last_payment_error: null,
    next_action: null,
  }
  update(ctx, 'payment_intent.processing', ['paymentIntents', processing])
  const settles = method._behaviour.debit === 'settles'
  const attempted: InvoiceRecord = {
    ...invoice,
    attempted: true,
    attempt_count: attemptCount(invoice, by),
    next_payment_attempt: null,
    _settlesAt: settles ? timeOf(ctx, invoice.test_clock) + SETTLES_AFTER_DAYS * DAY : null,
  }
  const timed = { ...attempted, _dueAt: nextInstant(attempted) }
  const stored = update(ctx, 'invoice.updated', ['invoices', timed])
  followInvoice(ctx, stored)
  return stored
}

function succeed(ctx: Context, invoice: InvoiceRecord, intent: PaymentIntentRecord): InvoiceRecord {
  const pending = ctx.store.get('charges', intent.latest_charge ?? '')
  const charge =
    pending &&
    ctx.store.put('charges', {
      ...pending,
      status: 'succeeded',
      paid: true,
      balance_transaction: newId('txn'),
    })
  if (charge) emit(ctx, 'charge.succeeded', ['charges', charge])
  const succeeded = { ...intent, status: 'succeeded', amount_received: intent.amount } as const
  update(ctx, 'payment_intent.succeeded', ['paymentIntents', succeeded])
  const paid = settle(ctx, { ...invoice, _settlesAt: null }, 'payment')
  const disputed = ctx.store.get('paymentMethods', intent.payment_method ?? '')?._behaviour.disputed
  if (charge && disputed === true) openDispute(ctx, charge)
  return paid
}

function fail(
  ctx: Context,
  invoice: InvoiceRecord,
  [intent, decline]: readonly [PaymentIntentRecord, Decline],
): InvoiceRecord {
  const pending = ctx.store.get('charges', intent.latest_charge ?? '')
  const method = ctx.store.get('paymentMethods', intent.payment_method ?? '')
  const { code, message } = decline
  if (pending) {
    const outcome = { status: 'failed', paid: false, captured: false, amount_captured: 0 } as const
    const charge = { ...pending, ...outcome, failure_code: code, failure_message: message }
    emit(ctx, 'charge.failed', ['charges', ctx.store.put('charges', charge)])
  }
  const error = cardError(decline, method ? { payment_method: strip(method) } : {})
  const failed = ctx.store.put('paymentIntents', {
    ...intent,
    status: 'requires_payment_method',
    payment_method: null,
    last_payment_error: error.body as unknown as PaymentIntentRecord['last_payment_error'],
  })
  emit(ctx, 'payment_intent.payment_failed', ['paymentIntents', failed])
  return recordFailure(ctx, { ...invoice, _settlesAt: null }, 'api', decline)
}

/** The bank has answered, as its test account does or as told; null: nothing was on its way. */
export function finishDebit(
  ctx: Context,
  intent: PaymentIntentRecord,
  told?: 'succeeded' | 'failed',
): InvoiceRecord | null {
  const invoice = intent._invoice === null ? undefined : ctx.store.get('invoices', intent._invoice)
  if (invoice === undefined || intent.status !== 'processing') return null
  const own = ctx.store.get('paymentMethods', intent.payment_method ?? '')?._behaviour.charge ?? 'accept'
  const fails = told === undefined ? own !== 'accept' : told === 'failed'
  const decline = own === 'accept' ? returned : own
  return fails ? fail(ctx, invoice, [intent, decline]) : succeed(ctx, invoice, intent)
}
