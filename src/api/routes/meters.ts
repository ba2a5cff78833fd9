import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { DomainError } from '../../domain/errors.ts'
import { checkGroupBy, checkMeter } from '../../domain/meters.ts'
import { lostFilters } from '../../db/stores/meter-use.ts'
import type { Db } from '../../db/connection.ts'
import {
  deleteMeter,
  findMeter,
  insertMeter,
  listMeters,
  lockMeter,
  updateMeter,
} from '../../db/stores/meters.ts'
import type { ApiDeps } from '../deps.ts'
import { instantOf } from '../meter-query-input.ts'
import { found } from '../not-found.ts'
import { direction } from '../paging.ts'
import { presentMeter } from '../presenters/meter.ts'
import { Meter, MeterCreate, MeterListQuery, MeterParams, MeterUpdate } from '../schemas/meters.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Meters']

async function createMeter({ db, newId, now }: ApiDeps, input: MeterCreate): Promise<Meter> {
  const definition = {
    key: input.slug,
    eventType: input.eventType,
    aggregation: input.aggregation,
    // The contract ignores it for COUNT: keeping it would suggest that it matters.
    valueProperty: input.aggregation === 'COUNT' ? null : (input.valueProperty ?? null),
    groupBy: input.groupBy ?? {},
  }
  checkMeter(definition)
  const meter = {
    ...definition,
    id: newId(),
    name: input.name ?? null,
    description: input.description ?? null,
    metadata: input.metadata ?? null,
    eventFrom: instantOf(input.eventFrom, 'eventFrom'),
  }
  const row = await insertMeter(db, meter, now())
  if (row === null) {
    throw new DomainError('duplicate_key', `There is a meter with the slug ${input.slug} already.`, {
      field: 'slug',
    })
  }
  return presentMeter(row)
}

async function changeMeter({ db, now }: ApiDeps, idOrSlug: string, input: MeterUpdate): Promise<Meter> {
  const meter = found(await findMeter(db, idOrSlug), 'meter', idOrSlug)
  const { name, description, metadata, groupBy } = input
  const change = {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(metadata !== undefined && { metadata }),
    ...(groupBy !== undefined && { groupBy }),
  }
  const changed = await db.transaction().execute(async (trx) => {
    await lockMeter(trx, meter.id)
    if (groupBy !== undefined) await checkGroups(trx, meter.id, groupBy)
    return updateMeter(trx, meter.id, { ...change, now: now() })
  })
  return presentMeter(found(changed, 'meter', idOrSlug))
}

async function checkGroups(db: Db, meterId: string, groupBy: Record<string, string>): Promise<void> {
  checkGroupBy(groupBy)
  const lost = await lostFilters(db, meterId, Object.keys(groupBy))
  if (lost === null) return
  const message = `The feature ${lost.featureKey} filters by ${lost.groupByKey}: without it, it would measure nothing.`
  throw new DomainError('meter_in_use', message, { field: `groupBy.${lost.groupByKey}` })
}

async function removeMeter({ db, now }: ApiDeps, idOrSlug: string): Promise<void> {
  const meter = found(await findMeter(db, idOrSlug), 'meter', idOrSlug)
  const outcome = await db.transaction().execute((trx) => deleteMeter(trx, meter.id, now()))
  if (outcome === 'in_use')
    throw new DomainError('meter_in_use', `A feature counts by the meter ${meter.key}.`)
}

/** Meters: which events count, and how. */
export function meterRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/meters',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createMeter',
          tags,
          description:
            'Which events count, and how. Events that are stored already count too, from `eventFrom` on. ' +
            '`valueProperty` is needed by all aggregations but COUNT, which ignores it. `duplicate_key` ' +
            '(409) for a slug that is taken.',
          body: ref(MeterCreate),
          response: { 201: ref(Meter) },
        },
      },
      async (request, reply) => reply.status(201).send(await createMeter(deps, request.body)),
    )

    app.get(
      '/api/v1/meters',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listMeters',
          tags,
          description:
            'A page of the meters as a bare array, without deleted ones unless `includeDeleted` is true.',
          querystring: MeterListQuery,
          response: { 200: Type.Array(ref(Meter)) },
        },
      },
      async ({ query }) => {
        const limit = query.pageSize ?? 100
        const rows = await listMeters(deps.db, {
          orderBy: query.orderBy ?? 'createdAt',
          order: direction(query.order),
          limit,
          offset: ((query.page ?? 1) - 1) * limit,
          includeDeleted: query.includeDeleted ?? false,
        })
        return rows.map(presentMeter)
      },
    )

    app.get(
      '/api/v1/meters/:meterIdOrSlug',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getMeter',
          tags,
          description: 'By id or slug, of one that is not deleted.',
          params: MeterParams,
          response: { 200: ref(Meter) },
        },
      },
      async ({ params: { meterIdOrSlug } }) =>
        presentMeter(found(await findMeter(deps.db, meterIdOrSlug), 'meter', meterIdOrSlug)),
    )

    app.put(
      '/api/v1/meters/:meterIdOrSlug',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'updateMeter',
          tags,
          description:
            'Changes name, description, metadata and groups; what is left out stays. How it aggregates ' +
            'never changes. `meter_in_use` (409) for a group that a feature filters by.',
          params: MeterParams,
          body: ref(MeterUpdate),
          response: { 200: ref(Meter) },
        },
      },
      async (request) => changeMeter(deps, request.params.meterIdOrSlug, request.body),
    )

    app.delete(
      '/api/v1/meters/:meterIdOrSlug',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'deleteMeter',
          tags,
          description: 'Events stay. `meter_in_use` (409) while a feature that is not archived counts by it.',
          params: MeterParams,
          response: { 204: Type.Null() },
        },
      },
      async (request, reply) => {
        await removeMeter(deps, request.params.meterIdOrSlug)
        return reply.status(204).send(null)
      },
    )
  }
}
