import { Type } from 'typebox'
import type { Static, TSchema } from 'typebox'
import { Instant } from './common.ts'
import { ref } from './reference.ts'

export const Event = Type.Object(
  {
    id: Type.Optional(Type.String({ minLength: 1, description: 'With `source` the identity of the event.' })),
    source: Type.Optional(Type.String({ minLength: 1, format: 'uri-reference', examples: ['service-name'] })),
    specversion: Type.Optional(Type.String({ examples: ['1.0'] })),
    type: Type.String({ minLength: 1, examples: ['prompt'] }),
    subject: Type.String({ minLength: 1, examples: ['customer-id'] }),
    time: Type.Optional(Type.Union([Instant, Type.Null()])),
    datacontenttype: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    dataschema: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    data: Type.Optional(Type.Unknown({ description: 'Any JSON; numbers keep all their digits.' })),
  },
  {
    $id: 'Event',
    description: 'A CloudEvent 1.0. When it is sent, `id`, `source` and `specversion` are required.',
  },
)

export const IngestedEvent = Type.Object(
  {
    event: ref(Event),
    customerId: Type.Optional(Type.String()),
    validationError: Type.Optional(
      Type.String({ description: 'Why no meter could use it when it was stored.' }),
    ),
    ingestedAt: Instant,
    storedAt: Instant,
  },
  { $id: 'IngestedEvent' },
)

export const IngestedEventCursorPage = Type.Object(
  { items: Type.Array(ref(IngestedEvent)), nextCursor: Type.Optional(Type.String()) },
  { $id: 'IngestedEventCursorPaginatedResponse' },
)

const LIST_MAX = 1000
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: LIST_MAX, default: 100 }))

export const EventListQuery = Type.Object({
  clientId: Type.Optional(Type.String()),
  ingestedAtFrom: Type.Optional(Instant),
  ingestedAtTo: Type.Optional(Instant),
  id: Type.Optional(Type.String({ description: 'A part of the id.' })),
  subject: Type.Optional(Type.String({ description: 'A part of the subject.' })),
  customerId: Type.Optional(Type.Array(Type.String(), { maxItems: LIST_MAX })),
  from: Type.Optional(Instant),
  to: Type.Optional(Instant),
  limit,
})
export type EventListQuery = Static<typeof EventListQuery>

export const EventCursorQuery = Type.Object({
  cursor: Type.Optional(Type.String({ maxLength: 256 })),
  limit,
  clientId: Type.Optional(Type.String()),
  filter: Type.Optional(
    Type.String({ description: 'Conditions by attribute as JSON, e.g. `{"subject":{"$eq":"acme"}}`.' }),
  ),
})
export type EventCursorQuery = Static<typeof EventCursorQuery>

const texts = Type.Array(Type.String(), { maxItems: LIST_MAX })
const TextFilter = Type.Object(
  {
    $eq: Type.Optional(Type.String()),
    $ne: Type.Optional(Type.String()),
    $in: Type.Optional(texts),
    $nin: Type.Optional(texts),
  },
  { additionalProperties: false },
)
const TimeFilter = Type.Object(
  {
    $gt: Type.Optional(Instant),
    $gte: Type.Optional(Instant),
    $lt: Type.Optional(Instant),
    $lte: Type.Optional(Instant),
  },
  { additionalProperties: false },
)

/** Of the contract's filter, what a list of events can be narrowed by here. */
export const EventFilter = Type.Object(
  {
    id: Type.Optional(TextFilter),
    source: Type.Optional(TextFilter),
    type: Type.Optional(TextFilter),
    subject: Type.Optional(TextFilter),
    customerId: Type.Optional(Type.Object({ $in: Type.Optional(texts) }, { additionalProperties: false })),
    time: Type.Optional(TimeFilter),
    ingestedAt: Type.Optional(TimeFilter),
    storedAt: Type.Optional(TimeFilter),
  },
  { additionalProperties: false },
)
export type EventFilter = Static<typeof EventFilter>

export const eventSchemas: readonly TSchema[] = [Event, IngestedEvent, IngestedEventCursorPage]
