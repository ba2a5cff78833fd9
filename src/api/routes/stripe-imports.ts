import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { listImports } from '../../db/stores/stripe-imports.ts'
import { requireApp } from '../actions/require-app.ts'
import { importByHand } from '../actions/stripe-imports.ts'
import type { ApiDeps } from '../deps.ts'
import { pageRequest, presentPage } from '../paging.ts'
import { presentImport } from '../presenters/stripe-import.ts'
import { ref } from '../schemas/reference.ts'
import {
  ImportParams,
  StripeImportedSubscription,
  StripeImportInput,
  StripeImportPage,
  StripeImportQuery,
} from '../schemas/stripe-plan-mappings.ts'

const tags = ['Apps']

/** Subscriptions that were made at Stripe, and what came of them here. */
export function stripeImportRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/apps/:id/stripe/subscriptions',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listStripeSubscriptions',
          tags,
          description:
            'Subscriptions that were made at Stripe and what came of each here: imported, or why not.',
          params: Type.Object({ id: Type.String() }),
          querystring: StripeImportQuery,
          response: { 200: ref(StripeImportPage) },
        },
      },
      async ({ params: { id }, query }) => {
        await requireApp(deps, id)
        const page = pageRequest(query)
        const filter = { appId: id, status: query.status }
        return presentPage(await listImports(deps.db, filter, page), page, presentImport)
      },
    )

    app.post(
      '/api/v1/apps/:id/stripe/subscriptions/:stripeSubscriptionId/import',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'importStripeSubscription',
          tags,
          description:
            'Imports one subscription of Stripe now, whose usage counts from its current period, or as ' +
            '`from` says. One that was imported stays as it is, so it may be repeated. ' +
            '`stripe_subscription_not_importable` (409) says what is in the way.',
          params: ImportParams,
          body: ref(StripeImportInput),
          response: { 200: ref(StripeImportedSubscription) },
        },
      },
      async ({ params: { id, stripeSubscriptionId }, body }) => {
        const from = body.from ?? 'current_period'
        return presentImport(await importByHand(deps, { appId: id, stripeSubscriptionId, from }))
      },
    )
  }
}
