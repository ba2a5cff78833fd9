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
  ResourceName,
  Stamps,
} from './common.ts'
import { DiscountsDocument, PriceDocument, TaxConfigDocument } from './documents.ts'
import { Feature } from './features.ts'
import { Alignment, PlanPhase, ProRatingConfig } from './plans.ts'
import { AccessGate } from './profile-settings.ts'
import { ref } from './reference.ts'

/** When a command takes effect; an instant may lie in the future (billing rule 6). */
const SubscriptionTiming = Type.Union(
  [Type.Literal('immediate'), Type.Literal('next_billing_cycle'), Instant],
  {
    description: '`immediate`, `next_billing_cycle` or an instant.',
  },
)

const SettlementMode = Type.Union([Type.Literal('credit_then_invoice'), Type.Literal('credit_only')])
const Period = Type.Object({ from: Instant, to: Instant })

const CustomPlan = Type.Object({
  name: ResourceName,
  description: Type.Optional(ResourceDescription),
  metadata: Type.Optional(Type.Union([ref(Metadata), Type.Null()])),
  alignment: Type.Optional(Alignment),
  currency: CurrencyCode,
  billingCadence: IsoDuration,
  proRatingConfig: Type.Optional(ProRatingConfig),
  settlementMode: Type.Optional(SettlementMode),
  phases: Type.Array(ref(PlanPhase), { minItems: 1 }),
  // Ours, beside the contract's.
  accessGate: Type.Optional(Type.Union([AccessGate, Type.Null()])),
})

/** What the column holds. */
const MAX_PLAN_VERSION = 2_147_483_647

/** Of a published plan (`plan`) or of one written in place (`customPlan`). */
export const SubscriptionCreate = Type.Object(
  {
    plan: Type.Optional(
      Type.Object({
        key: Type.String({ minLength: 1, maxLength: 64 }),
        version: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PLAN_VERSION })),
      }),
    ),
    customPlan: Type.Optional(CustomPlan),
    customerId: Type.Optional(Type.String({ minLength: 1 })),
    customerKey: Type.Optional(Type.String({ minLength: 1 })),
    timing: Type.Optional(SubscriptionTiming),
    startingPhase: Type.Optional(Type.String()),
    billingAnchor: Type.Optional(Instant),
    name: Type.Optional(ResourceName),
    description: Type.Optional(ResourceDescription),
    metadata: Type.Optional(Type.Union([ref(Metadata), Type.Null()])),
    alignment: Type.Optional(Alignment),
    settlementMode: Type.Optional(SettlementMode),
  },
  { $id: 'SubscriptionCreate' },
)
export type SubscriptionCreate = Static<typeof SubscriptionCreate>

export const SubscriptionCancel = Type.Object(
  { timing: Type.Optional(SubscriptionTiming) },
  { $id: 'SubscriptionCancel' },
)

export const InvoiceNow = Type.Object(
  {
    approve: Type.Optional(
      Type.Boolean({
        description: 'Send it to Stripe at once, where the profile sends only bills that are approved.',
      }),
    ),
  },
  { $id: 'SubscriptionInvoiceNow' },
)

const SubscriptionStatus = Type.Union([
  Type.Literal('active'),
  Type.Literal('inactive'),
  Type.Literal('canceled'),
  Type.Literal('scheduled'),
])

const fields = {
  id: Type.String(),
  name: ResourceName,
  description: Type.Optional(ResourceDescription),
  metadata: Type.Optional(ref(Metadata)),
  ...Stamps,
  activeFrom: Instant,
  activeTo: Type.Optional(Instant),
  status: SubscriptionStatus,
  customerId: Type.String(),
  plan: Type.Optional(Type.Object({ id: Type.String(), key: Type.String(), version: Type.Integer() })),
  currency: CurrencyCode,
  billingCadence: IsoDuration,
  proRatingConfig: ProRatingConfig,
  billingAnchor: Instant,
  settlementMode: SettlementMode,
  // Ours, beside the contract's.
  lifecycle: Type.String({
    description: 'Finer than `status`: scheduled, active, canceled, ended or parked.',
  }),
  lifecycleReason: Type.Optional(Type.String({ description: 'Why it is parked or ended, for people.' })),
  accessGate: AccessGate,
  timezone: Type.String({
    description: 'The zone in which billing periods are computed; taken from the customer at creation.',
  }),
  nextBillingAt: Type.Optional(Instant),
  waitingFor: Type.Optional(Type.String({ description: 'What its workflow waits for, in words.' })),
  stripe: Type.Optional(
    Type.Object(
      { appId: Type.String(), subscriptionId: Type.String() },
      { description: 'The subscription at Stripe that it was made from.' },
    ),
  ),
  temporalWorkflowId: Type.String({
    description: 'The workflow that bills it, to look up in the Temporal UI.',
  }),
}

export const Subscription = Type.Object(
  { ...fields, alignment: Type.Optional(Alignment) },
  { $id: 'Subscription' },
)
export type Subscription = Static<typeof Subscription>

const SubscriptionItem = Type.Object(
  {
    id: Type.String(),
    key: Type.String(),
    name: ResourceName,
    description: Type.Optional(ResourceDescription),
    metadata: Type.Optional(ref(Metadata)),
    ...Stamps,
    activeFrom: Instant,
    activeTo: Type.Optional(Instant),
    featureKey: Type.Optional(Type.String()),
    billingCadence: Type.Union([IsoDuration, Type.Null()]),
    price: Type.Union([PriceDocument, Type.Null()]),
    discounts: Type.Optional(DiscountsDocument),
    taxConfig: Type.Optional(TaxConfigDocument),
    included: Type.Optional(Type.Object({ feature: ref(Feature) })),
  },
  { $id: 'SubscriptionItem' },
)
export type SubscriptionItem = Static<typeof SubscriptionItem>

const SubscriptionPhase = Type.Object(
  {
    id: Type.String(),
    key: Type.String(),
    name: ResourceName,
    description: Type.Optional(ResourceDescription),
    metadata: Type.Optional(ref(Metadata)),
    ...Stamps,
    activeFrom: Instant,
    activeTo: Type.Optional(Instant),
    items: Type.Array(ref(SubscriptionItem)),
    itemTimelines: Type.Record(Type.String(), Type.Array(ref(SubscriptionItem))),
  },
  { $id: 'SubscriptionPhaseExpanded' },
)
export type SubscriptionPhase = Static<typeof SubscriptionPhase>

export const SubscriptionExpanded = Type.Object(
  {
    ...fields,
    alignment: Type.Optional(
      Type.Object({
        billablesMustAlign: Type.Optional(Type.Boolean()),
        currentAlignedBillingPeriod: Type.Optional(Period),
      }),
    ),
    phases: Type.Array(ref(SubscriptionPhase)),
  },
  { $id: 'SubscriptionExpanded' },
)
export type SubscriptionExpanded = Static<typeof SubscriptionExpanded>

export const SubscriptionPage = pageOf(ref(Subscription), 'SubscriptionPaginatedResponse')

export const SubscriptionListQuery = Type.Object({
  ...PageQuery,
  status: Type.Optional(Type.Array(SubscriptionStatus)),
  order: Type.Optional(Order),
  orderBy: Type.Optional(Type.Union([Type.Literal('activeFrom'), Type.Literal('activeTo')])),
})

export const TimelineEntry = Type.Object(
  {
    at: Instant,
    kind: Type.String(),
    detail: Type.String(),
    recordedAt: Type.String({
      format: 'date-time',
      description: 'Real time; `at` is on the test clock where there is one.',
    }),
  },
  { $id: 'TimelineEntry' },
)
export type TimelineEntry = Static<typeof TimelineEntry>

export const SubscriptionParams = Type.Object({ subscriptionId: Type.String({ minLength: 1 }) })

export const subscriptionSchemas: readonly TSchema[] = [
  SubscriptionCreate,
  SubscriptionCancel,
  InvoiceNow,
  Subscription,
  SubscriptionItem,
  SubscriptionPhase,
  SubscriptionExpanded,
  SubscriptionPage,
  TimelineEntry,
]
