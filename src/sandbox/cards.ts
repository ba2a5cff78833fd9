import type { CardBehaviour, Decline } from './records.ts'

/** A test card: its number, `pm_card_…` token and behaviour. */
export interface TestCard {
  readonly number: string
  readonly token: string
  readonly brand: string
  readonly behaviour: CardBehaviour
}

const declined = (declineCode: string, message = 'Your card was declined.'): Decline => ({
  code: 'card_declined',
  declineCode,
  message,
})
const failure = (code: string, message: string): Decline => ({ code, declineCode: code, message })

const insufficientFunds = declined('insufficient_funds', 'Your card has insufficient funds.')
const good: CardBehaviour = { attach: 'accept', charge: 'accept', authentication: 'none' }

const card = (
  last: string,
  token: string,
  behaviour: Partial<CardBehaviour> = {},
  brand = 'visa',
): TestCard => ({
  number: last,
  token: `pm_card_${token}`,
  brand,
  behaviour: { ...good, ...behaviour },
})
/** Such a card is refused as soon as it is attached [recorded traffic: stripe_world]. */
const refused = (number: string, token: string, decline: Decline): TestCard =>
  card(number, token, { attach: decline, charge: decline })

/** [stripe docs: testing] */
export const testCards: readonly TestCard[] = [
  card('4242424242424242', 'visa'),
  card('4000056655665556', 'visa_debit'),
  card('5555555555554444', 'mastercard', {}, 'mastercard'),
  card('378282246310005', 'amex', {}, 'amex'),
  refused('4000000000000002', 'visa_chargeDeclined', declined('generic_decline')),
  refused('4000000000009995', 'visa_chargeDeclinedInsufficientFunds', insufficientFunds),
  refused('4000000000009987', 'visa_chargeDeclinedLostCard', declined('lost_card')),
  refused('4000000000009979', 'visa_chargeDeclinedStolenCard', declined('stolen_card')),
  refused('4000000000000069', 'chargeDeclinedExpiredCard', failure('expired_card', 'Your card has expired.')),
  refused(
    '4000000000000127',
    'chargeDeclinedIncorrectCvc',
    failure('incorrect_cvc', "Your card's security code is incorrect."),
  ),
  refused(
    '4000000000000119',
    'chargeDeclinedProcessingError',
    failure('processing_error', 'An error occurred while processing your card. Try again in a little bit.'),
  ),
  refused('4000000000006975', 'visa_chargeDeclinedVelocityLimitExceeded', declined('card_velocity_exceeded')),
  card('4000000000000341', 'chargeCustomerFail', { charge: declined('generic_decline') }),
  card('4000000000000259', 'createDispute', { disputed: true }),
  card('4000002500003155', 'authenticationRequiredOnSetup', { authentication: 'setup' }),
  card('4000002760003184', 'authenticationRequired', { authentication: 'always' }),
  card('4000003800000446', 'authenticationRequiredSetupForOffSession'),
  card('4000008260003178', 'authenticationRequiredChargeDeclinedInsufficientFunds', {
    authentication: 'always',
    charge: insufficientFunds,
  }),
  card('4000000000003220', 'threeDSecure2Required', { authentication: 'always' }),
  card('4000008400001629', 'threeDSecureRequiredChargeDeclined', {
    authentication: 'always',
    charge: declined('generic_decline'),
  }),
]

/** Other spellings of a token. */
const aliases: Readonly<Record<string, string>> = {
  pm_card_chargeDeclined: 'pm_card_visa_chargeDeclined',
  pm_card_chargeDeclinedInsufficientFunds: 'pm_card_visa_chargeDeclinedInsufficientFunds',
  pm_card_visa_chargeDeclinedExpiredCard: 'pm_card_chargeDeclinedExpiredCard',
  pm_card_visa_chargeDeclinedIncorrectCvc: 'pm_card_chargeDeclinedIncorrectCvc',
  pm_card_visa_chargeDeclinedProcessingError: 'pm_card_chargeDeclinedProcessingError',
  pm_card_threeDSecureRequired: 'pm_card_threeDSecure2Required',
}

/** The test card of a token such as `pm_card_visa`. */
export function cardByToken(token: string): TestCard | undefined {
  const name = aliases[token] ?? token
  return testCards.find((known) => known.token === name)
}

/** The test card of a number; spaces are ignored. */
export function cardByNumber(number: string): TestCard | undefined {
  const digits = number.replaceAll(/\D/g, '')
  return testCards.find((known) => known.number === digits)
}

/** Declines after which Stripe itself does not try again [stripe docs: smart retries]. */
export const hardDeclineCodes: ReadonlySet<string> = new Set([
  'incorrect_number',
  'lost_card',
  'stolen_card',
  'pickup_card',
  'revocation_of_authorization',
  'revocation_of_all_authorizations',
  'authentication_required',
  'highest_risk_level',
  'transaction_not_allowed',
])
