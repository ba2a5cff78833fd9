import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Instant, Metadata, Order, PageQuery, ResourceDescription, ResourceName, Stamps } from './common.ts'
import { ref } from './reference.ts'

const Aggregation = Type.Union([
  Type.Literal('SUM'),
  Type.Literal('COUNT'),
  Type.Literal('UNIQUE_COUNT'),
  Type.Literal('AVG'),
  Type.Literal('MIN'),
  Type.Literal('MAX'),
  Type.Literal('LATEST'),
])
export const WindowSize = Type.Union([
  Type.Literal('MINUTE'),
  Type.Literal('HOUR'),
  Type.Literal('DAY'),
  Type.Literal('MONTH'),
])

const jsonPath = {
  minLength: 1,
  maxLength: 512,
  examples: ['$.tokens'],
  description: "A JSONPath of `$`, `.name`, `['name']` and `[0]` into the event's data.",
}
const JsonPath = Type.String(jsonPath)
const GroupBy = Type.Record(Type.String(), JsonPath, { description: 'A JSONPath by group-by key.' })

const editable = {
  name: Type.Optional(ResourceName),
  description: Type.Optional(ResourceDescription),
  metadata: Type.Optional(Type.Union([ref(Metadata), Type.Null()])),
  groupBy: Type.Optional(GroupBy),
}

export const MeterCreate = Type.Object(
  {
    ...editable,
    slug: Type.String({
      minLength: 1,
      maxLength: 64,
      examples: ['tokens_total'],
      description: 'The key of the meter.',
    }),
    aggregation: Aggregation,
    eventType: Type.String({ minLength: 1, maxLength: 256, examples: ['prompt'] }),
    eventFrom: Type.Optional(Instant),
    valueProperty: Type.Optional(
      Type.String({
        ...jsonPath,
        description: `${jsonPath.description} Ignored for COUNT, and not kept.`,
      }),
    ),
  },
  { $id: 'MeterCreate' },
)
export type MeterCreate = Static<typeof MeterCreate>

export const MeterUpdate = Type.Object(editable, {
  $id: 'MeterUpdate',
  description: 'What of a meter can change; a member that is left out stays.',
})
export type MeterUpdate = Static<typeof MeterUpdate>

export const Meter = Type.Object(
  {
    id: Type.String(),
    slug: Type.String(),
    name: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    metadata: Type.Optional(ref(Metadata)),
    aggregation: Aggregation,
    eventType: Type.String(),
    eventFrom: Type.Optional(Instant),
    valueProperty: Type.Optional(Type.String()),
    groupBy: Type.Optional(GroupBy),
    ...Stamps,
  },
  { $id: 'Meter' },
)
export type Meter = Static<typeof Meter>

export const MeterParams = Type.Object({ meterIdOrSlug: Type.String({ description: 'Id or slug.' }) })

export const MeterListQuery = Type.Object({
  ...PageQuery,
  order: Type.Optional(Order),
  orderBy: Type.Optional(
    Type.Union([
      Type.Literal('key'),
      Type.Literal('name'),
      Type.Literal('aggregation'),
      Type.Literal('createdAt'),
      Type.Literal('updatedAt'),
    ]),
  ),
  includeDeleted: Type.Optional(Type.Boolean()),
})

const IntervalQuery = { from: Type.Optional(Instant), to: Type.Optional(Instant) }
export const MeterIntervalQuery = Type.Object(IntervalQuery)

const SUBJECTS_MAX = 1000
const texts = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1 }), { maxItems: SUBJECTS_MAX, description }))

const queryFields = {
  ...IntervalQuery,
  clientId: Type.Optional(Type.String()),
  windowSize: Type.Optional(WindowSize),
  windowTimeZone: Type.Optional(
    Type.String({ examples: ['Europe/Berlin'], description: 'UTC where it is left out.' }),
  ),
  subject: texts('Filters by subjects, and groups by them.'),
  filterCustomerId: texts('Filters by the subjects of customers, and groups by customer.'),
  groupBy: texts('Group-by keys of the meter, `subject` or `customer_id`.'),
}

/** One value in the address, a list in a body. */
const FilterValues = Type.Union([Type.String(), Type.Array(Type.String(), { maxItems: SUBJECTS_MAX })])

export const MeterQueryParameters = Type.Object({
  ...queryFields,
  filterGroupBy: Type.Optional(Type.Record(Type.String(), FilterValues)),
  advancedMeterGroupByFilters: Type.Optional(Type.String({ description: 'The filters as JSON.' })),
})
export type MeterQueryParameters = Static<typeof MeterQueryParameters>

/** Of the contract's text filter, what a query can be narrowed by here. */
export const GroupByFilter = Type.Object(
  {
    $eq: Type.Optional(Type.String()),
    $in: Type.Optional(Type.Array(Type.String(), { maxItems: SUBJECTS_MAX })),
  },
  { additionalProperties: false, minProperties: 1, maxProperties: 1 },
)

export const MeterQueryRequest = Type.Object(
  {
    ...queryFields,
    filterGroupBy: Type.Optional(Type.Record(Type.String(), FilterValues)),
    advancedMeterGroupByFilters: Type.Optional(Type.Record(Type.String(), GroupByFilter)),
  },
  { $id: 'MeterQueryRequest' },
)
export type MeterQueryRequest = Static<typeof MeterQueryRequest>

const MeterQueryRow = Type.Object(
  {
    value: Type.Number({ description: 'Written with all its digits: a reader of doubles rounds it.' }),
    windowStart: Instant,
    windowEnd: Instant,
    subject: Type.Union([Type.String(), Type.Null()]),
    customerId: Type.Optional(Type.String()),
    groupBy: Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()])),
  },
  { $id: 'MeterQueryRow' },
)

export const MeterQueryResult = Type.Object(
  { ...IntervalQuery, windowSize: Type.Optional(WindowSize), data: Type.Array(ref(MeterQueryRow)) },
  { $id: 'MeterQueryResult' },
)

export const meterSchemas: readonly TSchema[] = [
  MeterCreate,
  MeterUpdate,
  Meter,
  MeterQueryRequest,
  MeterQueryRow,
  MeterQueryResult,
]
