import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { findStripeApp } from '../../db/stores/stripe-app-read.ts'
import { DomainError, isDomainError } from '../../domain/errors.ts'
import { passedOver } from '../../stripe/events.ts'
import { isPlausiblySigned } from '../../stripe/webhooks.ts'
import type { VerifiedEvent } from '../../stripe/webhook-types.ts'
import type { ApiDeps } from '../deps.ts'
import { heldLookup } from '../held-lookup.ts'
import { inboxWriter } from '../inbox-writer.ts'
import type { InboxWriter } from '../inbox-writer.ts'
import { found } from '../not-found.ts'

const BODY_LIMIT_BYTES = 1024 * 1024
const Params = Type.Object({ id: Type.String({ minLength: 1 }) })
const Received = Type.Object({
  namespaceId: Type.String(),
  appId: Type.String(),
  message: Type.Optional(Type.String()),
})

/** How long it is until an app that was uninstalled, or a secret that is good no more, is refused. */
const KNOWN_FOR_MS = 1000

interface SignedApp {
  readonly app: NonNullable<Awaited<ReturnType<typeof findStripeApp>>>
  /** In the clear; while a secret is rolled there are two. */
  readonly secrets: readonly string[]
}

async function findSignedApp({ db, stripe, now }: ApiDeps, id: string): Promise<SignedApp | null> {
  const app = await findStripeApp(db, id)
  if (app === undefined) return null
  const until = app.webhookSecretPreviousUntil
  const previous = until !== null && now() < until ? app.webhookSecretPreviousEncrypted : null
  const sealed = [app.webhookSecretEncrypted, previous].filter((secret) => secret !== null)
  const open = (secret: string): string =>
    stripe.decryptSecret(secret, { appId: id, field: 'webhook_secret' })
  return { app, secrets: app.webhookSecretEncrypted === null ? [] : sealed.map(open) }
}

const REFUSALS_LOGGED_EVERY_MS = 60_000

/** Says that webhooks are refused, once a minute for each app: a flood of forged ones must not fill the log. */
function refusalLog({ log, now, observer }: ApiDeps) {
  const since = new Map<string | null, { readonly atMs: number; refused: number }>()
  return (appId: string | null, reason: string): void => {
    observer?.webhookTaken('refused')
    const last = since.get(appId)
    const atMs = now().getTime()
    if (last !== undefined && atMs - last.atMs < REFUSALS_LOGGED_EVERY_MS) {
      last.refused += 1
      return
    }
    since.set(appId, { atMs, refused: 0 })
    log.warn({ appId, reason, alsoRefusedBefore: last?.refused ?? 0 }, 'a webhook was refused')
  }
}

function signatureOf({ headers }: FastifyRequest): string | undefined {
  const header = headers['stripe-signature']
  return typeof header === 'string' ? header : undefined
}

const refused = (): DomainError =>
  new DomainError('webhook_signature_invalid', 'The signature of the webhook is not valid.')

/** The event, and what was wrong where it is none of Stripe's: that tells a forger which of key, signature and time it was. */
function tryVerify(
  { stripe }: ApiDeps,
  { secrets }: SignedApp,
  request: FastifyRequest,
): VerifiedEvent | DomainError {
  const rawBody = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  try {
    return stripe.verifyWebhook({ rawBody, header: signatureOf(request), secrets })
  } catch (error) {
    if (isDomainError(error) && error.code === 'webhook_signature_invalid') return error
    throw error
  }
}

/**
 * Stored under its own id before it is answered: Stripe does not send again what was answered with 200 (billing rule 30). What
 * nothing follows from is answered only.
 */
async function receive(
  { deps, write }: { readonly deps: ApiDeps; readonly write: InboxWriter },
  { app }: SignedApp,
  event: VerifiedEvent,
): Promise<string> {
  const why = passedOver(app, event)
  if (why !== null) {
    deps.observer?.webhookTaken(why)
    return passedOverInWords[why]
  }
  const isNew = await write(app.id, event)
  deps.observer?.webhookTaken(isNew ? 'received' : 'repeated')
  return isNew ? 'received' : 'received before'
}

const passedOverInWords = {
  other_mode: 'ignored: it is of the other mode than the app',
  unheeded: 'received: nothing follows from it',
} as const

/** Stripe's webhooks: signed, so without an API key; raw, since the signature is over the bytes. */
export function stripeWebhookRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  const logRefusal = refusalLog(deps)
  const write = inboxWriter(deps.db)
  const apps = heldLookup(KNOWN_FOR_MS, async (id) => await findSignedApp(deps, id))
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
        config: { scope: 'public', admission: 'webhook' },
        bodyLimit: BODY_LIMIT_BYTES,
        // Before a byte of the body is read or a row looked up: what is not even signed costs nothing.
        onRequest: async (request) => {
          if (isPlausiblySigned(signatureOf(request), deps.now().getTime())) return
          logRefusal(null, 'no signature of now')
          throw refused()
        },
        schema: {
          operationId: 'appStripeWebhook',
          tags: ['Apps'],
          description: 'For Stripe to call. Types that are of no use are taken and passed over.',
          params: Params,
          response: { 200: Received },
        },
      },
      async (request) => {
        const { id } = request.params
        const held = found(await apps.find(id), 'app', id)
        let event = tryVerify(deps, held, request)
        // Its secret may have been changed since.
        if (isDomainError(event)) event = tryVerify(deps, found(await apps.findNow(id), 'app', id), request)
        if (isDomainError(event)) {
          logRefusal(id, event.message)
          throw refused()
        }
        return { namespaceId: 'default', appId: id, message: await receive({ deps, write }, held, event) }
      },
    )
  }
}
