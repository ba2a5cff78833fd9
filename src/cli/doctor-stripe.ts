import type { Database } from '../db/connection.ts'
import { listApps } from '../db/stores/apps.ts'
import type { AppRow } from '../db/stores/apps.ts'
import { createStripeGateway } from '../stripe/gateway.ts'
import { lacksPermission, mayReadEvents } from '../stripe/permissions.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import type { WebhookEndpointState } from '../stripe/webhook-types.ts'
import type { Check, CheckTargets, Found } from './doctor-checks.ts'

const EVERY_APP = { page: 1, pageSize: 1000 }
const install = 'install one: POST /api/v1/marketplace/listings/stripe/install/apikey'

/** Of each installed app: its key, what the key may do, and whether its events arrive. */
export async function stripeChecks(db: Database, targets: CheckTargets): Promise<readonly Check[]> {
  try {
    const { items } = await listApps(db, EVERY_APP)
    if (items.length === 0) return [failing('no Stripe app is installed')]
    return items.flatMap((app) => checksOf(app, targets, items.length > 1 ? ` "${app.name}"` : ''))
  } catch (error) {
    return [failing(error instanceof Error ? error.message : String(error))]
  }
}

/** What cannot be known while Stripe refuses the key, which a check of its own says. */
function afterKey(check: Check, askedKey: () => Promise<string>): Check {
  const run = async (): Promise<string | Found> => {
    const isKnown = await askedKey().then(
      () => true,
      () => false,
    )
    if (isKnown) return await check.run()
    return { detail: 'not known', degraded: ['whatever needs the key, which has a line of its own above'] }
  }
  return { ...check, run }
}

function failing(why: string): Check {
  return {
    name: 'Stripe app',
    next: install,
    run: async () => {
      throw new Error(why)
    },
  }
}

interface Opened {
  readonly app: AppRow
  readonly gateway: StripeGateway
  readonly key: string
}

function checksOf(app: AppRow, targets: CheckTargets, suffix: string): readonly Check[] {
  const open = once(async () => opened(app, targets))
  const askedKey = once(async () => await keyOf(await open()))
  const appId = app.id
  const keyCheck = {
    name: `Stripe app${suffix}`,
    appId,
    next: `give it another key: PUT /api/v1/apps/${appId}/stripe/api-key`,
    run: askedKey,
  }
  const others = [
    {
      name: `Stripe permissions${suffix}`,
      appId,
      next: 'grant them to the key in the Stripe dashboard, under API keys',
      run: async () => await permissionsOf(await open()),
    },
    {
      name: `Stripe webhook${suffix}`,
      appId,
      isRepairable: app.setup === 'managed',
      next:
        app.setup === 'managed'
          ? 'set PUBLIC_URL to where Stripe reaches the API, then run perennial doctor --repair'
          : `make an endpoint for ${addressOf(app, targets) ?? 'the app'} in the dashboard, then PUT /api/v1/apps/${appId}/stripe/webhook-secret`,
      run: async () => (app.setup === 'managed' ? await endpointOf(await open(), targets) : handMade(app)),
    },
  ]
  return [keyCheck, ...others.map((check) => afterKey(check, askedKey))]
}

/** The checks of an app run side by side, and share one answer. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let asked: Promise<T> | undefined
  return async () => await (asked ??= ask())
}

function opened(app: AppRow, targets: CheckTargets): Opened {
  if (targets.masterKey === null)
    throw new Error('PERENNIAL_MASTER_KEY is not known here: the key cannot be read')
  if (app.apiKeyEncrypted === null) throw new Error('the app has no key')
  const gateway = createStripeGateway({
    masterKey: targets.masterKey,
    ...(targets.previousMasterKey !== null && { previousMasterKey: targets.previousMasterKey }),
    allowLiveKeys: true,
    ...(targets.stripeBaseUrl !== undefined && { baseUrl: targets.stripeBaseUrl, limits: false }),
  })
  const key = gateway.decryptSecret(app.apiKeyEncrypted, { appId: app.id, field: 'api_key' })
  return { app, gateway, key }
}

async function keyOf({ app, gateway, key }: Opened): Promise<string> {
  const { keyMask, accountId, livemode, kind } = await gateway.inspectKey(key)
  if (livemode !== app.livemode)
    throw new Error(`the key is of ${livemode ? 'live' : 'test'} mode, the app is not`)
  const status = app.status === 'unauthorized' ? ', was refused until now' : ''
  const account = accountId ?? 'an account it may not read'
  return `${keyMask} of ${account}, ${livemode ? 'live' : 'test'}, ${kind}${status}`
}

async function permissionsOf({ gateway, key }: Opened): Promise<Found> {
  if (!key.startsWith('rk_')) return { detail: 'a secret key may do everything', degraded: [] }
  const missing = await gateway.probePermissions(key)
  const required = missing.filter((permission) => permission.required)
  if (required.length > 0) throw new Error(`the key lacks ${required.map(({ named }) => named).join(', ')}`)
  if (missing.length === 0) return { detail: 'all there are', degraded: [] }
  return {
    detail: `all that are required; ${missing.length} others are missing`,
    degraded: missing.map(({ named, withoutIt }) => `${named}: ${withoutIt}`),
  }
}

async function endpointOf({ app, gateway }: Opened, targets: CheckTargets): Promise<Found> {
  if (app.webhookEndpointId === null) return polledOnly(app, targets)
  const state = await endpointState(gateway, app)
  if (state === null) return { detail: `${app.webhookEndpointId}; the key may not look at it`, degraded: [] }
  if (!state.exists) throw new Error('Stripe has no such endpoint any more; its events are polled')
  if (!state.enabled) throw new Error('Stripe has disabled the endpoint; its events are polled')
  if (state.missingEvents.length > 0) throw new Error(`it does not send ${state.missingEvents.join(', ')}`)
  const wanted = addressOf(app, targets)
  if (wanted !== null && state.url !== wanted)
    throw new Error(`it sends to ${state.url ?? 'nowhere'}, and PUBLIC_URL makes that ${wanted}`)
  const version = state.apiVersion ?? 'the version of the account'
  return {
    detail: `sends to ${state.url ?? 'an unknown address'}, ${version}`,
    degraded: sentForNothing(state.spareEvents),
  }
}

/** An endpoint that was made for all events has `*` in place of their list. */
function sentForNothing(types: readonly string[]): readonly string[] {
  if (types.length === 0) return []
  const sent = types.includes('*') ? 'every type of event, most of them' : types.join(', ')
  return [`an up-to-date list: it sends ${sent} for nothing; --repair ends that`]
}

async function endpointState(gateway: StripeGateway, app: AppRow): Promise<WebhookEndpointState | null> {
  try {
    return await gateway.checkWebhookEndpoint(app)
  } catch (error) {
    if (lacksPermission(error)) return null
    throw error
  }
}

function polledOnly(app: AppRow, { publicUrl }: CheckTargets): Found {
  if (!mayReadEvents(app)) throw new Error('there is none, and the key may not read events')
  const isReachable = publicUrl !== null && !loopback.has(new URL(publicUrl).hostname)
  const late = isReachable ? ['an endpoint: events come seconds late; --repair makes one'] : []
  return { detail: 'none; events are polled by the worker', degraded: late }
}

const loopback: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

function handMade(app: AppRow): Found {
  const polled = mayReadEvents(app)
  if (app.webhookSecretEncrypted === null && !polled)
    throw new Error('its secret is not known, so webhooks are refused, and the key may not read events')
  const secret = app.webhookSecretEncrypted === null ? 'none yet' : 'made by hand, its secret is known'
  const events = 'reading events: what no webhook tells is seen when an invoice is next looked at'
  return { detail: polled ? `${secret}; events are polled` : secret, degraded: polled ? [] : [events] }
}

function addressOf(app: AppRow, { publicUrl }: CheckTargets): string | null {
  return publicUrl === null ? null : `${publicUrl}/api/v1/apps/${app.id}/stripe/webhook`
}
