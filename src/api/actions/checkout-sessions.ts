import { isKnownCurrency } from '../../domain/currency.ts'
import { DomainError } from '../../domain/errors.ts'
import type { CustomerRow } from '../../db/stores/customers.ts'
import type { ApiDeps } from '../deps.ts'
import { presentCheckoutSession } from '../presenters/checkout.ts'
import type { CheckoutSession, CheckoutSessionCreate } from '../schemas/checkout.ts'
import { billingApp } from './billing-app.ts'
import { customerFor, existingCustomer } from './checkout-customer.ts'
import type { RequestId } from './checkout-customer.ts'
import { checkoutPage } from './checkout-options.ts'
import { livingStripeCustomer, tellEmail } from './customer-links.ts'
import { stripeCustomerFor } from './stripe-customer.ts'

/**
 * Opens a page on which a customer saves a payment method. The customer is made, or added to, and so is their Stripe
 * customer; nothing is made for a request that is refused. Repeated under its id, the request makes nothing twice. Errors:
 * not_found, validation_failed, unknown_currency, duplicate_key, stripe_customer_not_found, and what Stripe refuses.
 */
export async function createCheckoutSession(
  deps: ApiDeps,
  input: CheckoutSessionCreate,
  requestId: RequestId,
): Promise<CheckoutSession> {
  const page = checkoutPage(input.options)
  const existing = await existingCustomer(deps, input.customer, requestId)
  const { app, currency: fallback } = await billingApp(deps, existing?.id ?? null, input.appId)
  const currency = currencyOf(input, { existing, fallback })
  const named =
    input.stripeCustomerId === undefined
      ? null
      : await livingStripeCustomer(deps, app, input.stripeCustomerId)
  const customer = await customerFor(deps, input.customer, { existing, requestId })
  const there = await stripeCustomerFor(deps, customer, { app, named })
  await tellEmail(deps, customer, { app, there })
  const session = await deps.stripe.createCheckoutSession(app, {
    appId: app.id,
    customerId: customer.id,
    stripeCustomerId: there.id,
    ...page,
    currency,
    requestId: requestId ?? deps.newId(),
  })
  return presentCheckoutSession(session, { customer, there })
}

interface Known {
  readonly existing: CustomerRow | null
  readonly fallback: string | null
}

/** The session's, else the customer's, else the profile's. Stripe needs one where no payment method types are named. */
function currencyOf(
  { options, customer }: CheckoutSessionCreate,
  { existing, fallback }: Known,
): string | null {
  const currency =
    options.currency?.toUpperCase() ?? existing?.currency ?? customer.currency ?? fallback ?? null
  if (currency !== null && !isKnownCurrency(currency)) {
    throw new DomainError('unknown_currency', `"${currency}" is not a known currency.`, {
      field: 'options.currency',
    })
  }
  if (currency === null && (options.paymentMethodTypes ?? []).length === 0) {
    const detail =
      'options.currency must be given: neither the customer nor the billing profile names a currency.'
    throw new DomainError('validation_failed', detail, { field: 'options.currency' })
  }
  return currency
}
