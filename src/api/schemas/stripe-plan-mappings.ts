import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Instant, ResourceKey } from './common.ts'
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

export const MappingParams = Type.Object({ id: Type.String(), stripePriceId: StripePriceId })

export const stripePlanMappingSchemas: readonly TSchema[] = [
  StripePlanMappingInput,
  StripePlanMappingItem,
  StripePlanMappingsReplace,
  StripePlanMapping,
  StripePlanMappingList,
]
