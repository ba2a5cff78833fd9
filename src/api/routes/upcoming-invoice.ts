import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { upcomingOf } from '../actions/upcoming-invoices.ts'
import type { ApiDeps } from '../deps.ts'
import { Invoice } from '../schemas/invoices.ts'
import { ref } from '../schemas/reference.ts'
import { SubscriptionParams } from '../schemas/subscriptions.ts'

/** What a subscription would be billed now, by the code that bills. */
export function upcomingInvoiceRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/subscriptions/:subscriptionId/upcoming-invoice',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getUpcomingInvoice',
          tags: ['Subscriptions'],
          description:
            'What the subscription would be billed next with what is known now, by the code that bills. ' +
            'Computed, not stored. `not_found` (404) where nothing will be billed any more.',
          params: SubscriptionParams,
          response: { 200: ref(Invoice) },
        },
      },
      async ({ params: { subscriptionId } }) => await upcomingOf(deps, subscriptionId),
    )
  }
}
