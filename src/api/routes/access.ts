import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import {
  findAccessRequest,
  listAccessRequests,
  pendingAccessRequests,
} from '../../db/stores/access-requests.ts'
import { findFeaturesByKey } from '../../db/stores/features.ts'
import { accessOfCustomer, requestAccess, withdrawRequest } from '../actions/access-requests.ts'
import { requireCustomer } from '../actions/customers.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { pageRequest, presentPage } from '../paging.ts'
import { presentAccess, presentAccessRequest, presentEntitlement } from '../presenters/access.ts'
import {
  AccessRequest,
  AccessRequestCreate,
  AccessRequestListQuery,
  AccessRequestPage,
  CustomerAccess,
  EntitlementValue,
} from '../schemas/access.ts'
import { ref } from '../schemas/reference.ts'

const tags = ['Access']
const CustomerParams = Type.Object({ customerIdOrKey: Type.String() })
const FeatureParams = Type.Object({ customerIdOrKey: Type.String(), featureKey: Type.String() })
const RequestParams = Type.Object({ customerIdOrKey: Type.String(), accessRequestId: Type.String() })

/** What a customer may use now: by plan, by the gate of the first invoice, and by what is unpaid. */
export function accessRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/customers/:customerIdOrKey/access',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getCustomerAccess',
          tags,
          description:
            'What the customer may use now, on their own clock: each subscription with the reason and ' +
            'since when, and the access requests that are pending. Computed when asked, so a payment shows ' +
            'at once.',
          params: CustomerParams,
          response: { 200: ref(CustomerAccess) },
        },
      },
      async ({ params }) => {
        const { customerId, access } = await accessOfCustomer(deps, params.customerIdOrKey)
        return presentAccess(access, await pendingAccessRequests(deps.db, customerId))
      },
    )

    app.get(
      '/api/v1/customers/:customerIdOrKey/entitlements/:featureKey/value',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getCustomerEntitlementValue',
          tags,
          description: 'A feature that none of the subscriptions includes answers `hasAccess: false`.',
          params: FeatureParams,
          response: { 200: ref(EntitlementValue) },
        },
      },
      async ({ params: { customerIdOrKey, featureKey } }) => {
        const { access } = await accessOfCustomer(deps, customerIdOrKey)
        const [feature] = await findFeaturesByKey(deps.db, [featureKey])
        return presentEntitlement(access, found(feature ?? null, 'feature', featureKey).key)
      },
    )

    app.post(
      '/api/v1/customers/:customerIdOrKey/access-requests',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createAccessRequest',
          tags,
          description:
            'Granted at once where access is open, else when the payment that opens it is booked. ' +
            '`too_many_access_requests` (409) where a hundred are pending.',
          params: CustomerParams,
          body: ref(AccessRequestCreate),
          response: { 201: ref(AccessRequest) },
        },
      },
      async ({ params, body }, reply) =>
        reply.status(201).send(presentAccessRequest(await requestAccess(deps, params.customerIdOrKey, body))),
    )

    app.get(
      '/api/v1/customers/:customerIdOrKey/access-requests',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listAccessRequests',
          tags,
          description:
            'The requests of one customer, a page at a time, of all states unless `status` names some.',
          params: CustomerParams,
          querystring: AccessRequestListQuery,
          response: { 200: ref(AccessRequestPage) },
        },
      },
      async ({ params, query }) => {
        const { id: customerId } = await requireCustomer(deps, params.customerIdOrKey)
        const page = pageRequest(query)
        const requests = await listAccessRequests(deps.db, { customerId, statuses: query.status }, page)
        return presentPage(requests, page, presentAccessRequest)
      },
    )

    app.get(
      '/api/v1/customers/:customerIdOrKey/access-requests/:accessRequestId',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getAccessRequest',
          tags,
          description: 'One request of this customer and what became of it: pending, granted or withdrawn.',
          params: RequestParams,
          response: { 200: ref(AccessRequest) },
        },
      },
      async ({ params: { customerIdOrKey, accessRequestId: id } }) => {
        const { id: customerId } = await requireCustomer(deps, customerIdOrKey)
        return presentAccessRequest(
          found(await findAccessRequest(deps.db, { customerId, id }), 'access request', id),
        )
      },
    )

    app.delete(
      '/api/v1/customers/:customerIdOrKey/access-requests/:accessRequestId',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'withdrawAccessRequest',
          tags,
          description:
            'Withdraws one that is pending; once more is no error. `conflict` (409) where it was granted.',
          params: RequestParams,
          response: { 204: Type.Null() },
        },
      },
      async ({ params: { customerIdOrKey, accessRequestId } }, reply) => {
        await withdrawRequest(deps, customerIdOrKey, accessRequestId)
        return reply.status(204).send(null)
      },
    )
  }
}
