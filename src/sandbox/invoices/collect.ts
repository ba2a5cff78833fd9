import type { Context } from '../context.ts'
import { refuse, StripeRefusal } from '../errors.ts'
import { emit, update } from '../events.ts'
import { strip } from '../present.ts'
import { openDispute } from '../resources/disputes.ts'
import { cardError } from '../resources/payment-methods.ts'
import { followInvoice } from '../subscriptions/change.ts'
import type { Decline, InvoiceRecord, PaymentIntentRecord, PaymentMethodRecord } from '../records.ts'
import { subscriptionOfInvoice } from './drafts.ts'
import { startDebit } from './debits.ts'
import type { Initiator } from './failures.ts'
import { attemptCount, recordFailure } from './failures.ts'
import { nextInstant } from './finalize.ts'
import { intentOf, recordCharge } from './payments.ts'
import { settle } from './settle.ts'

export interface Attempt {
  readonly invoice: InvoiceRecord
  readonly refusal: StripeRefusal | null
}

/** The method that pays: the invoice's, then its subscription's, then the customer's default [stripe docs: payment method priority]. */
export function methodFor(ctx: Context, invoice: InvoiceRecord): PaymentMethodRecord | undefined {
  const customer = ctx.store.get('customers', invoice.customer)
  const fallback = customer?.invoice_settings.default_payment_method as string | null | undefined
  const subscription = subscriptionOfInvoice(invoice)
  const own =
    subscription === null ? null : ctx.store.get('subscriptions', subscription)?.default_payment_method
  const id = invoice.default_payment_method ?? own ?? fallback
  return id === null || id === undefined ? undefined : ctx.store.get('paymentMethods', id)
}

/** One attempt to pay an open or uncollectible invoice. The refusal comes with state changed: the failed attempt stays. */
export function attemptPayment(
  ctx: Context,
  invoice: InvoiceRecord,
  by: Initiator,
  method?: PaymentMethodRecord,
): Attempt {
  const payer = method ?? methodFor(ctx, invoice)
  if (payer === undefined) return withoutMethod(ctx, invoice, by)
  const intent = intentOf(ctx, invoice)
  if (intent === undefined) return { invoice: settle(ctx, invoice, 'nothing_due'), refusal: null }
  if (intent.status === 'processing') return { invoice, refusal: stillProcessing() }
  const { authentication, debit } = payer._behaviour
  if (debit !== undefined)
    return { invoice: startDebit(ctx, invoice, { intent, method: payer, by }), refusal: null }
  // A card that asks at setup only has been set up when it was attached off-session here; a new one on the page was not.
  const isNew = by === 'customer' && payer.customer === null
  if (authentication === 'always' || (authentication === 'setup' && isNew))
    return askForAuthentication(ctx, invoice, [intent, payer])
  return charge(ctx, invoice, { intent, method: payer, by })
}

interface Charging {
  readonly intent: PaymentIntentRecord
  readonly method: PaymentMethodRecord
  readonly by: Initiator
}

/** Charges, once authentication is out of the way. */
export function charge(ctx: Context, invoice: InvoiceRecord, { intent, method, by }: Charging): Attempt {
  const { charge: outcome } = method._behaviour
  const amounted = { ...intent, amount: invoice.amount_remaining }
  if (outcome !== 'accept') return declined(ctx, invoice, { intent: amounted, method, by }, outcome)
  const made = recordCharge(ctx, amounted, [method, null])
  const succeeded: PaymentIntentRecord = {
    ...amounted,
    status: 'succeeded',
    amount_received: amounted.amount,
    latest_charge: made.id,
    payment_method: method.id,
    last_payment_error: null,
    next_action: null,
  }
  update(ctx, 'payment_intent.succeeded', ['paymentIntents', succeeded])
  const attempted = { ...invoice, attempted: true, attempt_count: attemptCount(invoice, by) }
  const invoiced = settle(ctx, attempted, 'payment')
  if (method._behaviour.disputed === true) openDispute(ctx, made)
  return { invoice: invoiced, refusal: null }
}

function declined(
  ctx: Context,
  invoice: InvoiceRecord,
  { intent, method, by }: Charging,
  decline: Decline,
): Attempt {
  const made = recordCharge(ctx, intent, [method, decline])
  const error = cardError(decline, { charge: made.id, payment_method: strip(method) })
  const failed = ctx.store.put('paymentIntents', {
    ...intent,
    status: 'requires_payment_method',
    latest_charge: made.id,
    payment_method: null,
    next_action: null,
    last_payment_error: error.body as unknown as PaymentIntentRecord['last_payment_error'],
  })
  emit(ctx, 'payment_intent.payment_failed', ['paymentIntents', failed])
  const after = recordFailure(ctx, invoice, by, decline)
  return {
    invoice: after,
    refusal: cardError(decline, {
      charge: made.id,
      payment_intent: strip(failed),
      payment_method: strip(method),
    }),
  }
}

/** That a second payment beside one on its way is refused is certain, the wording is not Stripe's. */
function stillProcessing(): StripeRefusal {
  return refuse('This invoice has a payment that is still processing.', {
    code: 'payment_intent_unexpected_state',
  })
}

function withoutMethod(ctx: Context, invoice: InvoiceRecord, by: Initiator): Attempt {
  const after = recordFailure(ctx, invoice, by, null)
  const { body, status } = refuse(
    'There is no `default_payment_method` set on this Customer or Invoice. Please set either a ' +
      '`default_payment_method` on this Customer or Invoice, or provide a `payment_method` to pay it.',
  )
  return { invoice: after, refusal: new StripeRefusal(status, body, true) }
}

/** 3-D Secure off-session: the attempt waits for the customer; attempt_count stays [recorded traffic: stripe_world]. */
function askForAuthentication(
  ctx: Context,
  invoice: InvoiceRecord,
  [intent, method]: readonly [PaymentIntentRecord, PaymentMethodRecord],
): Attempt {
  const waiting = ctx.store.put('paymentIntents', {
    ...intent,
    status: 'requires_action',
    payment_method: method.id,
    next_action: {
      type: 'use_stripe_sdk',
      use_stripe_sdk: { type: 'three_d_secure_redirect' },
    },
  })
  emit(ctx, 'payment_intent.requires_action', ['paymentIntents', waiting])
  const attempted = { ...invoice, attempted: true, next_payment_attempt: null }
  const stored = update(ctx, 'invoice.updated', [
    'invoices',
    { ...attempted, _dueAt: nextInstant(attempted) },
  ])
  emit(ctx, 'invoice.payment_action_required', ['invoices', stored])
  followInvoice(ctx, stored)
  const body = {
    type: 'card_error' as const,
    code: 'invoice_payment_intent_requires_action',
    message:
      'This payment requires additional user action before it can be completed successfully. ' +
      'Payment can be completed using the PaymentIntent associated with the invoice.',
    payment_intent: strip(waiting),
  }
  return { invoice: stored, refusal: new StripeRefusal(402, body, true) }
}

/** The customer finished 3-D Secure, or failed it. */
export function completeAuthentication(
  ctx: Context,
  intent: PaymentIntentRecord,
  succeeds: boolean,
): Attempt | null {
  const invoice = intent._invoice === null ? undefined : ctx.store.get('invoices', intent._invoice)
  const method =
    intent.payment_method === null ? undefined : ctx.store.get('paymentMethods', intent.payment_method)
  if (invoice === undefined || method === undefined || intent.status !== 'requires_action') return null
  if (succeeds) return charge(ctx, invoice, { intent, method, by: 'customer' })
  const decline = {
    code: 'payment_intent_authentication_failure',
    declineCode: 'authentication_required',
    message:
      'The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new PaymentMethod to attempt to fulfill this PaymentIntent again.',
  }
  return declined(ctx, invoice, { intent, method, by: 'customer' }, decline)
}
