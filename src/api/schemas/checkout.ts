import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { CurrencyCode, Instant, Metadata } from './common.ts'
import { CustomerCreate } from './customers.ts'
import { ref } from './reference.ts'
import { snakeCased } from './snake-case.ts'

const Url = Type.String({ minLength: 1, maxLength: 5000 })
const Message = Type.Optional(Type.Object({ message: Type.Optional(Type.String({ maxLength: 1200 })) }))
const Behavior = Type.Optional(Type.Enum(['auto', 'never'] as const))
const MAX_TYPES = 100

/** A code in either case: the client's types say lower, its examples upper. */
const AnyCaseCurrency = Type.String({ pattern: '^[A-Za-z]{3}$', examples: ['USD'] })

export const CheckoutOptions = Type.Object(
  {
    billingAddressCollection: Type.Optional(Type.Enum(['auto', 'required'] as const)),
    cancelURL: Type.Optional(Url),
    clientReferenceID: Type.Optional(Type.String({ maxLength: 200 })),
    customerUpdate: Type.Optional(Type.Object({ address: Behavior, name: Behavior, shipping: Behavior })),
    consentCollection: Type.Optional(
      Type.Object({
        paymentMethodReuseAgreement: Type.Optional(
          Type.Object({ position: Type.Optional(Type.Enum(['auto', 'hidden'] as const)) }),
        ),
        promotions: Type.Optional(Type.Enum(['auto', 'none'] as const)),
        termsOfService: Type.Optional(Type.Enum(['none', 'required'] as const)),
      }),
    ),
    currency: Type.Optional(AnyCaseCurrency),
    customText: Type.Optional(
      Type.Object({
        afterSubmit: Message,
        shippingAddress: Message,
        submit: Message,
        termsOfServiceAcceptance: Message,
      }),
    ),
    expiresAt: Type.Optional(
      Type.Integer({ description: 'Seconds since 1970; 30 minutes to 24 hours from now.' }),
    ),
    locale: Type.Optional(Type.String({ maxLength: 35 })),
    metadata: Type.Optional(ref(Metadata)),
    mode: Type.Optional(Type.Literal('setup')),
    returnURL: Type.Optional(Url),
    successURL: Type.Optional(Url),
    uiMode: Type.Optional(
      Type.Enum(['hosted', 'embedded', 'custom', 'hosted_page', 'embedded_page', 'elements'] as const),
    ),
    paymentMethodTypes: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 64 }), { maxItems: MAX_TYPES }),
    ),
    redirectOnCompletion: Type.Optional(Type.Enum(['always', 'if_required', 'never'] as const)),
    taxIdCollection: Type.Optional(
      Type.Object({
        enabled: Type.Boolean(),
        required: Type.Optional(Type.Enum(['if_supported', 'never'] as const)),
      }),
    ),
  },
  { $id: 'CreateStripeCheckoutSessionRequestOptions' },
)
export type CheckoutOptions = Static<typeof CheckoutOptions>

export const CheckoutCustomer = Type.Object(
  { id: Type.Optional(Type.String()), ...Type.Partial(CustomerCreate).properties },
  {
    $id: 'StripeCheckoutCustomer',
    description:
      'One that exists, by `id` or `key`, or one to create. What is given and one that exists lacks is added to it.',
  },
)
export type CheckoutCustomer = Static<typeof CheckoutCustomer>

export const CheckoutSessionCreate = Type.Object(
  {
    appId: Type.Optional(Type.String()),
    customer: ref(CheckoutCustomer),
    stripeCustomerId: Type.Optional(Type.String({ pattern: '^cus_', maxLength: 255 })),
    options: ref(CheckoutOptions),
  },
  { $id: 'CreateStripeCheckoutSessionRequest' },
)
export type CheckoutSessionCreate = Static<typeof CheckoutSessionCreate>

export const CheckoutSession = Type.Object(
  {
    customerId: Type.String(),
    stripeCustomerId: Type.String(),
    sessionId: Type.String(),
    setupIntentId: Type.String(),
    clientSecret: Type.Optional(Type.String()),
    clientReferenceId: Type.Optional(Type.String()),
    customerEmail: Type.Optional(Type.String()),
    currency: Type.Optional(CurrencyCode),
    createdAt: Instant,
    expiresAt: Type.Optional(Instant),
    metadata: Type.Optional(ref(Metadata)),
    status: Type.Optional(Type.String()),
    url: Type.Optional(Type.String()),
    mode: Type.Literal('setup'),
    cancelURL: Type.Optional(Type.String()),
    successURL: Type.Optional(Type.String()),
    returnURL: Type.Optional(Type.String()),
  },
  { $id: 'CreateStripeCheckoutSessionResult' },
)
export type CheckoutSession = Static<typeof CheckoutSession>

export const PortalSessionCreate = Type.Object(
  {
    configurationId: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
    locale: Type.Optional(Type.String({ maxLength: 35 })),
    returnUrl: Type.Optional(Url),
  },
  { $id: 'CreateStripeCustomerPortalSessionParams' },
)
export type PortalSessionCreate = Static<typeof PortalSessionCreate>

export const PortalSession = Type.Object(
  {
    id: Type.String(),
    stripeCustomerId: Type.String(),
    configurationId: Type.String(),
    livemode: Type.Boolean(),
    createdAt: Instant,
    returnUrl: Type.String(),
    locale: Type.String(),
    url: Type.String(),
  },
  { $id: 'StripeCustomerPortalSession' },
)
export type PortalSession = Static<typeof PortalSession>

const Labels = Type.Record(Type.String(), Type.String())

/** How a customer is billed, in the words of OpenMeter v3. */
export const CustomerBilling = Type.Object(
  {
    billing_profile: Type.Optional(Type.Union([Type.Object({ id: Type.String() }), Type.Null()])),
    app_data: Type.Optional(
      Type.Object({
        stripe: Type.Optional(
          Type.Object({
            app_id: Type.Optional(
              Type.String({ description: 'Ours; left out: the app that bills the customer.' }),
            ),
            customer_id: Type.Optional(Type.String({ pattern: '^cus_', maxLength: 255 })),
            default_payment_method_id: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
            labels: Type.Optional(Labels),
          }),
        ),
      }),
    ),
  },
  { $id: 'BillingCustomerData' },
)
export type CustomerBilling = Static<typeof CustomerBilling>

export const CheckoutOptionsV3 = snakeCased(CheckoutOptions, 'BillingAppStripeCheckoutSessionOptions')
export const CheckoutCustomerV3 = snakeCased(CheckoutCustomer, 'BillingStripeCheckoutCustomer')

export const CheckoutSessionCreateV3 = Type.Object(
  {
    stripe_options: ref(CheckoutOptionsV3),
    customer: Type.Optional(ref(CheckoutCustomerV3)),
    stripe_customer_id: Type.Optional(Type.String({ pattern: '^cus_', maxLength: 255 })),
    app_id: Type.Optional(Type.String()),
    options: Type.Optional(ref(CheckoutOptionsV3)),
  },
  { $id: 'BillingCustomerStripeCreateCheckoutSessionRequest' },
)
export const CheckoutSessionV3 = snakeCased(CheckoutSession, 'BillingAppStripeCreateCheckoutSessionResult')
export const PortalOptionsV3 = snakeCased(PortalSessionCreate, 'BillingAppStripePortalSessionOptions')
export const PortalSessionCreateV3 = Type.Object(
  { stripe_options: Type.Optional(ref(PortalOptionsV3)) },
  { $id: 'BillingCustomerStripeCreateCustomerPortalSessionRequest' },
)
export const PortalSessionV3 = snakeCased(PortalSession, 'BillingAppStripeCreateCustomerPortalSessionResult')

export const checkoutSchemas: readonly TSchema[] = [
  CheckoutOptions,
  CheckoutCustomer,
  CheckoutSessionCreate,
  CheckoutSession,
  PortalSessionCreate,
  PortalSession,
  CustomerBilling,
  CheckoutOptionsV3,
  CheckoutCustomerV3,
  CheckoutSessionCreateV3,
  CheckoutSessionV3,
  PortalOptionsV3,
  PortalSessionCreateV3,
  PortalSessionV3,
]
