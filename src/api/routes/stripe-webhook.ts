import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { findStripeApp } from '../../db/stores/stripe-app-read.ts'
import { insertStripeEvent } from '../../db/stores/stripe-events.ts'
import { DomainError, isDomainError } from '../../domain/errors.ts'
import type { StoredApp, VerifiedEvent } from '../../stripe/types.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'

const BODY_LIMIT_BYTES = 1024 * 1024
const Params = Type.Object({ id: Type.String({ minLength: 1 }) })
const Received = Type.Object({
  namespaceId: Type.String(),
  appId: Type.String(),
  message: Type.Optional(Type.String()),
})

type SignedApp = NonNullable<Awaited<ReturnType<typeof findStripeApp>>>

/** While a secret is rolled there are two. */
function secretsOf(app: SignedApp, now: Date): readonly string[] {
  const until = app.webhookSecretPreviousUntil
  const previous = until !== null && now < until ? app.webhookSecretPreviousEncrypted : null
  return [app.webhookSecretEncrypted, previous].filter((secret) => secret !== null)
}

/** What is not told to the sender is in the log: which of key, signature and time was wrong helps a forger. */
function verify(
  deps: ApiDeps,
  app: SignedApp,
  request: { body: Buffer; header: string | undefined },
): VerifiedEvent {
  try {
    if (app.webhookSecretEncrypted === null)
      throw new DomainError('webhook_signature_invalid', 'the app has no secret')
    const secrets = secretsOf(app, deps.now()).map((sealed) =>
      deps.stripe.decryptSecret(sealed, { appId: app.id, field: 'webhook_secret' }),
    )
    return deps.stripe.verifyWebhook({ rawBody: request.body, header: request.header, secrets })
  } catch (error) {
    if (!isDomainError(error) || error.code !== 'webhook_signature_invalid') throw error
    deps.log.warn({ appId: app.id, reason: error.message }, 'a webhook was refused')
    throw new DomainError('webhook_signature_invalid', 'The signature of the webhook is not valid.')
  }
}

/** Stored under its own id before it is answered: Stripe does not send again what was answered with 200 (billing rule 30). */
async function receive(deps: ApiDeps, app: StoredApp, event: VerifiedEvent): Promise<string> {
  if (event.livemode !== app.livemode) return 'ignored: it is of the other mode than the app'
  const isNew = await insertStripeEvent(deps.db, app.id, event)
  return isNew ? 'received' : 'received before'
}

/** Stripe's webhooks: signed, so without an API key; raw, since the signature is over the bytes. */
export function stripeWebhookRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: BODY_LIMIT_BYTES },
      (_request, body, done) => {
        done(null, body)
      },
    )
    app.post(
      '/api/v1/apps/:id/stripe/webhook',
      {
        config: { scope: 'public' },
        bodyLimit: BODY_LIMIT_BYTES,
        schema: {
          operationId: 'appStripeWebhook',
          tags: ['Apps'],
          description: 'For Stripe to call. Types that are of no use are taken and passed over.',
          params: Params,
          response: { 200: Received },
        },
      },
      async (request) => {
        const stored = found(
          (await findStripeApp(deps.db, request.params.id)) ?? null,
          'app',
          request.params.id,
        )
        const header = request.headers['stripe-signature']
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
        const event = verify(deps, stored, { body, header: typeof header === 'string' ? header : undefined })
        return { namespaceId: 'default', appId: stored.id, message: await receive(deps, stored, event) }
      },
    )
  }
}
