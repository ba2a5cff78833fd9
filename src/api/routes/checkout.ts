import { createHash } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import type { FastifyRequest } from 'fastify'
import { createCheckoutSession } from '../actions/checkout-sessions.ts'
import { requireCustomer } from '../actions/customers.ts'
import { openPortal } from '../actions/portal-sessions.ts'
import type { ApiDeps } from '../deps.ts'
import {
  CheckoutCustomer,
  CheckoutOptions,
  CheckoutSession,
  CheckoutSessionCreate,
  PortalSession,
  PortalSessionCreate,
} from '../schemas/checkout.ts'
import { ref } from '../schemas/reference.ts'
import { respelled } from '../spelling.ts'

const tags = ['Checkout and the portal']

/**
 * The caller's Idempotency-Key, kept apart by caller and by what is asked: a key that was forgotten after a day may stand
 * for another customer. Null where there is none.
 */
export function checkoutRequestId(request: FastifyRequest): string | null {
  const key = request.headers['idempotency-key']
  if (typeof key !== 'string') return null
  const asked = createHash('sha256')
    .update(`${request.url}\n${JSON.stringify(request.body)}`)
    .digest('hex')
  return `${request.caller}/${key}/${asked}`
}

/** Documents of several generations spell the names of fields differently. */
function respellCheckout(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body
  const { customer, options, ...rest } = respelled(body, CheckoutSessionCreate) as Record<string, unknown>
  return {
    ...rest,
    ...(customer !== undefined && { customer: respelled(customer, CheckoutCustomer) }),
    ...(options !== undefined && { options: respelled(options, CheckoutOptions) }),
  }
}

/** Stripe's pages for customers: Checkout, which saves a payment method, and the portal. */
export function checkoutRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/stripe/checkout/sessions',
      {
        config: { scope: 'admin' },
        preValidation: async (request) => {
          Object.assign(request, { body: respellCheckout(request.body) })
        },
        schema: {
          operationId: 'createStripeCheckoutSession',
          tags,
          description:
            'Opens a Stripe page on which a customer saves a payment method. Makes the customer, or ' +
            'adds what it lacks, and its Stripe customer where there is none. The same ' +
            '`Idempotency-Key` makes nothing twice.',
          body: ref(CheckoutSessionCreate),
          response: { 201: ref(CheckoutSession) },
        },
      },
      async (request, reply) =>
        reply.status(201).send(await createCheckoutSession(deps, request.body, checkoutRequestId(request))),
    )

    app.post(
      '/api/v1/customers/:customerIdOrKey/stripe/portal',
      {
        config: { scope: 'admin' },
        preValidation: async (request) => {
          Object.assign(request, { body: respelled(request.body ?? {}, PortalSessionCreate) })
        },
        schema: {
          operationId: 'createCustomerStripePortalSession',
          tags,
          description:
            "Opens Stripe's customer portal for the customer and answers with its address, which the " +
            'customer is sent to. An app with a fixed portal address answers with that. ' +
            '`customer_not_linked` (409) without a Stripe customer.',
          params: Type.Object({ customerIdOrKey: Type.String() }),
          body: ref(PortalSessionCreate),
          response: { 201: ref(PortalSession) },
        },
      },
      async ({ params, body }, reply) => {
        const customer = await requireCustomer(deps, params.customerIdOrKey)
        return reply.status(201).send(await openPortal(deps, customer, body))
      },
    )
  }
}
