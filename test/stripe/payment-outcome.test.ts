import type { Stripe } from 'stripe'
import { expect, test } from 'vitest'
import { outcomeOf, paymentOf, refused } from '../../src/stripe/payment-outcome.ts'
import type { ClassifiedFailure } from '../../src/stripe/types.ts'

const declined = (declineCode: string): ClassifiedFailure => ({
  kind: 'outcome',
  code: 'card_declined',
  declineCode,
  message: 'Your card was declined.',
  afterSend: false,
})

test.each([
  'lost_card',
  'stolen_card',
  'pickup_card',
  'revocation_of_authorization',
  'revocation_of_all_authorizations',
  'highest_risk_level',
  'transaction_not_allowed',
])('rule 32: a decline with %s is hard', (code) => {
  expect(outcomeOf(declined(code), 'ch_1')).toMatchObject({ kind: 'failed', hard: true, declineCode: code })
})

test('rule 32: an incorrect number is hard, and comes as the code', () => {
  const refusal = { paymentId: 'ch_1', code: 'incorrect_number', declineCode: null, message: null }
  expect(refused(refusal)).toMatchObject({ kind: 'failed', hard: true })
})

test.each([
  'generic_decline',
  'insufficient_funds',
  'do_not_honor',
  'try_again_later',
  'card_velocity_exceeded',
])('rule 32: a decline with %s may be tried again', (code) => {
  expect(outcomeOf(declined(code), 'ch_1')).toMatchObject({ kind: 'failed', hard: false, paymentId: 'ch_1' })
})

test('rule 32: authentication waits for the customer and burns no retries', () => {
  expect(outcomeOf(declined('authentication_required'), 'ch_1')).toMatchObject({
    kind: 'requires_action',
    hard: true,
  })
  const refused400: ClassifiedFailure = {
    kind: 'final',
    code: 'invoice_payment_intent_requires_action',
    message: 'The invoice payment requires additional action.',
    afterSend: false,
  }
  expect(outcomeOf(refused400, 'pi_1')).toMatchObject({
    kind: 'requires_action',
    hard: true,
    paymentId: 'pi_1',
  })
})

test.each([
  'There is no `default_payment_method` set on this Customer or Invoice. Please provide a payment method.',
  'Cannot charge a customer that has no active card',
  'This customer has no attached payment source or default payment method.',
])('a customer without a payment method is an outcome: %s', (message) => {
  const failure: ClassifiedFailure = { kind: 'final', code: 'invalid_request', message, afterSend: false }
  expect(outcomeOf(failure, null)).toMatchObject({
    kind: 'failed',
    code: 'payment_method_missing',
    hard: true,
  })
})

test('a refusal of the call itself is no outcome', () => {
  const failure: ClassifiedFailure = {
    kind: 'final',
    code: 'parameter_unknown',
    message: 'Received unknown parameter: colour.',
    afterSend: false,
  }
  expect(outcomeOf(failure, null)).toBeNull()
})

interface PaymentSketch {
  readonly status?: string
  readonly created?: number
  readonly payment: object
}
const withPayments = (...payments: readonly PaymentSketch[]) =>
  paymentOf({
    payments: { data: payments.map((each) => ({ status: 'open', created: 1, ...each })) },
  } as unknown as Stripe.Invoice)
const intent = (status: string, more: object = {}): PaymentSketch => ({
  payment: {
    type: 'payment_intent',
    payment_intent: { id: 'pi_1', status, latest_charge: 'ch_1', last_payment_error: null, ...more },
  },
})

test('rule 32: a payment that is processing is neither paid nor failed', () => {
  expect(withPayments(intent('processing'))).toMatchObject({
    kind: 'processing',
    hard: false,
    paymentId: 'ch_1',
  })
})

test('3-D Secure after a decline is counted as a payment of its own', () => {
  expect(withPayments(intent('requires_action'))).toMatchObject({
    kind: 'requires_action',
    paymentId: 'pi_1',
  })
})

test('a payment that was refused keeps its reason and its charge', () => {
  const error = { code: 'card_declined', decline_code: 'stolen_card', charge: 'ch_2', message: 'No.' }
  expect(withPayments(intent('requires_payment_method', { last_payment_error: error }))).toEqual({
    kind: 'failed',
    paymentId: 'ch_2',
    code: 'card_declined',
    declineCode: 'stolen_card',
    hard: true,
    message: 'No.',
  })
})

test('without an attempt there is no payment', () => {
  expect(paymentOf({} as Stripe.Invoice)).toMatchObject({ kind: 'none', paymentId: null })
  expect(withPayments()).toMatchObject({ kind: 'none', paymentId: null })
  expect(withPayments(intent('requires_payment_method', { latest_charge: null }))).toMatchObject({
    kind: 'none',
  })
  expect(withPayments(intent('canceled'))).toMatchObject({ kind: 'none' })
})

test('the payment that paid counts before a later one that did not', () => {
  const paid = { ...intent('succeeded'), status: 'paid', created: 1 }
  const later = { ...intent('requires_payment_method', { id: 'pi_2' }), created: 2 }
  expect(withPayments(later, paid)).toMatchObject({ kind: 'succeeded', paymentId: 'ch_1' })
})

test('money that came another way is a payment too', () => {
  const record = { status: 'paid', payment: { type: 'payment_record', payment_record: 'prec_1' } }
  expect(withPayments(record)).toMatchObject({ kind: 'succeeded', paymentId: 'prec_1' })
})
