import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import {
  CountryCode,
  Instant,
  IsoDuration,
  Metadata,
  PageQuery,
  pageOf,
  ResourceDescription,
  ResourceName,
  Stamps,
} from './common.ts'
import { ref } from './reference.ts'

export const AppType = Type.Enum(['stripe', 'sandbox', 'custom_invoicing'] as const)

const AppCapabilityType = Type.Enum([
  'reportUsage',
  'reportEvents',
  'calculateTax',
  'invoiceCustomers',
  'collectPayments',
] as const)
export type AppCapabilityType = Static<typeof AppCapabilityType>

export const MarketplaceListing = Type.Object(
  {
    type: AppType,
    name: Type.String(),
    description: Type.String(),
    capabilities: Type.Array(
      Type.Object({
        type: AppCapabilityType,
        key: Type.String(),
        name: Type.String(),
        description: Type.String(),
      }),
    ),
    installMethods: Type.Array(
      Type.Enum(['with_oauth2', 'with_api_key', 'no_credentials_required'] as const),
    ),
  },
  { $id: 'MarketplaceListing' },
)
export type MarketplaceListing = Static<typeof MarketplaceListing>
export const MarketplaceListingPage = pageOf(ref(MarketplaceListing), 'MarketplaceListingPaginatedResponse')

const content = {
  name: ResourceName,
  description: Type.Optional(ResourceDescription),
  metadata: Type.Optional(Type.Union([ref(Metadata), Type.Null()])),
}

const MissingPermission = Type.Object({
  permission: Type.String({ description: 'As Stripe calls it.', examples: ['rak_payment_intent_read'] }),
  neededFor: Type.String(),
  withoutIt: Type.String({ description: 'What is lost.' }),
})

const AppWebhook = Type.Object({
  path: Type.String({ description: 'Where its events are taken, below PUBLIC_URL.' }),
  hasSecret: Type.Boolean(),
  previousSecretValidUntil: Type.Optional(Instant),
  endpointId: Type.Optional(Type.String({ description: 'At Stripe, where it was made by us.' })),
  problem: Type.Optional(Type.String({ description: 'As it was last seen; the repair mends it.' })),
  checkedAt: Type.Optional(Instant),
  isPolled: Type.Boolean({ description: 'Its events are read from Stripe’s list.' }),
})

const CustomerPortalUrl = Type.String({
  pattern: '^https?://[^\\s/?#]\\S*$',
  maxLength: 2048,
  description: 'The address of the customer portal, from Stripe’s settings.',
})

export const StripeApp = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal('stripe'),
    ...content,
    listing: ref(MarketplaceListing),
    status: Type.Enum(['ready', 'unauthorized'] as const),
    stripeAccountId: Type.String(),
    livemode: Type.Boolean(),
    maskedAPIKey: Type.String(),
    statusReason: Type.Optional(Type.String()),
    setup: Type.Enum(['managed', 'manual'] as const),
    missingPermissions: Type.Array(MissingPermission),
    customerPortalUrl: Type.Optional(CustomerPortalUrl),
    webhook: AppWebhook,
    ...Stamps,
  },
  { $id: 'StripeApp' },
)
export type StripeApp = Static<typeof StripeApp>
export const AppPage = pageOf(ref(StripeApp), 'AppPaginatedResponse')

const SecretKey = Type.String({ minLength: 1, maxLength: 300, format: 'password' })

export const StripeAppReplaceUpdate = Type.Object(
  {
    type: Type.Literal('stripe'),
    ...content,
    secretAPIKey: Type.Optional(SecretKey),
    /** Ours; left out: it stays. */
    customerPortalUrl: Type.Optional(Type.Union([CustomerPortalUrl, Type.Null()])),
  },
  { $id: 'StripeAppReplaceUpdate' },
)
export type StripeAppReplaceUpdate = Static<typeof StripeAppReplaceUpdate>

export const StripeApiKeyInput = Type.Object({ secretAPIKey: SecretKey }, { $id: 'StripeAPIKeyInput' })

export const ApiKeyInstall = Type.Object(
  {
    name: Type.Optional(ResourceName),
    apiKey: SecretKey,
    createBillingProfile: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'Makes a billing profile of the account, the default one where there is none.',
      }),
    ),
  },
  { $id: 'MarketplaceApiKeyInstallRequest' },
)
export type ApiKeyInstall = Static<typeof ApiKeyInstall>

const WebhookSecret = Type.String({
  pattern: '^whsec_[!-~]{8,200}$',
  format: 'password',
  description: 'The signing secret that Stripe shows with the endpoint.',
})

export const ManualInstall = Type.Object(
  {
    name: Type.Optional(ResourceName),
    apiKey: SecretKey,
    webhookSecret: Type.Optional(WebhookSecret),
    customerPortalUrl: Type.Optional(CustomerPortalUrl),
    createBillingProfile: Type.Optional(
      Type.Boolean({
        default: true,
        description: 'Makes a billing profile of the supplier, the default one where there is none.',
      }),
    ),
    supplier: Type.Optional(
      Type.Object(
        { name: ResourceName, country: CountryCode },
        { description: 'Needed for a billing profile where the key may not read the account.' },
      ),
    ),
  },
  { $id: 'MarketplaceManualInstallRequest' },
)
export type ManualInstall = Static<typeof ManualInstall>

export const StripeWebhookSecretInput = Type.Object(
  {
    secret: WebhookSecret,
    previousValidFor: Type.Optional({
      ...IsoDuration,
      description: 'How long the secret of before is still good; PT24H where left out, PT0S: not at all.',
    }),
  },
  { $id: 'StripeWebhookSecretInput' },
)

const AppCapabilityTypes = Type.Array(AppCapabilityType)

export const ManualInstallResponse = Type.Object(
  {
    app: ref(StripeApp),
    defaultForCapabilityTypes: AppCapabilityTypes,
    webhook: Type.Object(
      {
        url: Type.String({ description: 'The address of the endpoint.' }),
        events: Type.Array(Type.String(), { description: 'What it has to send at least.' }),
        recommendedEvents: Type.Array(Type.String(), { description: 'All that is made use of.' }),
        apiVersion: Type.String({ description: 'The oldest version that is read.' }),
      },
      { description: 'What to type into Stripe: Developers, Webhooks, Add endpoint.' },
    ),
  },
  { $id: 'MarketplaceManualInstallResponse' },
)

export const MarketplaceInstallResponse = Type.Object(
  { app: ref(StripeApp), defaultForCapabilityTypes: Type.Array(AppCapabilityType) },
  { $id: 'MarketplaceInstallResponse' },
)
export type MarketplaceInstallResponse = Static<typeof MarketplaceInstallResponse>

const StripeIds = {
  stripeCustomerId: Type.String({ pattern: '^cus_', maxLength: 255 }),
  stripeDefaultPaymentMethodId: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
}

export const StripeCustomerAppDataBase = Type.Object(StripeIds, { $id: 'StripeCustomerAppDataBase' })
export type StripeCustomerAppDataBase = Static<typeof StripeCustomerAppDataBase>

export const StripeCustomerAppDataItem = Type.Object(
  {
    id: Type.Optional(
      Type.String({ description: 'The app; left out: the one of the default billing profile.' }),
    ),
    appId: Type.Optional(Type.String({ description: 'An older spelling of `id`.' })),
    type: Type.Literal('stripe'),
    ...StripeIds,
  },
  { $id: 'StripeCustomerAppDataCreateOrUpdateItem' },
)
export type StripeCustomerAppDataItem = Static<typeof StripeCustomerAppDataItem>

export const StripeCustomerAppData = Type.Object(
  { id: Type.String(), type: Type.Literal('stripe'), ...StripeIds, app: ref(StripeApp) },
  { $id: 'StripeCustomerAppData' },
)
export type StripeCustomerAppData = Static<typeof StripeCustomerAppData>
export const CustomerAppDataPage = pageOf(ref(StripeCustomerAppData), 'CustomerAppDataPaginatedResponse')

export const CustomerAppDataQuery = Type.Object({ type: Type.Optional(AppType), ...PageQuery })

export const appSchemas: readonly TSchema[] = [
  MarketplaceListing,
  MarketplaceListingPage,
  StripeApp,
  AppPage,
  StripeAppReplaceUpdate,
  StripeApiKeyInput,
  ApiKeyInstall,
  ManualInstall,
  ManualInstallResponse,
  StripeWebhookSecretInput,
  MarketplaceInstallResponse,
  StripeCustomerAppDataBase,
  StripeCustomerAppDataItem,
  StripeCustomerAppData,
  CustomerAppDataPage,
]
