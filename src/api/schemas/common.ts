import { Type } from 'typebox'
import type { TSchema } from 'typebox'

/** An instant, RFC 3339. */
export const Instant = Type.String({ format: 'date-time', examples: ['2025-01-31T05:00:00Z'] })

/** A decimal number as text, so that no float can round it. */
export const DecimalText = Type.String({
  pattern: '^-?[0-9]+(\\.[0-9]+)?$',
  maxLength: 128,
  description: 'A decimal number as text.',
  examples: ['0.000003'],
})

/** An ISO 8601 duration. */
export const IsoDuration = Type.String({
  pattern: '^P',
  maxLength: 64,
  examples: ['P1M'],
  description: 'An ISO 8601 duration.',
})

export const CurrencyCode = Type.String({
  pattern: '^[A-Z]{3}$',
  examples: ['USD'],
  description: 'An ISO 4217 code.',
})

export const CountryCode = Type.String({
  pattern: '^[A-Z]{2}$',
  examples: ['US'],
  description: 'An ISO 3166-1 alpha-2 code.',
})

export const ResourceKey = Type.String({
  minLength: 1,
  maxLength: 64,
  pattern: '^[a-z0-9]+(?:_[a-z0-9]+)*$',
  examples: ['tokens_total'],
  description: 'Lower-case letters, digits and single underscores.',
})

export const ResourceName = Type.String({ minLength: 1, maxLength: 256 })
export const ResourceDescription = Type.String({ maxLength: 1024 })

export const Metadata = Type.Record(Type.String(), Type.String(), {
  $id: 'Metadata',
  description: 'Additional text by key.',
})

const stamps = { createdAt: Instant, updatedAt: Instant, deletedAt: Type.Optional(Instant) }
/** Fields that every stored resource carries. */
export const Stamps = stamps

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String({ description: 'The id of the request, also in the header `x-request-id`.' }),
    code: Type.String({ description: 'Stable; see the list of error codes.' }),
    field: Type.Optional(
      Type.String({ description: 'The offending field, e.g. `phases[0].rateCards[1].price`.' }),
    ),
    extensions: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { $id: 'Problem', description: 'RFC 9457.' },
)

const MAX_PAGE = 1_000_000
const MAX_PAGE_SIZE = 1000

/** The query of every paginated list. */
export const PageQuery = {
  page: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PAGE, default: 1 })),
  pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PAGE_SIZE, default: 100 })),
}

export const Order = Type.Union([Type.Literal('ASC'), Type.Literal('DESC')])

/** `{items, page, pageSize, totalCount}`: what every paginated list answers. */
export function pageOf<T extends TSchema>(item: T, $id: string) {
  return Type.Object(
    { items: Type.Array(item), page: Type.Integer(), pageSize: Type.Integer(), totalCount: Type.Integer() },
    { $id },
  )
}

export const commonSchemas: readonly TSchema[] = [Metadata, Problem]

/** What every call answers where it fails, as the OpenAPI document has it. */
export const problemResponse = {
  description: 'A problem; act on its `code`.',
  content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
}
