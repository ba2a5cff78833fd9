import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Instant, Metadata, Order, pageOf, ResourceKey, ResourceName, Stamps } from './common.ts'
import { ref } from './reference.ts'

const TextMap = Type.Record(Type.String(), Type.String())

/** Of the contract's text filter, what a feature can be narrowed by here. */
const EqualsFilter = Type.Object({ $eq: Type.String() }, { additionalProperties: false })

export const FeatureCreate = Type.Object(
  {
    key: ResourceKey,
    name: ResourceName,
    metadata: Type.Optional(ref(Metadata)),
    meterSlug: Type.Optional(
      Type.String({ minLength: 1, description: 'The key of the meter that measures it.' }),
    ),
    meterId: Type.Optional(Type.String({ minLength: 1, description: 'Instead of meterSlug.' })),
    meterGroupByFilters: Type.Optional(TextMap),
    advancedMeterGroupByFilters: Type.Optional(Type.Record(Type.String(), EqualsFilter)),
  },
  { $id: 'FeatureCreateInputs' },
)
export type FeatureCreate = Static<typeof FeatureCreate>

export const Feature = Type.Object(
  {
    id: Type.String(),
    key: Type.String(),
    name: Type.String(),
    metadata: Type.Optional(ref(Metadata)),
    meterSlug: Type.Optional(Type.String()),
    meterGroupByFilters: Type.Optional(TextMap),
    advancedMeterGroupByFilters: Type.Optional(Type.Record(Type.String(), EqualsFilter)),
    archivedAt: Type.Optional(Instant),
    ...Stamps,
  },
  { $id: 'Feature' },
)
export type Feature = Static<typeof Feature>

export const FeaturePage = pageOf(ref(Feature), 'FeaturePaginatedResponse')

const MAX_OFFSET = 1_000_000
export const FeatureListQuery = Type.Object({
  meterSlug: Type.Optional(Type.Array(Type.String())),
  includeArchived: Type.Optional(Type.Boolean()),
  page: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_OFFSET })),
  pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_OFFSET })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  order: Type.Optional(Order),
  orderBy: Type.Optional(
    Type.Union([
      Type.Literal('id'),
      Type.Literal('key'),
      Type.Literal('name'),
      Type.Literal('createdAt'),
      Type.Literal('updatedAt'),
    ]),
  ),
})

export const featureSchemas: readonly TSchema[] = [FeatureCreate, Feature, FeaturePage]
