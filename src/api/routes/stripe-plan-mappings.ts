import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import {
  planMappings,
  putPlanMapping,
  removePlanMapping,
  replacePlanMappings,
} from '../actions/stripe-plan-mappings.ts'
import type { ApiDeps } from '../deps.ts'
import { presentPlanMapping } from '../presenters/stripe-plan-mapping.ts'
import { ref } from '../schemas/reference.ts'
import {
  MappingParams,
  StripePlanMapping,
  StripePlanMappingInput,
  StripePlanMappingList,
  StripePlanMappingsReplace,
} from '../schemas/stripe-plan-mappings.ts'

const tags = ['Apps']
const AppParams = Type.Object({ id: Type.String() })

/** Which plan a price at Stripe stands for, when a subscription is made there. */
export function stripePlanMappingRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/apps/:id/stripe/plan-mappings',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listStripePlanMappings',
          tags,
          params: AppParams,
          response: { 200: ref(StripePlanMappingList) },
        },
      },
      async ({ params: { id } }) => {
        const rows = await planMappings(deps, id)
        return { items: rows.map((row) => presentPlanMapping({ row, warnings: [] })) }
      },
    )

    app.put(
      '/api/v1/apps/:id/stripe/plan-mappings',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'replaceStripePlanMappings',
          tags,
          params: AppParams,
          body: ref(StripePlanMappingsReplace),
          response: { 200: ref(StripePlanMappingList) },
        },
      },
      async ({ params: { id }, body }) => {
        const mappings = body.items.map((item) => ({ ...item, planVersion: item.planVersion ?? null }))
        return { items: (await replacePlanMappings(deps, id, mappings)).map(presentPlanMapping) }
      },
    )

    app.put(
      '/api/v1/apps/:id/stripe/plan-mappings/:stripePriceId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'putStripePlanMapping',
          tags,
          params: MappingParams,
          body: ref(StripePlanMappingInput),
          response: { 200: ref(StripePlanMapping) },
        },
      },
      async ({ params: { id, stripePriceId }, body }) => {
        const mapping = { stripePriceId, planKey: body.planKey, planVersion: body.planVersion ?? null }
        return presentPlanMapping(await putPlanMapping(deps, id, mapping))
      },
    )

    app.delete(
      '/api/v1/apps/:id/stripe/plan-mappings/:stripePriceId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'deleteStripePlanMapping',
          tags,
          params: MappingParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { id, stripePriceId } }, reply) => {
        await removePlanMapping(deps, id, stripePriceId)
        return reply.status(204).send(null)
      },
    )
  }
}
