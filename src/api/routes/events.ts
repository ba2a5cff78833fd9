import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { listEvents } from '../../db/stores/event-list.ts'
import type { ApiDeps } from '../deps.ts'
import { eventsOf, readJsonBody } from '../event-body.ts'
import { eventWriter } from '../event-writer.ts'
import { eventCursorListOf, eventListOf, writeCursor } from '../event-list-input.ts'
import { ingestedEventJson } from '../presenters/event.ts'
import {
  Event,
  EventCursorQuery,
  EventListQuery,
  IngestedEvent,
  IngestedEventCursorPage,
} from '../schemas/events.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Events']
const BODY_MAX_BYTES = 5_000_000
const contentTypes = [
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
]
const JSON_TYPE = 'application/json; charset=utf-8'

const one = ref(Event)
const batch = Type.Array(ref(Event))
const ingestBody = {
  content: {
    'application/cloudevents+json': { schema: one },
    'application/cloudevents-batch+json': { schema: batch },
    'application/json': { schema: Type.Union([one, batch]) },
  },
}

/** Usage events: stored once, listed with what was wrong with them. */
export function eventRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  const write = eventWriter(deps.db)
  return async (app) => {
    // Only here: bytes become JSON that keeps all digits, and what is wrong is named by event and field.
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(contentTypes, { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) =>
      readJsonBody(body),
    )

    app.post(
      '/api/v1/events',
      {
        config: { scope: 'ingest' },
        bodyLimit: BODY_MAX_BYTES,
        // The parser of CloudEvents is stricter than a schema, and its refusals are clearer.
        validatorCompiler: () => () => true,
        schema: {
          operationId: 'ingestEvents',
          tags,
          description:
            'One CloudEvent or a batch of at most 10,000. One malformed event refuses them all. The headers perennial-events-stored, ' +
            'perennial-events-duplicate and perennial-events-invalid count what was new, there before, and of no use to any meter.',
          body: ingestBody,
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        const now = deps.now()
        const events = eventsOf(request.body, request.headers['content-type'] ?? '', now)
        const counts = await write(events, now)
        deps.observer?.eventsTaken(counts)
        for (const [name, count] of Object.entries(counts))
          reply.header(`perennial-events-${name}`, String(count))
        return reply.status(204).send(null)
      },
    )

    app.get(
      '/api/v1/events',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listEvents',
          tags,
          description: 'Newest first. Intervals are half-open.',
          querystring: EventListQuery,
          response: { 200: Type.Array(ref(IngestedEvent)) },
        },
      },
      async ({ query }, reply) => {
        const rows = await listEvents(deps.db, eventListOf(query))
        return reply
          .serializer(String)
          .type(JSON_TYPE)
          .send(`[${rows.map(ingestedEventJson).join(',')}]` as never)
      },
    )

    app.get(
      '/api/v2/events',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listEventsV2',
          tags,
          description: 'Newest first; `nextCursor` goes on below the last.',
          querystring: EventCursorQuery,
          response: { 200: ref(IngestedEventCursorPage) },
        },
      },
      async ({ query }, reply) => {
        const options = eventCursorListOf(query)
        const rows = await listEvents(deps.db, options)
        const last = rows.length === options.limit ? rows.at(-1) : undefined
        const next = last === undefined ? '' : `,"nextCursor":${JSON.stringify(writeCursor(last))}`
        const text = `{"items":[${rows.map(ingestedEventJson).join(',')}]${next}}`
        return reply
          .serializer(String)
          .type(JSON_TYPE)
          .send(text as never)
      },
    )
  }
}
