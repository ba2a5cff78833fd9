import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { customerBilling, setCustomerBilling } from '../actions/customer-billing.ts'
import { createCheckoutSession } from '../actions/checkout-sessions.ts'
import { requireCustomer } from '../actions/customers.ts'
import { openPortal } from '../actions/portal-sessions.ts'
import type { ApiDeps } from '../deps.ts'
import {
  CheckoutCustomer,
  CheckoutCustomerV3,
  CheckoutOptions,
  CheckoutOptionsV3,
  CheckoutSessionCreate,
  CheckoutSessionCreateV3,
  CheckoutSessionV3,
  CustomerBilling,
  PortalOptionsV3,
  PortalSessionCreate,
  PortalSessionCreateV3,
  PortalSessionV3,
} from '../schemas/checkout.ts'
import { ref } from '../schemas/reference.ts'
import { propertiesOf, snakeName } from '../schemas/snake-case.ts'
import { refusingAs, respelled } from '../spelling.ts'
import { checkoutRequestId } from './checkout.ts'

const tags = ['Checkout and the portal']
const Params = Type.Object({ customerId: Type.String() })

type Fields = Readonly<Record<string, unknown>>
interface CheckoutBody {
  readonly stripe_options?: Fields
  readonly options?: Fields
  readonly customer?: Fields
  readonly stripe_customer_id?: string
  readonly app_id?: string
}

/** Its examples spell fields in snake case and in camel case; both are taken. */
function respellCheckout(body: unknown): unknown {
  if (typeof body !== 'object' || body === null) return body
  const { stripe_options, options, customer, ...rest } = respelled(body, CheckoutSessionCreateV3) as Fields
  return {
    ...rest,
    stripe_options: respelled(stripe_options ?? {}, CheckoutOptionsV3),
    ...(options !== undefined && { options: respelled(options, CheckoutOptionsV3) }),
    ...(customer !== undefined && { customer: respelled(customer, CheckoutCustomerV3) }),
  }
}

function respellPortal(body: unknown): unknown {
  const { stripe_options: options } = respelled(body ?? {}, PortalSessionCreateV3) as Fields
  return { stripe_options: respelled(options ?? {}, PortalOptionsV3) }
}

const names = [CheckoutSessionCreate, CheckoutCustomer, CheckoutOptions, PortalSessionCreate]
  .flatMap((schema) => Object.keys(propertiesOf(schema) ?? {}))
  .filter((name) => snakeName(name) !== name)
const anyName = new RegExp(`\\b(?:${names.join('|')})\\b`, 'g')

/** v1's names of fields as this body has them: `options.successURL` is its `stripe_options.success_url`. */
function inWordsOf({ options = {}, stripe_options: own = {} }: CheckoutBody): (text: string) => string {
  return (text) =>
    text.replaceAll(anyName, snakeName).replaceAll(/\boptions\.(\w+)/g, (_, name: string) => {
      const isOfOptions = Object.hasOwn(options, name) && !Object.hasOwn(own, name)
      return `${isOfOptions ? 'options' : 'stripe_options'}.${name}`
    })
}

const billingNames = new Map([
  ['stripeCustomerId', 'app_data.stripe.customer_id'],
  ['stripeDefaultPaymentMethodId', 'app_data.stripe.default_payment_method_id'],
  ['appId', 'app_data.stripe.app_id'],
])
const inWordsOfBilling = (text: string): string => billingNames.get(text) ?? text

/** The customer of the path; what the body says of them adds what they lack. */
async function openCheckout(
  deps: ApiDeps,
  customerId: string,
  { body, requestId }: { readonly body: CheckoutBody; readonly requestId: string | null },
): Promise<unknown> {
  const { id } = await requireCustomer(deps, customerId)
  const details = respelled(body.customer ?? {}, CheckoutCustomer) as CheckoutCustomer
  const options = respelled({ ...body.options, ...body.stripe_options }, CheckoutOptions) as CheckoutOptions
  const { stripe_customer_id: stripeCustomerId, app_id: appId } = body
  const input = {
    customer: { ...details, id },
    options,
    ...(stripeCustomerId !== undefined && { stripeCustomerId }),
    ...(appId !== undefined && { appId }),
  }
  const session = await refusingAs(
    inWordsOf(body),
    async () => await createCheckoutSession(deps, input, requestId),
  )
  return respelled(session, CheckoutSessionV3)
}

/** How a customer is billed, in the shapes of OpenMeter v3: the same actions as v1's, in snake case. */
export function customerBillingV3Routes(deps: ApiDeps, prefix: '/api/v3' | '/v3'): FastifyPluginAsyncTypebox {
  const url = `${prefix}/openmeter/customers/:customerId/billing`
  const hide = prefix === '/v3'
  return async (app) => {
    app.get(
      url,
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'getCustomerBilling',
          hide,
          tags,
          description:
            "The profile that bills the customer and its Stripe customer, in OpenMeter v3's shape.",
          params: Params,
          response: { 200: ref(CustomerBilling) },
        },
      },
      async ({ params }) => customerBilling(deps, await requireCustomer(deps, params.customerId)),
    )

    app.put(
      url,
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'updateCustomerBilling',
          hide,
          tags,
          description:
            'Sets the billing profile (null: the default one again) and the Stripe customer; what is ' +
            'left out stays. The Stripe customer is checked at Stripe before anything is stored.',
          params: Params,
          body: ref(CustomerBilling),
          response: { 200: ref(CustomerBilling) },
        },
      },
      async ({ params, body }) => {
        const customer = await requireCustomer(deps, params.customerId)
        await refusingAs(inWordsOfBilling, async () => await setCustomerBilling(deps, customer, body))
        return customerBilling(deps, customer)
      },
    )

    app.post(
      `${url}/stripe/checkout-sessions`,
      {
        config: { scope: 'admin' },
        preValidation: async (request) => {
          Object.assign(request, { body: respellCheckout(request.body) })
        },
        schema: {
          operationId: 'createCustomerStripeCheckoutSession',
          hide,
          tags,
          description:
            "As `POST /api/v1/stripe/checkout/sessions`, for the customer in the path and in v3's snake " +
            "case. Takes v1's names of fields too.",
          params: Params,
          body: ref(CheckoutSessionCreateV3),
          response: { 201: ref(CheckoutSessionV3) },
        },
      },
      async (request, reply) =>
        reply.status(201).send(
          await openCheckout(deps, request.params.customerId, {
            // Its schema is derived from v1's, so that the compiler does not know it.
            body: request.body as CheckoutBody,
            requestId: checkoutRequestId(request),
          }),
        ),
    )

    app.post(
      `${url}/stripe/portal-sessions`,
      {
        config: { scope: 'admin' },
        preValidation: async (request) => {
          Object.assign(request, { body: respellPortal(request.body) })
        },
        schema: {
          operationId: 'createCustomerStripePortalSessionV3',
          hide,
          tags,
          description: "As `POST /api/v1/customers/{customerIdOrKey}/stripe/portal`, in v3's snake case.",
          params: Params,
          body: ref(PortalSessionCreateV3),
          response: { 201: ref(PortalSessionV3) },
        },
      },
      async ({ params, body }, reply) => {
        const customer = await requireCustomer(deps, params.customerId)
        const { stripe_options: options } = body as { readonly stripe_options?: Fields }
        const input = respelled(options ?? {}, PortalSessionCreate) as PortalSessionCreate
        const portal = await refusingAs(inWordsOf({}), async () => await openPortal(deps, customer, input))
        return reply.status(201).send(respelled(portal, PortalSessionV3))
      },
    )
  }
}
