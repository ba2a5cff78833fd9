import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { StripeApp } from './apps.ts'
import {
  CountryCode,
  CurrencyCode,
  Instant,
  IsoDuration,
  Metadata,
  Order,
  PageQuery,
  pageOf,
  ResourceDescription,
  ResourceName,
  Stamps,
} from './common.ts'
import { Address, Customer } from './customers.ts'
import { TaxConfig } from './prices.ts'
import { AccessSettings, accessSettings, StripeSettings, stripeSettings } from './profile-settings.ts'
import { ref } from './reference.ts'

const MAX_ADDRESSES = 1
const MAX_RETRIES = 12

const SupplierAddress = Type.Object({ ...Address.properties, country: CountryCode })

export const Supplier = Type.Object(
  {
    id: Type.Optional(Type.String()),
    key: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    name: ResourceName,
    taxId: Type.Optional(Type.Object({ code: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })) })),
    addresses: Type.Array(SupplierAddress, { minItems: 1, maxItems: MAX_ADDRESSES }),
  },
  { $id: 'BillingSupplier', description: 'Who issues the invoices: name and country are required.' },
)
export type Supplier = Static<typeof Supplier>

const CollectionSettings = {
  alignment: Type.Object({ type: Type.Literal('subscription') }),
  interval: IsoDuration,
}
const InvoicingSettings = {
  autoAdvance: Type.Boolean(),
  draftPeriod: IsoDuration,
  dueAfter: IsoDuration,
  progressiveBilling: Type.Literal(false),
  subscriptionEndProrationMode: Type.Literal('bill_actual_period'),
}
const PaymentSettings = {
  collectionMethod: Type.Union([Type.Literal('charge_automatically'), Type.Literal('send_invoice')]),
}
const TaxSettings = { enabled: Type.Boolean(), enforced: Type.Boolean() }
const defaultTaxConfig = Type.Optional(ref(TaxConfig))

export const BillingWorkflowCreate = Type.Object(
  {
    collection: Type.Optional(Type.Partial(Type.Object(CollectionSettings))),
    invoicing: Type.Optional(Type.Partial(Type.Object({ ...InvoicingSettings, defaultTaxConfig }))),
    payment: Type.Optional(Type.Partial(Type.Object(PaymentSettings))),
    tax: Type.Optional(Type.Partial(Type.Object(TaxSettings))),
  },
  { $id: 'BillingWorkflowCreate' },
)
export type BillingWorkflowCreate = Static<typeof BillingWorkflowCreate>

export const BillingWorkflow = Type.Object(
  {
    collection: Type.Object(CollectionSettings),
    invoicing: Type.Object({ ...InvoicingSettings, defaultTaxConfig }),
    payment: Type.Object(PaymentSettings),
    tax: Type.Object(TaxSettings),
  },
  { $id: 'BillingWorkflow', description: 'Every setting, with its default where none was given.' },
)
export type BillingWorkflow = Static<typeof BillingWorkflow>

const DunningSettings = {
  retries: Type.Array(IsoDuration, {
    maxItems: MAX_RETRIES,
    description: 'Counted from the first failure, increasing.',
  }),
  end: Type.Union([
    Type.Literal('leave_overdue'),
    Type.Literal('cancel_subscription'),
    Type.Literal('mark_uncollectible'),
  ]),
  grace: Type.String({
    pattern: '^P',
    maxLength: 64,
    description: 'How long access is kept after the first failure.',
  }),
}
export const Dunning = Type.Object(DunningSettings, {
  $id: 'Dunning',
  description: 'How a failed payment is followed up.',
})
export type Dunning = Static<typeof Dunning>

const LateUsageSettings = {
  policy: Type.Union([Type.Literal('bill_on_next'), Type.Literal('ignore')]),
  window: Type.String({
    pattern: '^P',
    maxLength: 64,
    description: 'How long after a period its late usage is still billed.',
  }),
}
export const LateUsage = Type.Object(LateUsageSettings, {
  $id: 'LateUsage',
  description: 'What happens to usage of a closed period.',
})
export type LateUsage = Static<typeof LateUsage>

/** What differs from the default, or in an override from the profile. */
const partials = {
  dunning: Type.Optional(Type.Partial(Type.Object(DunningSettings))),
  lateUsage: Type.Optional(Type.Partial(Type.Object(LateUsageSettings))),
  access: Type.Optional(Type.Partial(Type.Object(accessSettings))),
  stripe: Type.Optional(Type.Partial(Type.Object(stripeSettings))),
}
const defaultCurrency = Type.Optional(Type.Union([CurrencyCode, Type.Null()]))
const ours = { ...partials, defaultCurrency }

/** The same, complete. */
const completeSettings = {
  dunning: ref(Dunning),
  lateUsage: ref(LateUsage),
  access: ref(AccessSettings),
  stripe: ref(StripeSettings),
  defaultCurrency: Type.Optional(CurrencyCode),
}
const described = {
  name: ResourceName,
  description: Type.Optional(ResourceDescription),
  metadata: Type.Optional(Type.Union([ref(Metadata), Type.Null()])),
}

export const BillingProfileCreate = Type.Object(
  {
    ...described,
    supplier: ref(Supplier),
    default: Type.Boolean(),
    workflow: ref(BillingWorkflowCreate),
    apps: Type.Object({ tax: Type.String(), invoicing: Type.String(), payment: Type.String() }),
    ...ours,
  },
  { $id: 'BillingProfileCreate', description: 'The three apps are one and the same.' },
)
export type BillingProfileCreate = Static<typeof BillingProfileCreate>

export const BillingProfileReplaceUpdate = Type.Object(
  {
    ...described,
    supplier: ref(Supplier),
    default: Type.Boolean(),
    workflow: ref(BillingWorkflowCreate),
    ...ours,
  },
  { $id: 'BillingProfileReplaceUpdateWithWorkflow' },
)
export type BillingProfileReplaceUpdate = Static<typeof BillingProfileReplaceUpdate>

const AppReference = Type.Object({ id: Type.String() })
const Apps = Type.Union([
  Type.Object({ tax: ref(StripeApp), invoicing: ref(StripeApp), payment: ref(StripeApp) }),
  Type.Object({ tax: AppReference, invoicing: AppReference, payment: AppReference }),
])

export const BillingProfile = Type.Object(
  {
    id: Type.String(),
    ...described,
    supplier: ref(Supplier),
    workflow: ref(BillingWorkflow),
    apps: Apps,
    default: Type.Boolean(),
    ...completeSettings,
    ...Stamps,
  },
  { $id: 'BillingProfile' },
)
export type BillingProfile = Static<typeof BillingProfile>
export const BillingProfilePage = pageOf(ref(BillingProfile), 'BillingProfilePaginatedResponse')

export const ProfileExpand = Type.Object({ expand: Type.Optional(Type.Array(Type.Literal('apps'))) })
export const BillingProfileListQuery = Type.Object({
  includeArchived: Type.Optional(Type.Boolean()),
  order: Type.Optional(Order),
  orderBy: Type.Optional(Type.Enum(['createdAt', 'updatedAt', 'default', 'name'] as const)),
  ...ProfileExpand.properties,
  ...PageQuery,
})

export const OverrideCreate = Type.Object(
  {
    billingProfileId: Type.Optional(Type.String()),
    workflow: Type.Optional(ref(BillingWorkflowCreate)),
    ...partials,
  },
  {
    $id: 'BillingProfileCustomerOverrideCreate',
    description:
      'The profile that bills the customer, and what differs from it for them. It replaces the one before.',
  },
)
export type OverrideCreate = Static<typeof OverrideCreate>

export const CustomerOverride = Type.Object(
  {
    customerOverride: Type.Optional(
      Type.Object({
        createdAt: Instant,
        updatedAt: Instant,
        billingProfileId: Type.Optional(Type.String()),
        customerId: Type.String(),
        workflow: Type.Optional(ref(BillingWorkflowCreate)),
        ...partials,
      }),
    ),
    baseBillingProfileId: Type.String(),
    customerProfile: Type.Object({
      supplier: ref(Supplier),
      workflow: ref(BillingWorkflow),
      apps: Apps,
      ...completeSettings,
    }),
    customer: Type.Optional(ref(Customer)),
  },
  { $id: 'BillingProfileCustomerOverrideWithDetails' },
)
export type CustomerOverride = Static<typeof CustomerOverride>
export const CustomerOverridePage = pageOf(
  ref(CustomerOverride),
  'BillingProfileCustomerOverrideWithDetailsPaginatedResponse',
)

export const OverrideExpand = Type.Object({
  expand: Type.Optional(Type.Array(Type.Enum(['apps', 'customer'] as const))),
})
export const OverrideListQuery = Type.Object({
  billingProfile: Type.Optional(Type.Array(Type.String())),
  customersWithoutPinnedProfile: Type.Optional(Type.Boolean()),
  includeAllCustomers: Type.Optional(Type.Boolean()),
  customerId: Type.Optional(Type.Array(Type.String())),
  customerName: Type.Optional(Type.String()),
  customerKey: Type.Optional(Type.String()),
  customerPrimaryEmail: Type.Optional(Type.String()),
  order: Type.Optional(Order),
  orderBy: Type.Optional(
    Type.Enum([
      'customerId',
      'customerName',
      'customerKey',
      'customerPrimaryEmail',
      'customerCreatedAt',
    ] as const),
  ),
  ...OverrideExpand.properties,
  ...PageQuery,
})

export const billingProfileSchemas: readonly TSchema[] = [
  Supplier,
  BillingWorkflowCreate,
  BillingWorkflow,
  Dunning,
  LateUsage,
  BillingProfileCreate,
  BillingProfileReplaceUpdate,
  BillingProfile,
  BillingProfilePage,
  OverrideCreate,
  CustomerOverride,
  CustomerOverridePage,
]
