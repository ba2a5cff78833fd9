import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { findCustomer, listCustomers } from '../../db/stores/customers.ts'
import type { CustomerRow } from '../../db/stores/customers.ts'
import { createCustomer, removeCustomer, updateCustomer } from '../actions/customers.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { direction, pageRequest, presentPage } from '../paging.ts'
import { presentCustomer } from '../presenters/customer.ts'
import { subscriptionsByCustomer } from '../presenters/customer-subscriptions.ts'
import {
  Customer,
  CustomerCreate,
  CustomerExpand,
  CustomerListQuery,
  CustomerPage,
  CustomerReplaceUpdate,
} from '../schemas/customers.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Customers']
const CustomerParams = Type.Object({ customerIdOrKey: Type.String() })

/** Customers with their subscriptions, where `expand` asks for them. */
async function presenter(deps: ApiDeps, rows: readonly CustomerRow[], expand: readonly string[] | undefined) {
  if (expand?.includes('subscriptions') !== true) return presentCustomer
  const subscriptions = await subscriptionsByCustomer(
    deps.db,
    rows.map(({ id }) => id),
  )
  return (row: CustomerRow): Customer => ({
    ...presentCustomer(row),
    subscriptions: subscriptions.get(row.id) ?? [],
  })
}

/** Customers: who is billed, in which zone, for which subjects' usage. */
export function customerRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/customers',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createCustomer',
          tags,
          description:
            'Who is billed. Usage is attributed by `usageAttribution.subjectKeys`, without them by the ' +
            'key. Time zone (UTC where left out) decides when billing periods begin; `testClockId` can ' +
            'be given only here. `duplicate_key` (409) for a key or subject that another customer has. ' +
            'Usage counts for who had its subject when it happened; of before anybody had it, for the first.',
          body: ref(CustomerCreate),
          response: { 201: ref(Customer) },
        },
      },
      async ({ body }, reply) => reply.status(201).send(presentCustomer(await createCustomer(deps, body))),
    )

    app.get(
      '/api/v1/customers',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listCustomers',
          tags,
          description:
            'A page of the customers. Text filters match a part, whatever the case. ' +
            '`expand=subscriptions` adds theirs.',
          querystring: CustomerListQuery,
          response: { 200: ref(CustomerPage) },
        },
      },
      async ({ query }) => {
        const page = pageRequest(query)
        const ordering = { orderBy: query.orderBy ?? 'id', order: direction(query.order) }
        const customers = await listCustomers(deps.db, query, { ...page, ...ordering })
        return presentPage(customers, page, await presenter(deps, customers.items, query.expand))
      },
    )

    app.get(
      '/api/v1/customers/:customerIdOrKey',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getCustomer',
          tags,
          description:
            'By id, deleted or not, or by the key of one that is not deleted. `expand=subscriptions` ' +
            'adds theirs.',
          params: CustomerParams,
          querystring: CustomerExpand,
          response: { 200: ref(Customer) },
        },
      },
      async ({ params: { customerIdOrKey }, query }) => {
        const customer = found(await findCustomer(deps.db, customerIdOrKey), 'customer', customerIdOrKey)
        return (await presenter(deps, [customer], query.expand))(customer)
      },
    )

    app.put(
      '/api/v1/customers/:customerIdOrKey',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'updateCustomer',
          tags,
          description:
            'Replaces the customer: what is left out is cleared, but the test clock, which stays, and ' +
            'the time zone. Another `primaryEmail` is sent to Stripe afterwards.',
          params: CustomerParams,
          body: ref(CustomerReplaceUpdate),
          response: { 200: ref(Customer) },
        },
      },
      async ({ params, body }) => presentCustomer(await updateCustomer(deps, params.customerIdOrKey, body)),
    )

    app.delete(
      '/api/v1/customers/:customerIdOrKey',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'deleteCustomer',
          tags,
          description:
            'The customer stays readable by id; its key and subject keys can be given again. ' +
            '`customer_in_use` (409) while it has subscriptions or open invoices.',
          params: CustomerParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params }, reply) => {
        await removeCustomer(deps, params.customerIdOrKey)
        return reply.status(204).send(null)
      },
    )
  }
}
