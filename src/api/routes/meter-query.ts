import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { meterGroupByValues, meterSubjects, queryMeter } from '../../db/stores/meter-query.ts'
import { findMeter } from '../../db/stores/meters.ts'
import type { MeterRow } from '../../db/stores/meters.ts'
import type { ApiDeps } from '../deps.ts'
import { intervalOf, meterQueryOf } from '../meter-query-input.ts'
import { found } from '../not-found.ts'
import { meterQueryCsv, meterQueryJson } from '../presenters/meter-query.ts'
import {
  MeterIntervalQuery,
  MeterParams,
  MeterQueryParameters,
  MeterQueryRequest,
  MeterQueryResult,
} from '../schemas/meters.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Meters']
const result = {
  200: {
    description: 'The usage, by window and group.',
    content: {
      'application/json': { schema: ref(MeterQueryResult) },
      'text/csv': { schema: Type.String() },
    },
  },
}

/** CSV where the caller names it before JSON. */
function wantsCsv({ headers }: FastifyRequest): boolean {
  const kinds = (headers.accept ?? '').split(',').map((part) => part.split(';')[0]?.trim())
  const csv = kinds.indexOf('text/csv')
  const json = kinds.indexOf('application/json')
  return csv !== -1 && (json === -1 || csv < json)
}

async function answer(
  deps: ApiDeps,
  meter: MeterRow,
  {
    request,
    reply,
    input,
  }: { request: FastifyRequest; reply: FastifyReply; input: MeterQueryParameters | MeterQueryRequest },
): Promise<FastifyReply> {
  const query = await meterQueryOf(deps.db, meter, input)
  const rows = await queryMeter(deps.db, query)
  // The serializer of a schema would not know what to do with text that is JSON already.
  reply.serializer(String)
  if (!wantsCsv(request))
    return reply.type('application/json; charset=utf-8').send(meterQueryJson(query, rows))
  reply.header('content-disposition', `attachment; filename="${meter.key}.csv"`)
  return reply.type('text/csv; charset=utf-8').send(meterQueryCsv(query, rows))
}

/** Usage of a meter: by window, subject, customer and group. Intervals are half-open (billing rule 2). */
export function meterQueryRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  const meterOf = async (idOrSlug: string): Promise<MeterRow> =>
    found(await findMeter(deps.db, idOrSlug), 'meter', idOrSlug)
  return async (app) => {
    app.get(
      '/api/v1/meters/:meterIdOrSlug/query',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'queryMeter',
          tags,
          description:
            'Usage in the half-open interval [from, to), as one value or by `windowSize`, and by subject, ' +
            'customer or group. With a window, both ends must lie on its boundaries in `windowTimeZone`. ' +
            'CSV where `Accept` names text/csv first.',
          params: MeterParams,
          querystring: MeterQueryParameters,
          response: result,
        },
      },
      async (request, reply) =>
        answer(deps, await meterOf(request.params.meterIdOrSlug), { request, reply, input: request.query }),
    )

    app.post(
      '/api/v1/meters/:meterIdOrSlug/query',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'queryMeterPost',
          tags,
          description:
            'The same query as a body, for filters that an address cannot hold. It changes nothing, and ' +
            'a key with the scope `read` may call it.',
          params: MeterParams,
          body: ref(MeterQueryRequest),
          response: result,
        },
      },
      async (request, reply) =>
        answer(deps, await meterOf(request.params.meterIdOrSlug), { request, reply, input: request.body }),
    )

    app.get(
      '/api/v1/meters/:meterIdOrSlug/subjects',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listMeterSubjects',
          tags,
          description: 'The subjects with usage of this meter in the half-open interval [from, to).',
          params: MeterParams,
          querystring: MeterIntervalQuery,
          response: { 200: Type.Array(Type.String()) },
        },
      },
      async ({ params, query }) => {
        const meter = await meterOf(params.meterIdOrSlug)
        return [...(await meterSubjects(deps.db, { meter, subjects: null, ...intervalOf(query) }))]
      },
    )

    app.get(
      '/api/v1/meters/:meterIdOrSlug/group-by/:groupByKey/values',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listMeterGroupByValues',
          tags,
          description:
            'The values that a group-by key of this meter has in the half-open interval [from, to).',
          params: Type.Object({ ...MeterParams.properties, groupByKey: Type.String() }),
          querystring: MeterIntervalQuery,
          response: { 200: Type.Array(Type.String()) },
        },
      },
      async ({ params, query }) => {
        const meter = await meterOf(params.meterIdOrSlug)
        const scope = { meter, subjects: null, ...intervalOf(query) }
        return [...(await meterGroupByValues(deps.db, scope, params.groupByKey))]
      },
    )
  }
}
