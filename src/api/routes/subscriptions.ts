import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { Static } from 'typebox'
import {
  findCustomerByIdOrKey,
  listSubscriptions,
  listTimeline,
  viewSubscription,
} from '../../db/stores/subscription-reads.ts'
import {
  cancelSubscription,
  releaseSubscription,
  subscriptionOf,
  unscheduleCancelation,
} from '../actions/cancel-subscription.ts'
import { createSubscription } from '../actions/create-subscription.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { pageRequest, presentPage } from '../paging.ts'
import {
  lifecyclesOfStatus,
  presentSubscription,
  presentSubscriptionExpanded,
  presentTimelineEntry,
} from '../presenters/subscription.ts'
import { commandId } from '../request-id.ts'
import { ref } from '../schemas/reference.ts'
import {
  Subscription,
  SubscriptionCancel,
  SubscriptionCreate,
  SubscriptionExpanded,
  SubscriptionListQuery,
  SubscriptionPage,
  SubscriptionParams,
  TimelineEntry,
} from '../schemas/subscriptions.ts'

const tags = ['Subscriptions']
const CustomerParams = Type.Object({ customerIdOrKey: Type.String({ minLength: 1 }) })
const AllSubscriptionsQuery = Type.Object({
  ...SubscriptionListQuery.properties,
  customerId: Type.Optional(Type.String()),
})

async function list(deps: ApiDeps, query: Static<typeof AllSubscriptionsQuery>) {
  const page = pageRequest(query)
  const { rows, totalCount } = await listSubscriptions(deps.db, {
    customerIds: query.customerId === undefined ? undefined : [query.customerId],
    lifecycles: query.status?.flatMap(lifecyclesOfStatus),
    ...page,
    order: query.order ?? 'ASC',
    orderBy: query.orderBy ?? 'activeFrom',
  })
  return presentPage({ items: rows, totalCount }, page, presentSubscription)
}

/** Subscriptions: who is billed what, from when to when. */
export function subscriptionRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/subscriptions',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'createSubscription',
          tags,
          description:
            'Subscribes a customer to a published plan (its version in force unless one is named) or to ' +
            'a plan of its own. It starts now unless `timing` says otherwise, and fees in advance are ' +
            'billed at the start. `subscription_overlap` (409) while the customer has another that ' +
            'would overlap, so also for a repeat without the same `Idempotency-Key`.',
          body: ref(SubscriptionCreate),
          response: { 201: ref(Subscription) },
        },
      },
      async (request, reply) => {
        const row = await createSubscription(deps, request.body)
        return await reply.status(201).send(presentSubscription(row))
      },
    )

    app.get(
      '/api/v1/subscriptions',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listSubscriptions',
          tags,
          description: 'A page of the subscriptions of all customers, with filters by status and customer.',
          querystring: AllSubscriptionsQuery,
          response: { 200: ref(SubscriptionPage) },
        },
      },
      async ({ query }) => await list(deps, query),
    )

    app.get(
      '/api/v1/customers/:customerIdOrKey/subscriptions',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listCustomerSubscriptions',
          tags,
          description:
            "A page of one customer's subscriptions, ended ones too, unless `status` says otherwise.",
          params: CustomerParams,
          querystring: SubscriptionListQuery,
          response: { 200: ref(SubscriptionPage) },
        },
      },
      async ({ params: { customerIdOrKey: idOrKey }, query }) => {
        const customer = found(
          (await findCustomerByIdOrKey(deps.db, { idOrKey })) ?? null,
          'customer',
          idOrKey,
        )
        return await list(deps, { ...query, customerId: customer.id })
      },
    )

    app.get(
      '/api/v1/subscriptions/:subscriptionId',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getSubscription',
          tags,
          description:
            'The subscription with its phases and rate cards, and what of them is current on the ' +
            "customer's clock.",
          params: SubscriptionParams,
          response: { 200: ref(SubscriptionExpanded) },
        },
      },
      async ({ params: { subscriptionId } }) => {
        const view = (await viewSubscription(deps.db, subscriptionId)) ?? null
        const { row, frozenTime, features } = found(view, 'subscription', subscriptionId)
        return presentSubscriptionExpanded(row, {
          nowMs: (frozenTime ?? deps.now()).getTime(),
          features: new Map(features.map((one) => [one.key, one])),
        })
      },
    )

    app.post(
      '/api/v1/subscriptions/:subscriptionId/cancel',
      {
        config: { scope: 'admin', admission: 'command' },
        schema: {
          operationId: 'cancelSubscription',
          tags,
          description:
            'Ends it at once (the default), at the end of its billing period, or at an instant; what ' +
            'was used until then is billed at the end. `subscription_already_canceled` (409) when ' +
            'repeated with another `Idempotency-Key`.',
          params: SubscriptionParams,
          body: Type.Union([ref(SubscriptionCancel), Type.Null()]),
          response: { 200: ref(Subscription) },
        },
      },
      async (request) => {
        const action = { id: request.params.subscriptionId, requestId: commandId(deps, request) }
        return presentSubscription(
          await cancelSubscription(deps, { ...action, timing: request.body?.timing }),
        )
      },
    )

    app.post(
      '/api/v1/subscriptions/:subscriptionId/unschedule-cancelation',
      {
        config: { scope: 'admin', admission: 'command' },
        schema: {
          operationId: 'unscheduleCancelation',
          tags,
          description:
            'Takes a cancelation back that has not taken effect; the subscription goes on as before. ' +
            '`conflict` (409) where none is scheduled, or the subscription has ended.',
          params: SubscriptionParams,
          response: { 200: ref(Subscription) },
        },
      },
      async (request) => {
        const action = { id: request.params.subscriptionId, requestId: commandId(deps, request) }
        return presentSubscription(await unscheduleCancelation(deps, action))
      },
    )

    app.post(
      '/api/v1/subscriptions/:subscriptionId/release',
      {
        config: { scope: 'admin', admission: 'command' },
        schema: {
          operationId: 'releaseSubscription',
          tags,
          description:
            'Lets a parked subscription bill the closing it was parked at. One is parked where its next ' +
            'closing cannot be billed safely, until a person has looked. `conflict` (409) where it is ' +
            'not parked.',
          params: SubscriptionParams,
          response: { 200: ref(Subscription) },
        },
      },
      async (request) => {
        const action = { id: request.params.subscriptionId, requestId: commandId(deps, request) }
        return presentSubscription(await releaseSubscription(deps, action))
      },
    )

    app.get(
      '/api/v1/subscriptions/:subscriptionId/timeline',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getSubscriptionTimeline',
          tags,
          description: 'What happened to the subscription, when and why, in order.',
          params: SubscriptionParams,
          response: { 200: Type.Array(ref(TimelineEntry)) },
        },
      },
      async ({ params: { subscriptionId } }) => {
        const { id } = await subscriptionOf(deps, subscriptionId)
        return (await listTimeline(deps.db, { type: 'subscription', id })).map(presentTimelineEntry)
      },
    )
  }
}
