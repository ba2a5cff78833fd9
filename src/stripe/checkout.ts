import { createHash } from 'node:crypto'
import type { Stripe } from 'stripe'
import type {
  CheckoutOptions,
  CheckoutSessionView,
  CheckoutToCreate,
  SetupIntentView,
} from './checkout-types.ts'
import type { Connection } from './client.ts'
import { idOf } from './events.ts'
import { metadataKeys } from './metadata.ts'
import { pastPinned } from './pinned.ts'

type Params = Stripe.Checkout.SessionCreateParams

const PAGE = 100

/** Opens Checkout in setup mode for a customer; the same request id gives the same session. */
export async function createCheckoutSession(
  connection: Connection,
  session: CheckoutToCreate,
): Promise<CheckoutSessionView> {
  const params = checkoutParams(session)
  const make = async (idempotencyKey: string): Promise<Stripe.Checkout.Session> =>
    await connection.call('checkout.sessions.create', (stripe) =>
      stripe.checkout.sessions.create(params, { idempotencyKey }),
    )
  const find = async () => await findSession(connection, session)
  return sessionView(await pastPinned(`checkout:${digest(session.requestId)}`, make, find))
}

/** What an earlier try of the request opened, by the request in its metadata. */
async function findSession(
  connection: Connection,
  { stripeCustomerId, requestId }: CheckoutToCreate,
): Promise<Stripe.Checkout.Session | undefined> {
  const recent = await connection.call('checkout.sessions.list', (stripe) =>
    stripe.checkout.sessions.list({ customer: stripeCustomerId, limit: PAGE }),
  )
  return recent.data.find(({ metadata }) => metadata?.[metadataKeys.request] === digest(requestId))
}

/** Within the 500 characters of a value, whatever the caller's key is. */
function digest(requestId: string): string {
  return createHash('sha256').update(requestId).digest('hex').slice(0, 32)
}

export async function getCheckoutSession(connection: Connection, id: string): Promise<CheckoutSessionView> {
  return sessionView(
    await connection.call('checkout.sessions.retrieve', (stripe) => stripe.checkout.sessions.retrieve(id)),
  )
}

export async function getSetupIntent(connection: Connection, id: string): Promise<SetupIntentView> {
  const intent = await connection.call('setup_intents.retrieve', (stripe) => stripe.setupIntents.retrieve(id))
  return {
    id: intent.id,
    status: intent.status,
    stripeCustomerId: idOf(intent.customer),
    paymentMethodId: idOf(intent.payment_method),
    customerId: intent.metadata?.[metadataKeys.customer] ?? null,
    appId: intent.metadata?.[metadataKeys.app] ?? null,
  }
}

/**
 * Our ids go with the setup intent too: `setup_intent.succeeded` names no session. Setup mode takes a currency where no
 * payment method types are named.
 */
function checkoutParams(session: CheckoutToCreate): Params {
  const ours = { [metadataKeys.customer]: session.customerId, [metadataKeys.app]: session.appId }
  const { options } = session
  return {
    mode: 'setup',
    customer: session.stripeCustomerId,
    ui_mode: session.uiMode,
    metadata: { ...options.metadata, ...ours, [metadataKeys.request]: digest(session.requestId) },
    setup_intent_data: { metadata: ours },
    ...(session.currency !== null && { currency: session.currency.toLowerCase() }),
    ...addresses(options),
    ...collected(options),
    ...(options.clientReferenceId !== undefined && { client_reference_id: options.clientReferenceId }),
    ...(options.expiresAtSeconds !== undefined && { expires_at: options.expiresAtSeconds }),
    ...(options.locale !== undefined && { locale: options.locale }),
    ...(options.allowedPaymentMethodTypes !== undefined && {
      allowed_payment_method_types: [...options.allowedPaymentMethodTypes],
    }),
  }
}

function addresses({ successUrl, cancelUrl, returnUrl, redirectOnCompletion }: CheckoutOptions): Params {
  return {
    ...(successUrl !== undefined && { success_url: successUrl }),
    ...(cancelUrl !== undefined && { cancel_url: cancelUrl }),
    ...(returnUrl !== undefined && { return_url: returnUrl }),
    ...(redirectOnCompletion !== undefined && { redirect_on_completion: redirectOnCompletion }),
  }
}

/** What the page asks the customer, and what of it is written onto them. */
function collected({
  billingAddressCollection,
  taxIdCollection,
  customerUpdate,
  consentCollection,
  customText,
}: CheckoutOptions): Params {
  return {
    ...(billingAddressCollection !== undefined && { billing_address_collection: billingAddressCollection }),
    ...(taxIdCollection !== undefined && { tax_id_collection: taxIdCollection }),
    ...(customerUpdate !== undefined && { customer_update: customerUpdate }),
    ...(consentCollection !== undefined && { consent_collection: consentParams(consentCollection) }),
    ...(customText !== undefined && { custom_text: textParams(customText) }),
  }
}

function consentParams({
  paymentMethodReuseAgreement: position,
  promotions,
  termsOfService,
}: NonNullable<CheckoutOptions['consentCollection']>): NonNullable<Params['consent_collection']> {
  return {
    ...(position !== undefined && { payment_method_reuse_agreement: { position } }),
    ...(promotions !== undefined && { promotions }),
    ...(termsOfService !== undefined && { terms_of_service: termsOfService }),
  }
}

function textParams(texts: NonNullable<CheckoutOptions['customText']>): NonNullable<Params['custom_text']> {
  const { afterSubmit, shippingAddress, submit, termsOfServiceAcceptance } = texts
  return {
    ...(afterSubmit !== undefined && { after_submit: { message: afterSubmit } }),
    ...(shippingAddress !== undefined && { shipping_address: { message: shippingAddress } }),
    ...(submit !== undefined && { submit: { message: submit } }),
    ...(termsOfServiceAcceptance !== undefined && {
      terms_of_service_acceptance: { message: termsOfServiceAcceptance },
    }),
  }
}

function sessionView(session: Stripe.Checkout.Session): CheckoutSessionView {
  return {
    id: session.id,
    setupIntentId: idOf(session.setup_intent),
    stripeCustomerId: idOf(session.customer),
    url: session.url,
    clientSecret: session.client_secret,
    clientReferenceId: session.client_reference_id,
    currency: session.currency?.toUpperCase() ?? null,
    customerEmail: session.customer_details?.email ?? session.customer_email,
    status: session.status,
    metadata: session.metadata ?? {},
    cancelUrl: session.cancel_url,
    successUrl: session.success_url,
    returnUrl: session.return_url ?? null,
    createdMs: session.created * 1000,
    expiresMs: session.expires_at * 1000,
  }
}
