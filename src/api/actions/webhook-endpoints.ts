import { createHash, timingSafeEqual } from 'node:crypto'
import { setMissingPermissions, setWebhookProblem, setWebhookSecrets } from '../../db/stores/app-care.ts'
import type { AppRow, NewStripeApp } from '../../db/stores/apps.ts'
import { addDuration, parseTerm } from '../../domain/calendar.ts'
import { DomainError, isDomainError } from '../../domain/errors.ts'
import { classifyStripeError } from '../../stripe/failures.ts'
import { lacksPermission } from '../../stripe/permissions.ts'
import type { CreatedWebhookEndpoint } from '../../stripe/webhook-types.ts'
import type { ApiDeps } from '../deps.ts'
import { requireApp } from './require-app.ts'

type Endpoint = Pick<NewStripeApp, 'webhookEndpointId' | 'webhookSecretEncrypted'>
export const noEndpoint: Endpoint = { webhookEndpointId: null, webhookSecretEncrypted: null }

/** How long the old secret of a rotation is good, as at Stripe. */
const ROTATION = 'PT24H'

/** Where Stripe sends the events of an app. */
export function webhookUrl({ config }: Pick<ApiDeps, 'config'>, appId: string): string {
  return `${config.publicUrl}/api/v1/apps/${appId}/stripe/webhook`
}

/**
 * Stripe refuses an address it cannot reach, such as loopback, and a key may not be allowed to make endpoints: then there
 * is none, and a worker polls the account's events (src/relay/poll-events.ts).
 */
export async function createEndpoint(deps: ApiDeps, appId: string, key: string): Promise<Endpoint> {
  const url = webhookUrl(deps, appId)
  try {
    return sealed(deps, appId, await deps.stripe.createWebhookEndpoint(key, { url, appId }))
  } catch (error) {
    const failure = classifyStripeError(error)
    const isRefused = failure.kind === 'final' || lacksPermission(error)
    if (error instanceof DomainError || !isRefused) throw error
    deps.log.warn(
      { appId, url, err: error },
      'Stripe refused the webhook endpoint; its events are polled until it is repaired',
    )
    return noEndpoint
  }
}

function sealed({ stripe }: ApiDeps, appId: string, { endpointId, secret }: CreatedWebhookEndpoint) {
  return {
    webhookEndpointId: endpointId,
    webhookSecretEncrypted: stripe.encryptSecret(secret, { appId, field: 'webhook_secret' }),
  }
}

/**
 * Asks again what the key may do, and makes the endpoint at Stripe what it has to be: there, enabled, at our present
 * address, with the events that we need and no others. What came while it sent too little is polled once more. One made by hand is
 * left alone.
 */
export async function repairWebhook(deps: ApiDeps, id: string): Promise<AppRow> {
  const app = await requireApp(deps, id)
  const key = keyOf(deps, app)
  const missing = key.startsWith('rk_') ? await deps.stripe.probePermissions(key) : []
  const slugs = missing.map(({ slug }) => slug)
  await setMissingPermissions(deps.db, app, slugs)
  if (app.setup === 'managed') await repairEndpoint(deps, app)
  return await requireApp(deps, id)
}

async function repairEndpoint(deps: ApiDeps, app: AppRow): Promise<void> {
  const { id, webhookProblem } = app
  const state = await deps.stripe.checkWebhookEndpoint(app)
  const isInPlace = state.exists && state.url === webhookUrl(deps, id)
  if (isInPlace && state.enabled && state.missingEvents.length === 0) {
    // Nothing was missed, so nothing is polled.
    if (state.spareEvents.length > 0) await enableEndpoint(deps, app)
    return await setWebhookProblem(deps.db, app, null)
  }
  await setWebhookProblem(deps.db, app, webhookProblem ?? 'The webhook endpoint is being repaired.')
  try {
    const repaired = isInPlace
      ? await enableEndpoint(deps, app)
      : await replaceEndpoint(deps, app, state.exists)
    await setWebhookProblem(deps.db, repaired, null)
  } catch (error) {
    await setWebhookProblem(deps.db, app, webhookProblem)
    throw error
  }
}

async function enableEndpoint(deps: ApiDeps, app: AppRow): Promise<AppRow> {
  await deps.stripe.enableWebhookEndpoint(app)
  return app
}

function keyOf({ stripe }: ApiDeps, { id, apiKeyEncrypted }: AppRow): string {
  if (apiKeyEncrypted === null) throw new DomainError('stripe_key_missing', `app ${id} has no key`)
  return stripe.decryptSecret(apiKeyEncrypted, { appId: id, field: 'api_key' })
}

/**
 * Another endpoint with another secret, in place of the one there is. Errors: action_not_available (made by hand), conflict.
 */
export async function rotateEndpoint(deps: ApiDeps, id: string): Promise<AppRow> {
  const app = await requireManaged(deps, id)
  const { exists } = await deps.stripe.checkWebhookEndpoint(app)
  await setWebhookProblem(deps.db, await replaceEndpoint(deps, app, exists), null)
  return await requireApp(deps, id)
}

async function requireManaged(deps: ApiDeps, id: string): Promise<AppRow> {
  const app = await requireApp(deps, id)
  if (app.setup === 'managed') return app
  throw new DomainError(
    'action_not_available',
    'The webhook endpoint of this app was made by hand: change it in the Stripe dashboard, and its secret with PUT /api/v1/apps/{id}/stripe/webhook-secret.',
  )
}

/**
 * The new one is there before the old one goes: an event comes twice rather than never. Where somebody else was faster, or
 * uninstalled the app meanwhile, the new one goes. Errors: conflict; not_found.
 */
async function replaceEndpoint(deps: ApiDeps, app: AppRow, isThere: boolean): Promise<AppRow> {
  const key = keyOf(deps, app)
  const request = { url: webhookUrl(deps, app.id), appId: app.id, again: deps.newId() }
  const made = sealed(deps, app.id, await deps.stripe.createWebhookEndpoint(key, request))
  const previous = previousOf(deps, app.webhookSecretEncrypted, ROTATION)
  if (!(await setWebhookSecrets(deps.db, app, { ...made, previous }, deps.now()))) {
    await deleteEndpoint(deps, { ...app, ...made })
    await changedMeanwhile(deps, app.id)
  }
  if (isThere) await deleteEndpoint(deps, app)
  return { ...app, ...made }
}

async function deleteEndpoint({ stripe, log }: ApiDeps, app: AppRow): Promise<void> {
  try {
    await stripe.deleteWebhookEndpoint(app)
  } catch (error) {
    log.warn(
      { appId: app.id, webhookEndpointId: app.webhookEndpointId, err: error },
      'a webhook endpoint that is not needed is left at Stripe',
    )
  }
}

async function changedMeanwhile(deps: ApiDeps, id: string): Promise<never> {
  await requireApp(deps, id)
  throw new DomainError('conflict', 'Another request changed the webhook endpoint or its secret meanwhile.')
}

function previousOf(deps: ApiDeps, encrypted: string | null, validFor: string) {
  const until = new Date(addDuration(deps.now().getTime(), validFor, 'UTC'))
  return encrypted === null || until <= deps.now() ? null : { encrypted, until }
}

interface NewSecret {
  readonly secret: string
  /** ISO 8601. */
  readonly previousValidFor?: string
}

/**
 * The secret of an endpoint as Stripe shows it; the one before stays good for a while. The same again does not push the
 * one before it out, and says at most for how long that is good. Errors: conflict.
 */
export async function setWebhookSecret(
  deps: ApiDeps,
  id: string,
  { secret, previousValidFor }: NewSecret,
): Promise<void> {
  if (previousValidFor !== undefined) parseTerm(previousValidFor, 'previousValidFor')
  const app = await requireApp(deps, id)
  const stored = storedSecret(deps, app)
  const isSame = stored !== null && isSameText(stored, secret)
  if (isSame && previousValidFor === undefined) return
  const webhookSecretEncrypted = deps.stripe.encryptSecret(secret, { appId: id, field: 'webhook_secret' })
  // One that does not open verifies nothing: it makes room without a grace.
  const replaced = stored === null ? null : app.webhookSecretEncrypted
  const before = isSame ? app.webhookSecretPreviousEncrypted : replaced
  const previous = previousOf(deps, before, previousValidFor ?? ROTATION)
  if (!(await setWebhookSecrets(deps.db, app, { webhookSecretEncrypted, previous }, deps.now())))
    await changedMeanwhile(deps, id)
}

function storedSecret({ stripe }: ApiDeps, { id, webhookSecretEncrypted }: AppRow): string | null {
  if (webhookSecretEncrypted === null) return null
  try {
    return stripe.decryptSecret(webhookSecretEncrypted, { appId: id, field: 'webhook_secret' })
  } catch (error) {
    if (isDomainError(error) && error.code === 'stripe_secret_unreadable') return null
    throw error
  }
}

/** In constant time, whatever the lengths. */
function isSameText(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
