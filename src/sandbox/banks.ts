import type { CardBehaviour, Decline } from './records.ts'

/** A bank account of Stripe's test data, by its token. */
export interface TestBank {
  readonly type: 'us_bank_account' | 'sepa_debit'
  readonly last4: string
  readonly country: string
  readonly behaviour: CardBehaviour
}

const failing = (code: string, message: string): Decline => ({ code, declineCode: code, message })
const good: CardBehaviour = { attach: 'accept', charge: 'accept', authentication: 'none', debit: 'settles' }
const insufficientFunds = failing(
  'insufficient_funds',
  'The customer’s account has insufficient funds to cover this payment.',
)

const us = (last4: string, behaviour: Partial<CardBehaviour> = {}): TestBank => ({
  type: 'us_bank_account',
  last4,
  country: 'US',
  behaviour: { ...good, ...behaviour },
})

/** [stripe docs: ACH direct debit, test account numbers]; the texts of the failures are ours. */
const usAccounts: Readonly<Record<string, TestBank>> = {
  success: us('6789'),
  accountClosed: us('1113', {
    charge: failing('account_closed', 'The customer’s bank account has been closed.'),
  }),
  noAccount: us('1116', {
    charge: failing('no_account', 'The customer’s bank account could not be located.'),
  }),
  insufficientFunds: us('2227', { charge: insufficientFunds }),
  debitNotAuthorized: us('3335', {
    charge: failing(
      'debit_not_authorized',
      'The customer has notified their bank that this debit is unauthorized.',
    ),
  }),
  processing: us('0009', { debit: 'never' }),
  dispute: us('5559', { disputed: true }),
}

/** `pm_success_de`, for any country [stripe docs: SEPA debit, test account numbers]. */
const sepaScenarios: Readonly<Record<string, readonly [last4: string, behaviour: Partial<CardBehaviour>]>> = {
  success: ['3000', {}],
  successDelayed: ['3003', {}],
  failed: [
    '3001',
    { charge: failing('generic_could_not_process', 'The bank could not process this payment.') },
  ],
  failedDelayed: [
    '3004',
    { charge: failing('generic_could_not_process', 'The bank could not process this payment.') },
  ],
  disputed: ['3002', { disputed: true }],
  insufficientFunds: ['3006', { charge: insufficientFunds }],
}

/** The test account of a token such as `pm_usBankAccount_success` or `pm_success_de`. */
export function bankByToken(token: string): TestBank | undefined {
  const [, name] = /^pm_usBankAccount_(\w+)$/.exec(token) ?? []
  if (name !== undefined) return usAccounts[name]
  const [, scenario = '', country = ''] = /^pm_([a-zA-Z]+)_([a-z]{2})$/.exec(token) ?? []
  const found = sepaScenarios[scenario]
  if (found === undefined) return undefined
  const [last4, behaviour] = found
  return { type: 'sepa_debit', last4, country: country.toUpperCase(), behaviour: { ...good, ...behaviour } }
}
