import type { Stripe } from 'stripe'
import { idOf } from './events.ts'
import type { PaymentOutcome } from './invoice-types.ts'
import type { ClassifiedFailure } from './types.ts'

/**
 * Refusals that a further try of the same payment method cannot mend (Stripe does not retry them either): ask for
 * another one, or for the customer.
 */
const hardCodes: ReadonlySet<string> = new Set([
  'incorrect_number',
  'lost_card',
  'stolen_card',
  'pickup_card',
  'revocation_of_authorization',
  'revocation_of_all_authorizations',
  'authentication_required',
  'highest_risk_level',
  'transaction_not_allowed',
  'payment_method_missing',
])

/** The customer must act in person (3-D Secure). */
const actionCodes: ReadonlySet<string> = new Set([
  'authentication_required',
  'invoice_payment_intent_requires_action',
  'payment_intent_action_required',
])

const noPayment: PaymentOutcome = {
  kind: 'none',
  paymentId: null,
  code: null,
  declineCode: null,
  hard: false,
  message: null,
}

interface Refusal {
  readonly paymentId: string | null
  readonly code: string | null
  readonly declineCode: string | null
  readonly message: string | null
}

/** A refusal as an outcome: hard, soft, or waiting for the customer. */
export function refused({ paymentId, code, declineCode, message }: Refusal): PaymentOutcome {
  const codes = [code ?? '', declineCode ?? '']
  const action = codes.some((each) => actionCodes.has(each))
  const hard = action || codes.some((each) => hardCodes.has(each))
  return { kind: action ? 'requires_action' : 'failed', paymentId, code, declineCode, hard, message }
}

/**
 * What a failed `pay` says, or null when it is no outcome but a failure of the call. Stripe has no code for a customer
 * without a payment method, only a message; its other refusals for 3-D Secure are 400s too.
 */
export function outcomeOf(failure: ClassifiedFailure, paymentId: string | null): PaymentOutcome | null {
  const { message } = failure
  if (isPaymentMethodMissing(failure)) {
    return refused({ paymentId: null, code: 'payment_method_missing', declineCode: null, message })
  }
  if (failure.kind !== 'outcome' && !actionCodes.has(failure.code)) return null
  return refused({ paymentId, code: failure.code, declineCode: failure.declineCode ?? null, message })
}

function isPaymentMethodMissing({ kind, code, param, message }: ClassifiedFailure): boolean {
  if (kind !== 'final' && kind !== 'outcome') return false
  return (
    // One that was detached or deleted since it was named here.
    (kind === 'final' && param === 'payment_method') ||
    code === 'payment_method_missing' ||
    code === 'invoice_no_payment_method' ||
    /no `?default_payment_method`? set|no (attached|default|active) (payment (method|source)|card|source)/i.test(
      message,
    )
  )
}

/** The latest payment of an invoice, as far as its payments are expanded. */
export function paymentOf(invoice: Stripe.Invoice): PaymentOutcome {
  if (invoice.payments === undefined) return invoice.attempted ? { ...noPayment, kind: 'unknown' } : noPayment
  const payment = latest(invoice.payments.data)
  if (payment === undefined) return noPayment
  const intent = payment.payment.payment_intent
  if (typeof intent === 'object') return intentOutcome(intent)
  const paymentId = idOf(payment.payment.charge) ?? idOf(payment.payment.payment_record) ?? intent ?? null
  if (payment.status === 'paid') return { ...noPayment, kind: 'succeeded', paymentId }
  // An intent that was not expanded may be anything, once it was tried.
  const isUnread = typeof intent === 'string' && payment.status === 'open' && invoice.attempted
  return { ...noPayment, kind: isUnread ? 'unknown' : 'none', paymentId }
}

/** One that paid counts before a later one that did not. */
function latest(payments: readonly Stripe.InvoicePayment[]): Stripe.InvoicePayment | undefined {
  const rank = (payment: Stripe.InvoicePayment): number => ({ paid: 2, open: 1 })[payment.status] ?? 0
  return payments.toSorted((a, b) => rank(b) - rank(a) || b.created - a.created)[0]
}

function intentOutcome(intent: Stripe.PaymentIntent): PaymentOutcome {
  const paymentId = idOf(intent.latest_charge) ?? intent.id
  switch (intent.status) {
    case 'succeeded':
      return { ...noPayment, kind: 'succeeded', paymentId }
    case 'processing':
      return { ...noPayment, kind: 'processing', paymentId }
    case 'requires_action':
    case 'requires_confirmation':
      return {
        // The latest charge, if any, is of an earlier attempt: this one waits without.
        ...refused({
          paymentId: intent.id,
          code: 'authentication_required',
          declineCode: null,
          message: null,
        }),
        message: intent.last_payment_error?.message ?? 'The customer has to confirm the payment.',
      }
    default:
      return intentRefusal(intent, paymentId)
  }
}

function intentRefusal(intent: Stripe.PaymentIntent, paymentId: string): PaymentOutcome {
  const error = intent.last_payment_error
  if (error === null || intent.status === 'canceled') return { ...noPayment, paymentId }
  return refused({
    paymentId: error.charge ?? paymentId,
    code: error.code ?? null,
    declineCode: error.decline_code ?? null,
    message: error.message ?? null,
  })
}
