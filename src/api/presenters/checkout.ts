import type { CustomerRow } from '../../db/stores/customers.ts'
import type { CheckoutSessionView, PortalSessionView } from '../../stripe/checkout-types.ts'
import type { StripeCustomerView } from '../../stripe/customer-types.ts'
import type { CheckoutSession, PortalSession } from '../schemas/checkout.ts'
import { instant, withoutNulls } from './without-nulls.ts'

interface Parties {
  readonly customer: CustomerRow
  readonly there: StripeCustomerView
}

/** A session in the contract's words. Stripe leaves out the e-mail address of a customer that it knows. */
export function presentCheckoutSession(
  session: CheckoutSessionView,
  { customer, there }: Parties,
): CheckoutSession {
  const { clientSecret, clientReferenceId, currency, status, url } = session
  return {
    customerId: customer.id,
    stripeCustomerId: there.id,
    sessionId: session.id,
    setupIntentId: session.setupIntentId ?? '',
    mode: 'setup',
    createdAt: instant(new Date(session.createdMs)),
    expiresAt: instant(new Date(session.expiresMs)),
    metadata: { ...session.metadata },
    ...withoutNulls({
      clientSecret,
      clientReferenceId,
      currency,
      status,
      url,
      customerEmail: session.customerEmail ?? customer.primaryEmail ?? there.email,
      cancelURL: session.cancelUrl,
      successURL: session.successUrl,
      returnURL: session.returnUrl,
    }),
  }
}

export function presentPortalSession(session: PortalSessionView): PortalSession {
  const { id, stripeCustomerId, configurationId, livemode, url } = session
  return {
    id,
    stripeCustomerId,
    configurationId,
    livemode,
    createdAt: instant(new Date(session.createdMs)),
    returnUrl: session.returnUrl ?? '',
    locale: session.locale ?? 'auto',
    url,
  }
}
