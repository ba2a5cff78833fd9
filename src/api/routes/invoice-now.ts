import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { invoiceNow } from '../actions/invoice-now.ts'
import { presentOneInvoice } from '../actions/present-invoices.ts'
import type { ApiDeps } from '../deps.ts'
import { commandId } from '../request-id.ts'
import { Invoice } from '../schemas/invoices.ts'
import { ref } from '../schemas/reference.ts'
import { InvoiceNow, SubscriptionParams } from '../schemas/subscriptions.ts'

/** Bills during the period, as often as asked. */
export function invoiceNowRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/subscriptions/:subscriptionId/invoice-now',
      {
        config: { scope: 'admin', admission: 'command' },
        schema: {
          operationId: 'invoiceSubscriptionNow',
          tags: ['Subscriptions'],
          description:
            'Rates the open period anew into its running invoice and sends that to Stripe, as often as ' +
            "asked; the period's closing takes the invoice over. `action_not_available` (409) where the " +
            'subscription is parked or nothing is to come.',
          params: SubscriptionParams,
          body: Type.Union([ref(InvoiceNow), Type.Null()]),
          response: { 200: ref(Invoice) },
        },
      },
      async (request) => {
        const row = await invoiceNow(deps, {
          id: request.params.subscriptionId,
          requestId: commandId(deps, request),
          approve: request.body?.approve ?? false,
        })
        return await presentOneInvoice(deps, row)
      },
    )
  }
}
