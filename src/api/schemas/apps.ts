import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Metadata, PageQuery, pageOf, ResourceDescription, ResourceName, Stamps } from './common.ts'
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
    ...Stamps,
  },
  { $id: 'StripeApp' },
)
export type StripeApp = Static<typeof StripeApp>
export const AppPage = pageOf(ref(StripeApp), 'AppPaginatedResponse')

const SecretKey = Type.String({ minLength: 1, maxLength: 300, format: 'password' })

export const StripeAppReplaceUpdate = Type.Object(
  { type: Type.Literal('stripe'), ...content, secretAPIKey: Type.Optional(SecretKey) },
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
  MarketplaceInstallResponse,
  StripeCustomerAppDataBase,
  StripeCustomerAppDataItem,
  StripeCustomerAppData,
  CustomerAppDataPage,
]
