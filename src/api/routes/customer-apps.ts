import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { DomainError } from '../../domain/errors.ts'
import { deleteCustomerLink } from '../../db/stores/apps.ts'
import { customerLinks, defaultCustomerLink, linkCustomer } from '../actions/customer-links.ts'
import { requireCustomer } from '../actions/customers.ts'
import type { ApiDeps } from '../deps.ts'
import { pageRequest, presentPage } from '../paging.ts'
import {
  CustomerAppDataPage,
  CustomerAppDataQuery,
  StripeCustomerAppData,
  StripeCustomerAppDataBase,
  StripeCustomerAppDataItem,
} from '../schemas/apps.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Customers']
const CustomerParams = Type.Object({ customerIdOrKey: Type.String() })
const LinkParams = Type.Object({ customerIdOrKey: Type.String(), appId: Type.String() })
const MAX_LINKS = 10

/** Who a customer is at the installed apps; every link is checked at Stripe when it is made. */
export function customerAppRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/customers/:customerIdOrKey/apps',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listCustomerAppData',
          tags,
          description: 'The Stripe customer and payment method that the customer has at each installed app.',
          params: CustomerParams,
          querystring: CustomerAppDataQuery,
          response: { 200: ref(CustomerAppDataPage) },
        },
      },
      async ({ params, query }) => {
        const { id } = await requireCustomer(deps, params.customerIdOrKey)
        const page = pageRequest(query)
        const links = (await customerLinks(deps, id)).filter(
          ({ type }) => query.type === undefined || query.type === type,
        )
        const items = links.slice((page.page - 1) * page.pageSize, page.page * page.pageSize)
        return presentPage({ items, totalCount: links.length }, page, (link) => link)
      },
    )

    app.put(
      '/api/v1/customers/:customerIdOrKey/apps',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'upsertCustomerAppData',
          tags,
          description:
            'Links the customer to existing Stripe customers; all are checked at Stripe, and stored ' +
            'together or not at all. A payment method that is named becomes the default at Stripe. ' +
            'Invoices that waited for the link or a card go on.',
          params: CustomerParams,
          body: Type.Array(ref(StripeCustomerAppDataItem), { minItems: 1, maxItems: MAX_LINKS }),
          response: { 200: Type.Array(ref(StripeCustomerAppData)) },
        },
      },
      async ({ params, body }) => {
        return [...(await linkCustomer(deps, await requireCustomer(deps, params.customerIdOrKey), body))]
      },
    )

    app.delete(
      '/api/v1/customers/:customerIdOrKey/apps/:appId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'deleteCustomerAppData',
          tags,
          description:
            'Forgets the link to one app; nothing changes at Stripe. `not_found` (404) where there is ' +
            'no link.',
          params: LinkParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params }, reply) => {
        const { id } = await requireCustomer(deps, params.customerIdOrKey)
        if (!(await deleteCustomerLink(deps.db, id, params.appId)))
          throw new DomainError('not_found', `The customer is not linked to the app ${params.appId}.`)
        return reply.status(204).send(null)
      },
    )

    app.get(
      '/api/v1/customers/:customerIdOrKey/stripe',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getCustomerStripeAppData',
          tags,
          description:
            'The link to the Stripe account that bills by default. `not_found` (404) where the ' +
            'customer has none.',
          params: CustomerParams,
          response: { 200: ref(StripeCustomerAppData) },
        },
      },
      async ({ params }) =>
        defaultCustomerLink(deps, (await requireCustomer(deps, params.customerIdOrKey)).id),
    )

    app.put(
      '/api/v1/customers/:customerIdOrKey/stripe',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'upsertCustomerStripeAppData',
          tags,
          description:
            'Links the customer to an existing Stripe customer of the account that bills by default. It ' +
            'is checked at Stripe first: `stripe_customer_not_found` or ' +
            '`stripe_payment_method_not_found` (400). Invoices that waited for it go on.',
          params: CustomerParams,
          body: ref(StripeCustomerAppDataBase),
          response: { 200: ref(StripeCustomerAppData) },
        },
      },
      async ({ params, body }) => {
        const customer = await requireCustomer(deps, params.customerIdOrKey)
        await linkCustomer(deps, customer, [{ ...body, type: 'stripe' }])
        return defaultCustomerLink(deps, customer.id)
      },
    )
  }
}
