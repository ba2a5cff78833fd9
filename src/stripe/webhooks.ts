import { Stripe } from 'stripe'
import { DomainError } from '../domain/errors.ts'
import type { Connection } from './client.ts'
import { readEvent, endpointEvents } from './events.ts'
import { classifyStripeError, stripeFailure } from './failures.ts'
import { fingerprintOf } from './fingerprint.ts'
import { isReplay } from './replay.ts'
import { metadataKeys } from './metadata.ts'
import type {
  CreatedWebhookEndpoint,
  VerifiedEvent,
  WebhookEndpointRequest,
  WebhookEndpointState,
  WebhookToVerify,
} from './webhook-types.ts'

/** Stripe's own tolerance, in seconds: an older signature is a replay. */
const toleranceSeconds = 300

/**
 * Checks the signature over the raw bytes with each active secret. Every retry by Stripe is signed anew, so a late
 * delivery passes and a replayed one does not. What was wrong is not told to the sender.
 */
export function verifyWebhook({ rawBody, header, secrets, nowMs }: WebhookToVerify): VerifiedEvent {
  const signed = secrets.some((secret) => signatureHolds({ rawBody, header: header ?? '', secret, nowMs }))
  if (!signed) throw invalid()
  const event = parseEvent(rawBody)
  if (event === null) throw invalid()
  return readEvent(event)
}

/** Whether a header could be Stripe's and is of now: what can be told before the body is read and the app is known. */
export function isPlausiblySigned(header: string | undefined, nowMs: number): boolean {
  const timestamp = /(?:^|,)t=(\d{1,12})(?:,|$)/.exec(header ?? '')?.[1]
  if (timestamp === undefined || !/(?:^|,)v1=[0-9a-f]{64}(?:,|$)/.test(header ?? '')) return false
  return nowMs / 1000 - Number(timestamp) <= toleranceSeconds + 1
}

interface SignatureCheck {
  readonly rawBody: Buffer
  readonly header: string
  readonly secret: string
  readonly nowMs: number | undefined
}

function signatureHolds({ rawBody, header, secret, nowMs }: SignatureCheck): boolean {
  const { signature } = Stripe.webhooks
  if (signature === null) throw new Error('the Stripe client has no signature helper')
  try {
    return signature.verifyHeader(rawBody, header, secret, toleranceSeconds, undefined, nowMs)
  } catch {
    return false
  }
}

/** Seconds of the last instant that a Date holds. */
const maxCreated = 8_640_000_000_000

const isId = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x21-\x7e]{1,255}$/.test(value)

function parseEvent(rawBody: Buffer): Stripe.Event | null {
  try {
    const event = JSON.parse(rawBody.toString('utf8')) as Partial<Stripe.Event> | null
    const complete =
      isId(event?.id) &&
      isId(event.type) &&
      Number.isInteger(event.created) &&
      Math.abs(event.created ?? 0) <= maxCreated &&
      typeof event.livemode === 'boolean'
    // A thin event ("v2.core.event") carries no object: such an endpoint is not ours.
    return complete && event.object === 'event' ? (event as Stripe.Event) : null
  } catch {
    return null
  }
}

function invalid(): DomainError {
  return new DomainError('webhook_signature_invalid', 'the signature does not match')
}

/**
 * The secret is only in this reply. A repeated install is answered from Stripe's store under the same key, so that it
 * makes one endpoint; where that one was deleted since, a new one is made.
 */
export async function createWebhookEndpoint(
  connection: Connection,
  request: WebhookEndpointRequest,
): Promise<CreatedWebhookEndpoint> {
  const { url, appId } = request
  const events = request.events ?? endpointEvents
  const fingerprint = fingerprintOf([url, events])
  const create = (idempotencyKey: string): Promise<Stripe.Response<Stripe.WebhookEndpoint>> =>
    connection.call('webhook_endpoints.create', (stripe) =>
      stripe.webhookEndpoints.create(
        {
          url,
          enabled_events: [...events] as Stripe.WebhookEndpointCreateParams.EnabledEvent[],
          api_version: Stripe.API_VERSION,
          description: 'Perennial: invoices and payments',
          metadata: { [metadataKeys.app]: appId },
        },
        { idempotencyKey },
      ),
    )
  const again = request.again === undefined ? '' : `:again:${request.again}`
  const key = `webhook:${appId}:${fingerprint}${again}`
  let created = await create(key)
  if (isReplay(created) && !(await checkWebhookEndpoint(connection, created.id)).exists) {
    created = await create(`${key}:after:${created.id}`)
  }
  if (created.secret === undefined) {
    throw stripeFailure({
      kind: 'final',
      code: 'webhook_secret_missing',
      message: 'Stripe sent no signing secret',
    })
  }
  return { endpointId: created.id, secret: created.secret }
}

/** Switches it on again, with the events that we need. */
export async function enableWebhookEndpoint(connection: Connection, endpointId: string): Promise<void> {
  await connection.call('webhook_endpoints.update', (stripe) =>
    stripe.webhookEndpoints.update(endpointId, { disabled: false, enabled_events: [...endpointEvents] }),
  )
}

/** Deletes the endpoint; one that is gone is no error. */
export async function deleteWebhookEndpoint(connection: Connection, endpointId: string): Promise<void> {
  try {
    await connection.call('webhook_endpoints.delete', (stripe) => stripe.webhookEndpoints.del(endpointId))
  } catch (error) {
    if (classifyStripeError(error).code !== 'resource_missing') throw error
  }
}

const absent: WebhookEndpointState = {
  exists: false,
  enabled: false,
  url: null,
  missingEvents: endpointEvents,
  spareEvents: [],
  apiVersion: null,
}

/** What stands at Stripe: an endpoint that was disabled or changed by hand loses events silently. */
export async function checkWebhookEndpoint(
  connection: Connection,
  endpointId: string | null,
): Promise<WebhookEndpointState> {
  if (endpointId === null) return absent
  try {
    const endpoint = await connection.call('webhook_endpoints.retrieve', (stripe) =>
      stripe.webhookEndpoints.retrieve(endpointId),
    )
    const sent = new Set<string>(endpoint.enabled_events)
    const missingEvents = sent.has('*') ? [] : endpointEvents.filter((type) => !sent.has(type))
    const needed = new Set<string>(endpointEvents)
    return {
      exists: true,
      enabled: endpoint.status === 'enabled',
      url: endpoint.url,
      missingEvents,
      spareEvents: endpoint.enabled_events.filter((type) => !needed.has(type)),
      apiVersion: endpoint.api_version,
    }
  } catch (error) {
    if (classifyStripeError(error).code === 'resource_missing') return absent
    throw error
  }
}
