import type { TestBank } from '../banks.ts'
import type { Context } from '../context.ts'
import { timeOf } from '../context.ts'
import { newId, randomText } from '../ids.ts'
import type { PaymentMethodRecord } from '../records.ts'

function detailsOf({ type, last4, country }: TestBank): object {
  const fingerprint = randomText(16)
  if (type === 'sepa_debit') {
    const generated_from = { charge: null, setup_attempt: null }
    return { bank_code: '37040044', branch_code: '', country, fingerprint, generated_from, last4 }
  }
  return {
    account_holder_type: 'individual',
    account_type: 'checking',
    bank_name: 'STRIPE TEST BANK',
    financial_connections_account: null,
    fingerprint,
    last4,
    networks: { preferred: 'ach', supported: ['ach'] },
    routing_number: '110000000',
    status_details: {},
  }
}

/** Keeps a payment method made from a test account; it counts as verified. */
export function createFromBank(ctx: Context, bank: TestBank): PaymentMethodRecord {
  const address = { city: null, country: null, line1: null, line2: null, postal_code: null, state: null }
  return ctx.store.put('paymentMethods', {
    id: newId('pm'),
    object: 'payment_method',
    allow_redisplay: 'unspecified',
    billing_details: { address, email: null, name: null, phone: null, tax_id: null },
    created: timeOf(ctx, null),
    customer: null,
    customer_account: null,
    livemode: false,
    metadata: {},
    type: bank.type,
    [bank.type]: detailsOf(bank),
    _behaviour: bank.behaviour,
    _number: bank.last4,
  })
}
