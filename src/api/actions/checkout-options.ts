import { DomainError } from '../../domain/errors.ts'
import type { CheckoutOptions as StripeOptions, CheckoutUiMode } from '../../stripe/checkout-types.ts'
import { withoutNulls } from '../presenters/without-nulls.ts'
import type { CheckoutOptions } from '../schemas/checkout.ts'

const uiModes: Readonly<Record<NonNullable<CheckoutOptions['uiMode']>, CheckoutUiMode>> = {
  hosted: 'hosted_page',
  hosted_page: 'hosted_page',
  embedded: 'embedded_page',
  embedded_page: 'embedded_page',
  custom: 'elements',
  elements: 'elements',
}

export interface CheckoutPage {
  readonly uiMode: CheckoutUiMode
  readonly options: StripeOptions
}

const refuse = (name: string, why: string): DomainError =>
  new DomainError('validation_failed', `options.${name} ${why}`, { field: `options.${name}` })

/** The contract's options in Stripe's words of today. Errors: validation_failed, for what the kind of page does not take. */
export function checkoutPage(given: CheckoutOptions): CheckoutPage {
  const uiMode = uiModes[given.uiMode ?? 'hosted']
  checkAddresses(given, uiMode)
  const { clientReferenceID, expiresAt, cancelURL, returnURL, successURL } = given
  const types = given.paymentMethodTypes
  return {
    uiMode,
    options: withoutNulls({
      billingAddressCollection: given.billingAddressCollection,
      cancelUrl: cancelURL,
      clientReferenceId: clientReferenceID,
      consentCollection: consent(given.consentCollection),
      customText: texts(given.customText),
      customerUpdate: customerUpdate(given),
      expiresAtSeconds: expiresAt,
      locale: given.locale === '' ? undefined : given.locale,
      metadata: given.metadata,
      allowedPaymentMethodTypes: types?.length === 0 ? undefined : types,
      redirectOnCompletion: given.redirectOnCompletion,
      returnUrl: returnURL,
      successUrl: successURL,
      taxIdCollection: given.taxIdCollection,
    }),
  }
}

/** Stripe's own page leads on; one within the caller's comes back. */
function checkAddresses(given: CheckoutOptions, uiMode: CheckoutUiMode): void {
  const { successURL, cancelURL, returnURL, redirectOnCompletion } = given
  if (uiMode === 'hosted_page') {
    if (successURL === undefined) throw refuse('successURL', 'must be given: the customer is sent there.')
    return
  }
  if (successURL !== undefined)
    throw refuse('successURL', `is not taken with the ui mode ${uiMode}; send returnURL.`)
  if (cancelURL !== undefined) throw refuse('cancelURL', `is not taken with the ui mode ${uiMode}.`)
  const stays = uiMode === 'embedded_page' && redirectOnCompletion === 'never'
  if (returnURL === undefined && !stays)
    throw refuse('returnURL', 'must be given unless redirectOnCompletion is "never".')
}

/** What is collected for the tax is kept where the tax is computed from, unless the caller says otherwise. */
function customerUpdate(given: CheckoutOptions): StripeOptions['customerUpdate'] | undefined {
  const implied = {
    address: given.billingAddressCollection === 'required' ? ('auto' as const) : undefined,
    name: given.taxIdCollection?.enabled === true ? ('auto' as const) : undefined,
  }
  const update = { ...withoutNulls(implied), ...given.customerUpdate }
  return Object.keys(update).length === 0 ? undefined : update
}

function consent(
  given: CheckoutOptions['consentCollection'],
): StripeOptions['consentCollection'] | undefined {
  if (given === undefined) return undefined
  const { paymentMethodReuseAgreement, promotions, termsOfService } = given
  const position = paymentMethodReuseAgreement?.position
  return withoutNulls({ paymentMethodReuseAgreement: position, promotions, termsOfService })
}

function texts(given: CheckoutOptions['customText']): StripeOptions['customText'] | undefined {
  if (given === undefined) return undefined
  return withoutNulls({
    afterSubmit: given.afterSubmit?.message,
    shippingAddress: given.shippingAddress?.message,
    submit: given.submit?.message,
    termsOfServiceAcceptance: given.termsOfServiceAcceptance?.message,
  })
}
