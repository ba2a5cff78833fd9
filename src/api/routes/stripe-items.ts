import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { getInvoiceLines } from '../../db/stores/invoices.ts'
import { itemsOfInvoice } from '../../db/stores/stripe-items.ts'
import { invoiceOf } from '../actions/invoice-actions.ts'
import type { ApiDeps } from '../deps.ts'
import { presentStripeItem } from '../presenters/stripe-item.ts'
import { InvoiceParams } from '../schemas/invoices.ts'
import { ref } from '../schemas/reference.ts'
import { StripeItemList } from '../schemas/stripe-plan-mappings.ts'

/** What of an invoice Stripe bills on invoices of its own. */
export function stripeItemRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/billing/invoices/:invoiceId/stripe-items',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listInvoiceStripeItems',
          tags: ['Invoices'],
          description:
            'The items by which Stripe bills this invoice on invoices of its own, for profiles with ' +
            '`subscription_items`. Items of nothing are left out.',
          params: InvoiceParams,
          response: { 200: ref(StripeItemList) },
        },
      },
      async ({ params: { invoiceId } }) => {
        const { id, currency } = await invoiceOf(deps, invoiceId)
        const [lines, items] = await Promise.all([getInvoiceLines(deps.db, id), itemsOfInvoice(deps.db, id)])
        // One of nothing was taken back.
        const billed = items.filter((item) => BigInt(item.amountMinor) !== 0n)
        return { items: billed.map((item) => presentStripeItem(item, { currency, lines })) }
      },
    )
  }
}
