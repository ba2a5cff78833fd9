import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { DomainError } from '../../domain/errors.ts'
import {
  archiveFeature,
  findFeature,
  findFeatureUse,
  insertFeature,
  listFeatures,
} from '../../db/stores/features.ts'
import { findMeter, lockMeter } from '../../db/stores/meters.ts'
import type { MeterRow } from '../../db/stores/meters.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { direction, pageRequest, presentPage } from '../paging.ts'
import { presentFeature } from '../presenters/feature.ts'
import { Feature, FeatureCreate, FeatureListQuery, FeaturePage } from '../schemas/features.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Features']
const FeatureParams = Type.Object({ featureId: Type.String({ description: 'Id or key.' }) })

/** Both forms of the contract's filter as one: a value per group. */
function filtersOf(input: FeatureCreate): Record<string, string> | null {
  const advanced = Object.entries(input.advancedMeterGroupByFilters ?? {}).map(
    ([key, { $eq }]) => [key, $eq] as const,
  )
  const filters = { ...input.meterGroupByFilters, ...Object.fromEntries(advanced) }
  return Object.keys(filters).length === 0 ? null : filters
}

async function meterOf({ db }: ApiDeps, input: FeatureCreate): Promise<MeterRow | null> {
  const idOrKey = input.meterSlug ?? input.meterId
  if (idOrKey === undefined) return null
  const meter = await findMeter(db, idOrKey)
  if (meter === null) throw noSuchMeter(input)
  return meter
}

function noSuchMeter({ meterSlug, meterId }: FeatureCreate): DomainError {
  const field = meterSlug === undefined ? 'meterId' : 'meterSlug'
  return new DomainError('validation_failed', `There is no meter ${meterSlug ?? meterId}; create it first.`, {
    field,
  })
}

function checkFilters(filters: Record<string, string> | null, meter: MeterRow | null): void {
  for (const group of Object.keys(filters ?? {})) {
    if (meter !== null && Object.hasOwn(meter.groupBy, group)) continue
    const groups =
      meter === null ? 'none, as it names no meter' : Object.keys(meter.groupBy).join(', ') || 'none'
    throw new DomainError('validation_failed', `${group} is not a group of the meter (it has: ${groups}).`, {
      field: `meterGroupByFilters.${group}`,
    })
  }
}

async function createFeature(deps: ApiDeps, input: FeatureCreate): Promise<Feature> {
  const id = deps.newId()
  const named = await meterOf(deps, input)
  const meterGroupByFilters = filtersOf(input)
  const { key, name, metadata } = input
  await deps.db.transaction().execute(async (trx) => {
    // Held until the feature is there, and read again: it could be deleted or lose a group meanwhile.
    if (named !== null) await lockMeter(trx, named.id)
    const meter = named === null ? null : await findMeter(trx, named.id)
    if (named !== null && meter === null) throw noSuchMeter(input)
    checkFilters(meterGroupByFilters, meter)
    await insertFeature(trx, {
      id,
      key,
      name,
      metadata: metadata ?? null,
      meterId: meter?.id ?? null,
      meterGroupByFilters,
      now: deps.now(),
    })
  })
  return presentFeature(found(await findFeature(deps.db, id), 'feature', id))
}

/** Features: what is sold, and how it is measured. */
export function featureRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/features',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createFeature',
          tags,
          description:
            'What is sold; with a meter, what is billed by its usage. Filters narrow the meter to ' +
            'groups it has. `duplicate_key` (409) for a key that a feature has which is not archived.',
          body: ref(FeatureCreate),
          response: { 201: ref(Feature) },
        },
      },
      async (request, reply) => reply.status(201).send(await createFeature(deps, request.body)),
    )

    app.get(
      '/api/v1/features',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listFeatures',
          tags,
          description: 'A page where `page` or `pageSize` is given, else a bare array.',
          querystring: FeatureListQuery,
          response: { 200: Type.Union([ref(FeaturePage), Type.Array(ref(Feature))]) },
        },
      },
      async ({ query }) => {
        const paged = query.page !== undefined || query.pageSize !== undefined
        const pageSize = query.pageSize ?? query.limit
        const page = pageRequest({
          ...(query.page !== undefined && { page: query.page }),
          ...(pageSize !== undefined && { pageSize }),
        })
        const ordering = { orderBy: query.orderBy ?? 'id', order: direction(query.order) } as const
        const filter = { meterKeys: query.meterSlug, includeArchived: query.includeArchived }
        const skip = paged ? {} : { offset: query.offset ?? 0 }
        const rows = await listFeatures(deps.db, filter, { ...page, ...ordering, ...skip })
        return paged ? presentPage(rows, page, presentFeature) : rows.items.map(presentFeature)
      },
    )

    app.get(
      '/api/v1/features/:featureId',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getFeature',
          tags,
          description: 'By id, archived or not, or by the key of one that is not archived.',
          params: FeatureParams,
          response: { 200: ref(Feature) },
        },
      },
      async ({ params: { featureId } }) =>
        presentFeature(found(await findFeature(deps.db, featureId), 'feature', featureId)),
    )

    app.delete(
      '/api/v1/features/:featureId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'deleteFeature',
          tags,
          description:
            'Archives it; it stays readable by id. `feature_in_use` (409) while a plan in force or a ' +
            'draft, or a subscription that has not ended, names it.',
          params: FeatureParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { featureId } }, reply) => {
        const feature = found(await findFeature(deps.db, featureId), 'feature', featureId)
        const use = await findFeatureUse(deps.db, feature.key, deps.now())
        if (use !== null)
          throw new DomainError('feature_in_use', `The feature ${feature.key} is used by ${use}.`)
        await archiveFeature(deps.db, feature.id, deps.now())
        return reply.status(204).send(null)
      },
    )
  }
}
