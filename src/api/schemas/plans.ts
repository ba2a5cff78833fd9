import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import {
  CurrencyCode,
  Instant,
  IsoDuration,
  Metadata,
  Order,
  PageQuery,
  pageOf,
  ResourceDescription,
  ResourceKey,
  ResourceName,
  Stamps,
} from './common.ts'
import { Discounts, FlatPriceWithPaymentTerm, RateCardUsageBasedPrice, TaxConfig } from './prices.ts'
import { AccessGate } from './profile-settings.ts'
import { ref, taggedUnion } from './reference.ts'

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const NullableMetadata = Type.Optional(nullable(ref(Metadata)))

const MeteredEntitlement = Type.Object(
  {
    type: Type.Literal('metered'),
    metadata: Type.Optional(ref(Metadata)),
    isSoftLimit: Type.Optional(Type.Boolean()),
    issueAfterReset: Type.Optional(Type.Number({ minimum: 0 })),
    issueAfterResetPriority: Type.Optional(Type.Integer({ minimum: 1, maximum: 255 })),
    preserveOverageAtReset: Type.Optional(Type.Boolean()),
    usagePeriod: Type.Optional(IsoDuration),
  },
  { $id: 'RateCardMeteredEntitlement' },
)
const StaticEntitlement = Type.Object(
  { type: Type.Literal('static'), metadata: Type.Optional(ref(Metadata)), config: Type.String() },
  { $id: 'RateCardStaticEntitlement' },
)
const BooleanEntitlement = Type.Object(
  { type: Type.Literal('boolean'), metadata: Type.Optional(ref(Metadata)) },
  { $id: 'RateCardBooleanEntitlement' },
)
const entitlements = [MeteredEntitlement, StaticEntitlement, BooleanEntitlement] as const
const RateCardEntitlement = taggedUnion('type', entitlements, { $id: 'RateCardEntitlement' })

const rateCardFields = {
  key: ResourceKey,
  name: ResourceName,
  description: Type.Optional(ResourceDescription),
  metadata: NullableMetadata,
  featureKey: Type.Optional(ResourceKey),
  entitlementTemplate: Type.Optional(ref(RateCardEntitlement)),
  taxConfig: Type.Optional(ref(TaxConfig)),
  discounts: Type.Optional(ref(Discounts)),
}

export const RateCardFlatFee = Type.Object(
  {
    type: Type.Literal('flat_fee'),
    ...rateCardFields,
    billingCadence: nullable(IsoDuration),
    price: nullable(ref(FlatPriceWithPaymentTerm)),
  },
  {
    $id: 'RateCardFlatFee',
    description: 'A billingCadence of null is a one-time fee; a price of null is free.',
  },
)

export const RateCardUsageBased = Type.Object(
  {
    type: Type.Literal('usage_based'),
    ...rateCardFields,
    billingCadence: IsoDuration,
    price: nullable(ref(RateCardUsageBasedPrice)),
  },
  { $id: 'RateCardUsageBased' },
)

export const RateCard = taggedUnion('type', [RateCardFlatFee, RateCardUsageBased] as const, {
  $id: 'RateCard',
})

const MAX_RATE_CARDS = 500
const MAX_PHASES = 100
export const PlanPhase = Type.Object(
  {
    key: ResourceKey,
    name: ResourceName,
    description: Type.Optional(ResourceDescription),
    metadata: NullableMetadata,
    duration: nullable(IsoDuration),
    rateCards: Type.Array(ref(RateCard), { maxItems: MAX_RATE_CARDS }),
  },
  { $id: 'PlanPhase', description: 'Every phase but the last has a duration.' },
)
export type PlanPhase = Static<typeof PlanPhase>

export const PlanStatus = Type.Union([
  Type.Literal('draft'),
  Type.Literal('active'),
  Type.Literal('archived'),
  Type.Literal('scheduled'),
])
export type PlanStatus = Static<typeof PlanStatus>

export const ProRatingConfig = Type.Object({ enabled: Type.Boolean(), mode: Type.Literal('prorate_prices') })
export const Alignment = Type.Object({ billablesMustAlign: Type.Optional(Type.Boolean()) })

const replaceable = {
  name: ResourceName,
  description: Type.Optional(ResourceDescription),
  metadata: NullableMetadata,
  alignment: Type.Optional(Alignment),
  billingCadence: IsoDuration,
  proRatingConfig: Type.Optional(ProRatingConfig),
  settlementMode: Type.Optional(Type.Literal('credit_then_invoice')),
  phases: Type.Array(ref(PlanPhase), { minItems: 1, maxItems: MAX_PHASES }),
  // Ours, beside the contract's.
  accessGate: Type.Optional(nullable(AccessGate)),
}

export const PlanCreate = Type.Object(
  { key: ResourceKey, currency: CurrencyCode, ...replaceable },
  { $id: 'PlanCreate' },
)
export type PlanCreate = Static<typeof PlanCreate>

export const PlanReplaceUpdate = Type.Object(replaceable, { $id: 'PlanReplaceUpdate' })
export type PlanReplaceUpdate = Static<typeof PlanReplaceUpdate>

const ValidationError = Type.Object({ field: Type.String(), code: Type.String(), message: Type.String() })

export const Plan = Type.Object(
  {
    id: Type.String(),
    key: Type.String(),
    version: Type.Integer(),
    currency: CurrencyCode,
    ...replaceable,
    effectiveFrom: Type.Optional(Instant),
    effectiveTo: Type.Optional(Instant),
    status: PlanStatus,
    validationErrors: nullable(Type.Array(ValidationError)),
    ...Stamps,
  },
  { $id: 'Plan' },
)
export type Plan = Static<typeof Plan>

export const PlanPage = pageOf(ref(Plan), 'PlanPaginatedResponse')

const PlanOrderBy = ['id', 'key', 'version', 'created_at', 'updated_at'] as const
export const PlanListQuery = Type.Object({
  includeDeleted: Type.Optional(Type.Boolean()),
  id: Type.Optional(Type.Array(Type.String())),
  key: Type.Optional(Type.Array(Type.String())),
  keyVersion: Type.Optional(
    Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.String())])),
  ),
  status: Type.Optional(Type.Array(PlanStatus)),
  currency: Type.Optional(Type.Array(CurrencyCode)),
  order: Type.Optional(Order),
  orderBy: Type.Optional(Type.Enum(PlanOrderBy)),
  ...PageQuery,
})
export type PlanListQuery = Static<typeof PlanListQuery>

export const planSchemas: readonly TSchema[] = [
  ...entitlements,
  RateCardEntitlement,
  RateCardFlatFee,
  RateCardUsageBased,
  RateCard,
  PlanPhase,
  PlanCreate,
  PlanReplaceUpdate,
  Plan,
  PlanPage,
]
