import type { Transaction } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import {
  deleteApp,
  findApp,
  findAppOfAccount,
  findAppUse,
  insertStripeApp,
  lockApp,
  replaceApp,
  setStripeKey,
} from '../../db/stores/apps.ts'
import type { AppRow, NewStripeApp } from '../../db/stores/apps.ts'
import {
  findDefaultProfile,
  insertBillingProfile,
  lockBillingProfiles,
} from '../../db/stores/billing-profiles.ts'
import type { DB } from '../../db/types.gen.ts'
import { classifyStripeError } from '../../stripe/failures.ts'
import type { InspectedKey } from '../../stripe/types.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import type { ApiKeyInstall, StripeAppReplaceUpdate } from '../schemas/apps.ts'
import { profileSettings } from './profile-settings.ts'

export interface Installation {
  readonly app: AppRow
  /** Whether its new billing profile bills whoever has no other. */
  readonly isDefault: boolean
}

export async function requireApp({ db }: Pick<ApiDeps, 'db'>, id: string): Promise<AppRow> {
  return found(await findApp(db, id), 'app', id)
}

type Endpoint = Pick<NewStripeApp, 'webhookEndpointId' | 'webhookSecretEncrypted'>
type Credentials = Pick<NewStripeApp, 'id' | 'livemode' | 'stripeAccountId' | 'apiKeyEncrypted'>
const noEndpoint: Endpoint = { webhookEndpointId: null, webhookSecretEncrypted: null }

/**
 * Stripe refuses an address it cannot reach, such as loopback: then there is no endpoint, and a worker polls the account's
 * events (src/relay/poll-events.ts).
 */
async function createEndpoint(deps: ApiDeps, appId: string, key: string): Promise<Endpoint> {
  const url = `${deps.config.publicUrl}/api/v1/apps/${appId}/stripe/webhook`
  try {
    const { endpointId, secret } = await deps.stripe.createWebhookEndpoint(key, { url, appId })
    return {
      webhookEndpointId: endpointId,
      webhookSecretEncrypted: deps.stripe.encryptSecret(secret, { appId, field: 'webhook_secret' }),
    }
  } catch (error) {
    const failure = classifyStripeError(error)
    if (error instanceof DomainError || failure.kind !== 'final') throw error
    deps.log.warn(
      { appId, url, reason: failure.message },
      'Stripe refused the webhook endpoint; its events are polled until PUBLIC_URL is an address it can reach and the app is installed again',
    )
    return noEndpoint
  }
}

/** Where polling begins. Not knowing it is no reason to refuse: then it begins with all that Stripe still has. */
async function pollingStart(deps: ApiDeps, app: Credentials): Promise<string | null> {
  try {
    return await deps.stripe.newestEventId({ ...app, ...noEndpoint })
  } catch (error) {
    deps.log.warn(
      { appId: app.id, err: error },
      'the newest event is not known; polling begins with the oldest',
    )
    return null
  }
}

/** The account of a key, if no installed app has it: its webhooks would arrive twice. */
async function inspectNewAccount(deps: ApiDeps, key: string): Promise<InspectedKey> {
  const account = await deps.stripe.inspectKey(key)
  const installed = await findAppOfAccount(deps.db, account)
  if (installed === null) return account
  throw new DomainError(
    'conflict',
    `The Stripe account ${account.accountId} is installed already, as the app ${installed.id}.`,
    { field: 'apiKey' },
  )
}

/** The profile that the contract makes with an app. Without name and country there is no supplier, so none is made. */
async function createProfile(
  deps: ApiDeps,
  trx: Transaction<DB>,
  { app, account }: { readonly app: AppRow; readonly account: InspectedKey },
): Promise<boolean> {
  if (account.country === null) return false
  await lockBillingProfiles(trx)
  const isDefault = (await findDefaultProfile(trx)) === null
  const supplier = { name: account.businessName ?? app.name, addresses: [{ country: account.country }] }
  const profile = {
    id: deps.newId(),
    appId: app.id,
    name: `${app.name} billing profile`,
    description: null,
    metadata: null,
    supplier,
    isDefault,
    ...profileSettings({ workflow: {} }),
  }
  await insertBillingProfile(trx, profile, deps.now())
  return isDefault
}

/** Best effort: whoever called is told why the installation failed, not that tidying up failed too. */
async function removeEndpoint(deps: ApiDeps, app: NewStripeApp): Promise<void> {
  try {
    await deps.stripe.deleteWebhookEndpoint(app)
  } catch (error) {
    const endpoint = { webhookEndpointId: app.webhookEndpointId, stripeAccountId: app.stripeAccountId }
    deps.log.warn({ ...endpoint, err: error }, 'a webhook endpoint without an app is left at Stripe')
  }
}

/** Checks the key, creates the webhook endpoint at Stripe, and keeps both secrets sealed. */
export async function installStripe(deps: ApiDeps, input: ApiKeyInstall): Promise<Installation> {
  const account = await inspectNewAccount(deps, input.apiKey)
  const id = deps.newId()
  const credentials = {
    apiKeyEncrypted: deps.stripe.encryptSecret(input.apiKey, { appId: id, field: 'api_key' }),
    apiKeyMask: account.keyMask,
  }
  const endpoint = await createEndpoint(deps, id, input.apiKey)
  const { livemode, accountId: stripeAccountId } = account
  const app = { id, name: input.name ?? 'Stripe', livemode, stripeAccountId, ...credentials }
  const eventsCursor = endpoint.webhookEndpointId === null ? await pollingStart(deps, app) : null
  const row: NewStripeApp = { ...app, ...endpoint, eventsCursor }
  try {
    // App and profile are there together or not at all: a repeat would be refused as installed already.
    return await deps.db.transaction().execute(async (trx) => {
      const app = await insertStripeApp(trx, row, deps.now())
      const wantsProfile = input.createBillingProfile !== false
      return { app, isDefault: wantsProfile && (await createProfile(deps, trx, { app, account })) }
    })
  } catch (error) {
    if ((await findApp(deps.db, id)) === null) await removeEndpoint(deps, row)
    throw error
  }
}

/** Another key of the same account. */
export async function changeStripeKey(deps: ApiDeps, id: string, key: string): Promise<AppRow> {
  const app = await requireApp(deps, id)
  const account = await deps.stripe.inspectKey(key)
  if (account.accountId !== app.stripeAccountId) {
    throw new DomainError(
      'stripe_key_invalid',
      `This key is of the account ${account.accountId}, the app is of ${app.stripeAccountId ?? 'none'}.`,
      { field: 'secretAPIKey' },
    )
  }
  if (account.livemode !== app.livemode) {
    const mode = app.livemode ? 'live' : 'test'
    throw new DomainError('stripe_key_invalid', `The app is of ${mode} mode, this key is not.`, {
      field: 'secretAPIKey',
    })
  }
  const apiKeyEncrypted = deps.stripe.encryptSecret(key, { appId: id, field: 'api_key' })
  return setStripeKey(deps.db, id, { apiKeyEncrypted, apiKeyMask: account.keyMask }, deps.now())
}

export async function updateApp(deps: ApiDeps, id: string, input: StripeAppReplaceUpdate): Promise<AppRow> {
  await requireApp(deps, id)
  if (input.secretAPIKey !== undefined) await changeStripeKey(deps, id, input.secretAPIKey)
  const { name, description, metadata } = input
  return replaceApp(
    deps.db,
    id,
    { name, description: description ?? null, metadata: metadata ?? null },
    deps.now(),
  )
}

/** Takes the webhook endpoint away at Stripe, and forgets the secrets. */
export async function uninstallApp(deps: ApiDeps, id: string): Promise<void> {
  const app = await requireApp(deps, id)
  await deps.db.transaction().execute(async (trx) => {
    if (!(await lockApp(trx, id))) return
    const use = await findAppUse(trx, id)
    if (use !== null) throw new DomainError('app_in_use', `The app is used by ${use}.`)
    await removeOwnEndpoint(deps, app)
    await deleteApp(trx, id, deps.now())
  })
}

async function removeOwnEndpoint(deps: ApiDeps, app: AppRow): Promise<void> {
  try {
    await deps.stripe.deleteWebhookEndpoint(app)
  } catch (error) {
    // With a key that Stripe took back nothing can be deleted there; the app has to go all the same.
    if (classifyStripeError(error).kind !== 'auth') throw error
  }
}
