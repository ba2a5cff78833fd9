import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { accessStates } from '../../domain/access.ts'
import { Instant, Metadata, PageQuery, pageOf, ResourceKey } from './common.ts'
import { ref } from './reference.ts'

export const EntitlementValue = Type.Object(
  {
    hasAccess: Type.Boolean(),
    config: Type.Optional(Type.String({ description: 'Of a static entitlement.' })),
  },
  { $id: 'EntitlementValue', description: 'Usage is not counted against metered entitlements yet.' },
)
export type EntitlementValue = Static<typeof EntitlementValue>

const SubscriptionAccess = Type.Object({
  id: Type.String(),
  planKey: Type.Optional(Type.String()),
  access: Type.Enum(accessStates, {
    description:
      'pending_payment: its first invoice is to be paid first. suspended: a payment failed, and its grace is over.',
  }),
  reason: Type.String({ description: 'For people.' }),
  since: Instant,
  firstInvoiceId: Type.Optional(
    Type.String({
      description: 'The first invoice with something to collect: the one that opens a gated subscription.',
    }),
  ),
})

const AccessRequestStatus = Type.Enum(['pending', 'granted', 'withdrawn'] as const)

const MAX_METADATA = 50
export const AccessRequestCreate = Type.Object(
  {
    featureKey: Type.Optional(ResourceKey),
    subscriptionId: Type.Optional(Type.String({ minLength: 1 })),
    metadata: Type.Optional(Type.Record(Type.String(), Type.String(), { maxProperties: MAX_METADATA })),
  },
  { $id: 'AccessRequestCreate', description: 'Nothing named: any subscription, whatever it includes.' },
)
export type AccessRequestCreate = Static<typeof AccessRequestCreate>

export const AccessRequest = Type.Object(
  {
    id: Type.String(),
    customerId: Type.String(),
    subscriptionId: Type.Optional(Type.String()),
    featureKey: Type.Optional(Type.String()),
    status: AccessRequestStatus,
    requestedAt: Instant,
    grantedAt: Type.Optional(Instant),
    metadata: Type.Optional(ref(Metadata)),
  },
  {
    $id: 'AccessRequest',
    description: 'What was asked for before it is granted, once the first invoice is paid.',
  },
)
export type AccessRequest = Static<typeof AccessRequest>
export const AccessRequestPage = pageOf(ref(AccessRequest), 'AccessRequestPaginatedResponse')

export const CustomerAccess = Type.Object(
  {
    entitlements: Type.Record(Type.String(), ref(EntitlementValue)),
    // Ours, beside the contract's.
    subscriptions: Type.Array(SubscriptionAccess),
    requests: Type.Array(ref(AccessRequest), { description: 'Those that are pending.' }),
  },
  { $id: 'CustomerAccess' },
)
export type CustomerAccess = Static<typeof CustomerAccess>

export const AccessRequestListQuery = Type.Object({
  status: Type.Optional(Type.Array(AccessRequestStatus)),
  ...PageQuery,
})

export const accessSchemas: readonly TSchema[] = [
  EntitlementValue,
  AccessRequestCreate,
  AccessRequest,
  AccessRequestPage,
  CustomerAccess,
]
