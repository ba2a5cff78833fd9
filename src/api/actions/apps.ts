import { DomainError } from '../../domain/errors.ts'
import {
  deleteApp,
  findApp,
  findAppOfAccount,
  findAppUse,
  insertStripeApp,
  replaceApp,
  setStripeKey,
} from '../../db/stores/apps.ts'
import type { AppRow, NewStripeApp } from '../../db/stores/apps.ts'
import { insertBillingProfile, findDefaultProfile } from '../../db/stores/billing-profiles.ts'
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
const noEndpoint: Endpoint = { webhookEndpointId: null, webhookSecretEncrypted: null }

/**
 * Stripe refuses an address it cannot reach, such as loopback: then there is no endpoint, and the account's events are polled.
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
      'Stripe refused the webhook endpoint; its events are polled',
    )
    return noEndpoint
  }
}

/** The account of a key, if no installed app has it: its webhooks would arrive twice. */
async function inspectNewAccount(deps: ApiDeps, key: string): Promise<InspectedKey> {
  const account = await deps.stripe.inspectKey(key)
  const installed = await findAppOfAccount(deps.db, account.accountId)
  if (installed === null) return account
  throw new DomainError(
    'conflict',
    `The Stripe account ${account.accountId} is installed already, as the app ${installed.id}.`,
    { field: 'apiKey' },
  )
}

/** The profile that the contract makes with an app. Without name and country there is no supplier, so none is made. */
async function createProfile(deps: ApiDeps, app: AppRow, account: InspectedKey): Promise<boolean> {
  if (account.country === null) return false
  const isDefault = (await findDefaultProfile(deps.db)) === null
  const supplier = { name: account.businessName ?? app.name, addresses: [{ country: account.country }] }
  const settings = profileSettings({ workflow: {} })
  const content = {
    name: `${app.name} billing profile`,
    description: null,
    metadata: null,
    supplier,
    isDefault,
    ...settings,
  }
  await deps.db
    .transaction()
    .execute((trx) => insertBillingProfile(trx, { ...content, id: deps.newId(), appId: app.id }, deps.now()))
  return isDefault
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
  const { livemode, accountId } = account
  const row: NewStripeApp = {
    id,
    name: input.name ?? 'Stripe',
    livemode,
    stripeAccountId: accountId,
    ...credentials,
    ...endpoint,
  }
  try {
    const app = await insertStripeApp(deps.db, row, deps.now())
    return {
      app,
      isDefault: input.createBillingProfile !== false && (await createProfile(deps, app, account)),
    }
  } catch (error) {
    if ((await findApp(deps.db, id)) === null) await deps.stripe.deleteWebhookEndpoint(row)
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
  const use = await findAppUse(deps.db, id)
  if (use !== null) throw new DomainError('app_in_use', `The app is used by ${use}.`)
  try {
    await deps.stripe.deleteWebhookEndpoint(app)
  } catch (error) {
    // With a key that Stripe took back nothing can be deleted there; the app has to go all the same.
    if (classifyStripeError(error).kind !== 'auth') throw error
  }
  await deleteApp(deps.db, id, deps.now())
}
