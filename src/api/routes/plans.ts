import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { DomainError } from '../../domain/errors.ts'
import { listPlans } from '../../db/stores/plans.ts'
import type { PlanFilter } from '../../db/stores/plans.ts'
import {
  archivePlan,
  createPlan,
  nextPlan,
  publishPlan,
  readPlan,
  removePlan,
  updatePlan,
} from '../actions/plans.ts'
import type { ApiDeps } from '../deps.ts'
import { direction, pageRequest, presentPage } from '../paging.ts'
import { presentPlan } from '../presenters/plan.ts'
import { Plan, PlanCreate, PlanListQuery, PlanPage, PlanReplaceUpdate } from '../schemas/plans.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Plans']
const PlanParams = Type.Object({ planId: Type.String() })
const columns = {
  id: 'id',
  key: 'key',
  version: 'version',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
} as const

/** What the column holds. */
const MAX_VERSION = 2_147_483_647

/** `keyVersion[pro]=1,2` or repeated: the client writes the first. */
function keyVersionsOf(given: PlanListQuery['keyVersion']): PlanFilter['keyVersions'] {
  if (given === undefined) return undefined
  const entries = Object.entries(given).map(
    ([key, versions]) => [key, [versions].flat().flatMap((text) => text.split(',').map(Number))] as const,
  )
  const isVersion = (number: number): boolean => Number.isInteger(number) && Math.abs(number) <= MAX_VERSION
  const wrong = entries.find(([, versions]) => !versions.every(isVersion))
  if (wrong !== undefined)
    throw new DomainError('validation_failed', `keyVersion[${wrong[0]}] must be version numbers.`, {
      field: `keyVersion.${wrong[0]}`,
    })
  return Object.fromEntries(entries)
}

function filterOf(query: PlanListQuery, now: Date): PlanFilter {
  return {
    includeDeleted: query.includeDeleted ?? false,
    ids: query.id,
    keys: query.key,
    keyVersions: keyVersionsOf(query.keyVersion),
    statuses: query.status,
    currencies: query.currency,
    now,
  }
}

/** Plans: drafts become published versions, and a published version never changes. */
export function planRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/plans',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createPlan',
          tags,
          description:
            'A draft, which nobody can subscribe to before it is published. Currency, decimals, durations ' +
            'and tiers are checked now, all else when it is published. A key that exists gets its next ' +
            'version; `duplicate_key` (409) while it has a draft.',
          body: ref(PlanCreate),
          response: { 201: ref(Plan) },
        },
      },
      async ({ body }, reply) =>
        reply.status(201).send(presentPlan(await createPlan(deps, body), deps.now())),
    )

    app.get(
      '/api/v1/plans',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listPlans',
          tags,
          description: 'A page of plan versions, with filters by id, key, version, status and currency.',
          querystring: PlanListQuery,
          response: { 200: ref(PlanPage) },
        },
      },
      async ({ query }) => {
        const page = pageRequest(query)
        const ordering = { orderBy: columns[query.orderBy ?? 'id'], order: direction(query.order) }
        const plans = await listPlans(deps.db, filterOf(query, deps.now()), { ...page, ...ordering })
        return presentPage(plans, page, (plan) => presentPlan(plan, deps.now()))
      },
    )

    app.get(
      '/api/v1/plans/:planId',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getPlan',
          tags,
          description:
            'By id; or by key, which finds the version in force, or the newest with `includeLatest`.',
          params: PlanParams,
          querystring: Type.Object({ includeLatest: Type.Optional(Type.Boolean()) }),
          response: { 200: ref(Plan) },
        },
      },
      async ({ params, query }) =>
        presentPlan(await readPlan(deps, params.planId, query.includeLatest ?? false), deps.now()),
    )

    app.put(
      '/api/v1/plans/:planId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'updatePlan',
          tags,
          description:
            'Replaces a draft; key and currency stay. `plan_not_draft` (409) once it is published: make ' +
            'the next version then.',
          params: PlanParams,
          body: ref(PlanReplaceUpdate),
          response: { 200: ref(Plan) },
        },
      },
      async ({ params, body }) => presentPlan(await updatePlan(deps, params.planId, body), deps.now()),
    )

    app.delete(
      '/api/v1/plans/:planId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'deletePlan',
          tags,
          description:
            'Deletes a draft or an archived version; subscriptions to it go on. `plan_not_draft` (409) for ' +
            'one in force: archive it first.',
          params: PlanParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params }, reply) => {
        await removePlan(deps, params.planId)
        return reply.status(204).send(null)
      },
    )

    app.post(
      '/api/v1/plans/:planId/publish',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'publishPlan',
          tags,
          description:
            'Puts a draft in force from now on; the version before ends at the same instant, and its ' +
            'subscriptions stay on it. All problems are listed in `validationErrors`. ' +
            '`plan_already_published` (409) when repeated.',
          params: PlanParams,
          response: { 200: ref(Plan) },
        },
      },
      async ({ params }) => presentPlan(await publishPlan(deps, params.planId), deps.now()),
    )

    app.post(
      '/api/v1/plans/:planId/archive',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'archivePlan',
          tags,
          description:
            'Nobody can subscribe to it from now on; subscriptions there are go on. `plan_not_published` ' +
            '(409) for a draft, and when repeated.',
          params: PlanParams,
          response: { 200: ref(Plan) },
        },
      },
      async ({ params }) => presentPlan(await archivePlan(deps, params.planId), deps.now()),
    )

    app.post(
      '/api/v1/plans/:planId/next',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'nextPlan',
          tags,
          description:
            'A draft of the next version, with all that the newest one has. By id or key. `duplicate_key` ' +
            '(409) while the plan has a draft.',
          params: PlanParams,
          response: { 201: ref(Plan) },
        },
      },
      async ({ params }, reply) =>
        reply.status(201).send(presentPlan(await nextPlan(deps, params.planId), deps.now())),
    )
  }
}
