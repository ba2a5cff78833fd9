import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Instant, PageQuery, pageOf, ResourceKey } from './common.ts'
import { ref } from './reference.ts'

const StripePriceId = Type.String({ minLength: 1, maxLength: 255, examples: ['price_1QaBcD'] })

const plan = {
  planKey: ResourceKey,
  planVersion: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 2_147_483_647,
      description: 'Left out: the version that is active when a subscription is imported.',
    }),
  ),
}

export const StripePlanMappingInput = Type.Object(plan, { $id: 'StripePlanMappingInput' })
export type StripePlanMappingInput = Static<typeof StripePlanMappingInput>

const StripePlanMappingItem = Type.Object(
  { stripePriceId: StripePriceId, ...plan },
  { $id: 'StripePlanMappingItem' },
)
export type StripePlanMappingItem = Static<typeof StripePlanMappingItem>

export const StripePlanMappingsReplace = Type.Object(
  { items: Type.Array(ref(StripePlanMappingItem), { maxItems: 500 }) },
  { $id: 'StripePlanMappingsReplace' },
)

export const StripePlanMapping = Type.Object(
  {
    stripePriceId: StripePriceId,
    ...plan,
    createdAt: Instant,
    updatedAt: Instant,
    warnings: Type.Optional(
      Type.Array(Type.String(), { description: 'What could not be checked, or would be billed twice.' }),
    ),
  },
  { $id: 'StripePlanMapping' },
)
export type StripePlanMapping = Static<typeof StripePlanMapping>

export const StripePlanMappingList = Type.Object(
  { items: Type.Array(ref(StripePlanMapping)) },
  { $id: 'StripePlanMappingList' },
)

const ImportStatus = Type.Enum(['imported', 'ended', 'not_mapped', 'failed'] as const)

export const StripeImportedSubscription = Type.Object(
  {
    stripeSubscriptionId: Type.String(),
    subscriptionId: Type.Optional(Type.String({ description: 'Ours, once it was imported.' })),
    status: ImportStatus,
    reason: Type.Optional(Type.String({ description: 'Why it is not imported.' })),
    createdAt: Instant,
    updatedAt: Instant,
  },
  { $id: 'StripeImportedSubscription' },
)
export type StripeImportedSubscription = Static<typeof StripeImportedSubscription>
export const StripeImportPage = pageOf(
  ref(StripeImportedSubscription),
  'StripeImportedSubscriptionPaginatedResponse',
)
export const StripeImportQuery = Type.Object({ ...PageQuery, status: Type.Optional(ImportStatus) })

export const StripeImportInput = Type.Object(
  {
    from: Type.Optional(
      Type.Enum(['start', 'current_period'] as const, {
        default: 'current_period',
        description:
          'Where its usage begins to count: when it was made at Stripe, or with the running period.',
      }),
    ),
  },
  { $id: 'StripeImportInput' },
)
const StripeItem = Type.Object(
  {
    lineId: Type.Optional(
      Type.String({ description: 'The line that it is a part of, where that is there.' }),
    ),
    sequence: Type.Integer(),
    amount: Type.String({ description: 'Net, in major units; negative takes back.' }),
    description: Type.String(),
    stripeItemId: Type.Optional(Type.String()),
    stripeInvoiceId: Type.Optional(Type.String({ description: 'Left out while it waits for an invoice.' })),
    stripeInvoiceNumber: Type.Optional(Type.String({ description: 'Left out while that is a draft.' })),
    stripeInvoiceStatus: Type.Optional(Type.String({ description: 'As we saw it last.' })),
    hostedInvoiceUrl: Type.Optional(Type.String()),
  },
  { $id: 'InvoiceStripeItem' },
)
export type StripeItem = Static<typeof StripeItem>
export const StripeItemList = Type.Object(
  { items: Type.Array(ref(StripeItem)) },
  { $id: 'InvoiceStripeItemList' },
)

export const ImportParams = Type.Object({
  id: Type.String(),
  stripeSubscriptionId: Type.String({ pattern: '^sub_', maxLength: 255 }),
})

export const MappingParams = Type.Object({ id: Type.String(), stripePriceId: StripePriceId })

export const stripePlanMappingSchemas: readonly TSchema[] = [
  StripePlanMappingInput,
  StripePlanMappingItem,
  StripePlanMappingsReplace,
  StripePlanMapping,
  StripePlanMappingList,
  StripeImportedSubscription,
  StripeImportPage,
  StripeImportInput,
  StripeItem,
  StripeItemList,
]
