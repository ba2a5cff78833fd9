import { fastify, LogController } from 'fastify'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import { parse as parseQuery } from 'qs'
import { defaultLimits } from './admission.ts'
import type { ApiLimits } from './admission.ts'
import type { ApiDeps } from './deps.ts'
import { admission, admissionEnd, perKeyRate } from './plugins/admission.ts'
import { authentication } from './plugins/authentication.ts'
import { draining } from './plugins/draining.ts'
import { idempotency } from './plugins/idempotency.ts'
import { observing } from './plugins/observing.ts'
import { jsonBodies } from './plugins/json-bodies.ts'
import { openapi } from './plugins/openapi.ts'
import { answerClientError, answerFrameworkError, problems } from './plugins/problems.ts'
import { schemaCompilers } from './plugins/schema-compilers.ts'
import { accessRoutes } from './routes/access.ts'
import { eventRoutes } from './routes/events.ts'
import { appRoutes } from './routes/apps.ts'
import { billingProfileRoutes } from './routes/billing-profiles.ts'
import { checkoutRoutes } from './routes/checkout.ts'
import { customerAppRoutes } from './routes/customer-apps.ts'
import { customerBillingV3Routes } from './routes/customer-billing-v3.ts'
import { customerOverrideRoutes } from './routes/customer-overrides.ts'
import { customerRoutes } from './routes/customers.ts'
import { lateUsageRoutes } from './routes/late-usage.ts'
import { marketplaceRoutes } from './routes/marketplace.ts'
import { featureRoutes } from './routes/features.ts'
import { healthRoutes } from './routes/health.ts'
import { meterQueryRoutes } from './routes/meter-query.ts'
import { meterRoutes } from './routes/meters.ts'
import { infoRoutes } from './routes/info.ts'
import { invoiceActionRoutes } from './routes/invoice-actions.ts'
import { invoiceNowRoutes } from './routes/invoice-now.ts'
import { invoiceRoutes } from './routes/invoices.ts'
import { notServedRoutes } from './routes/not-served.ts'
import { planRoutes } from './routes/plans.ts'
import { reconciliationRoutes } from './routes/reconciliation.ts'
import { workflowRoutes } from './routes/workflows.ts'
import { stripeImportRoutes } from './routes/stripe-imports.ts'
import { stripeItemRoutes } from './routes/stripe-items.ts'
import { stripePlanMappingRoutes } from './routes/stripe-plan-mappings.ts'
import { stripeWebhookRoutes } from './routes/stripe-webhook.ts'
import { subscriptionRoutes } from './routes/subscriptions.ts'
import { testClockRoutes } from './routes/test-clocks.ts'
import { upcomingInvoiceRoutes } from './routes/upcoming-invoice.ts'
import { unobserved } from './observer.ts'
import { schemas } from './schemas/registry.ts'

const BODY_LIMIT_BYTES = 4 * 1024 * 1024
const MAX_PARAM_LENGTH = 256
/** A whole request, headers and body: who sends slower holds a socket and memory for nothing. */
const REQUEST_TIMEOUT_MS = 60_000
const HEADERS_TIMEOUT_MS = 15_000
/** The client writes filters as `filter[key]=value` and lists as repeated parameters. */
const queryLimits = { depth: 3, arrayLimit: 1000, parameterLimit: 1000 } as const

export interface AppOptions {
  /** Hold every response against its schema and answer 500 where it differs: for tests and development. */
  readonly checkResponses?: boolean
  /** How long a client may take to send a request, in milliseconds (60 000; its headers 15 000 of them). */
  readonly requestTimeoutMs?: number
  readonly limits?: ApiLimits
  /** It will listen where others than this machine can call: without any key nobody may. */
  readonly beyondLoopback?: boolean
}

/** The HTTP API: a table of contents. It does not listen; `close()` it when done. */
export async function buildApp(deps: ApiDeps, options: AppOptions = {}): Promise<FastifyInstance> {
  const limits = options.limits ?? defaultLimits
  const requestTimeout = options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS
  const app = fastify({
    loggerInstance: deps.log,
    requestTimeout,
    http: {
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, requestTimeout),
      // How often Node looks for the slow; half a minute by itself.
      connectionsCheckingInterval: Math.min(HEADERS_TIMEOUT_MS, requestTimeout) / 3,
    },
    // What reaches a stopping process is answered as ever; the answer says that the connection ends.
    return503OnClosing: false,
    genReqId: deps.newId,
    requestIdHeader: false,
    bodyLimit: BODY_LIMIT_BYTES,
    frameworkErrors: answerFrameworkError,
    clientErrorHandler: answerClientError,
    routerOptions: {
      maxParamLength: MAX_PARAM_LENGTH,
      querystringParser: (text) => parseQuery(text, queryLimits),
    },
    logController: new LogController({ disableRequestLogging: true }),
    schemaController: schemaCompilers({ checkResponses: options.checkResponses ?? false }),
  }).withTypeProvider<TypeBoxTypeProvider>()

  for (const schema of schemas) app.addSchema(schema)

  // Plugins, in the order in which a request meets them.
  await app.register(observing(deps.observer ?? unobserved))
  await app.register(problems)
  await app.register(draining)
  await app.register(admission(deps, limits))
  // First of those that add routes: it knows every route.
  await app.register(authentication(deps, options.beyondLoopback))
  await app.register(perKeyRate(deps, limits))
  await app.register(openapi)
  await app.register(jsonBodies)
  await app.register(idempotency(deps))
  await app.register(admissionEnd)

  // Routes, a file per resource.
  await app.register(healthRoutes(deps))
  await app.register(infoRoutes(deps))
  await app.register(meterRoutes(deps))
  await app.register(meterQueryRoutes(deps))
  await app.register(eventRoutes(deps))
  await app.register(featureRoutes(deps))
  await app.register(planRoutes(deps))
  await app.register(marketplaceRoutes(deps))
  await app.register(customerRoutes(deps))
  await app.register(customerOverrideRoutes(deps))
  await app.register(accessRoutes(deps))
  await app.register(customerAppRoutes(deps))
  await app.register(checkoutRoutes(deps))
  await app.register(customerBillingV3Routes(deps, '/api/v3'))
  await app.register(customerBillingV3Routes(deps, '/v3'))
  await app.register(billingProfileRoutes(deps))
  await app.register(appRoutes(deps))
  await app.register(stripePlanMappingRoutes(deps))
  await app.register(stripeImportRoutes(deps))
  await app.register(stripeItemRoutes(deps))
  await app.register(testClockRoutes(deps))
  await app.register(subscriptionRoutes(deps))
  await app.register(invoiceNowRoutes(deps))
  await app.register(upcomingInvoiceRoutes(deps))
  await app.register(lateUsageRoutes(deps))
  await app.register(invoiceRoutes(deps))
  await app.register(invoiceActionRoutes(deps))
  await app.register(stripeWebhookRoutes(deps))
  await app.register(reconciliationRoutes(deps))
  await app.register(workflowRoutes(deps))

  // Last: what the OpenMeter clients know and nobody above serves answers 501.
  await app.register(notServedRoutes)

  await app.ready()
  return app
}
