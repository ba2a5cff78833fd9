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
          description:
            'Which plan each mapped price at Stripe stands for, when a subscription is made there.',
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
          description:
            'Replaces all mappings of the app; all are checked at Stripe before one is stored. ' +
            'Subscriptions that waited for a mapping are imported. `stripe_price_not_mappable` (400) ' +
            "names the price whose interval or currency is not the plan's.",
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
          description:
            'Maps a price to a plan, or to another than before. Subscriptions that waited for it are ' +
            'imported; those that were imported stay as they are. `stripe_price_not_mappable` (400) ' +
            'where interval or currency differ.',
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
          description:
            'Subscriptions that were imported by it go on. `not_found` (404) where the price is not mapped.',
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
