import type { Transaction } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import { findAppUses } from '../../db/stores/app-use.ts'
import type { AppUse } from '../../db/stores/app-use.ts'
import { deleteApp, findApp, insertStripeApp, lockApp, replaceApp } from '../../db/stores/apps.ts'
import type { AppRow, NewStripeApp } from '../../db/stores/apps.ts'
import {
  findDefaultProfile,
  insertBillingProfile,
  lockBillingProfiles,
} from '../../db/stores/billing-profiles.ts'
import type { DB } from '../../db/types.gen.ts'
import { classifyStripeError } from '../../stripe/failures.ts'
import { lacksPermission, mayReadEvents, webhookWrite } from '../../stripe/permissions.ts'
import type { InspectedKey } from '../../stripe/types.ts'
import type { ApiDeps } from '../deps.ts'
import type { ApiKeyInstall, ManualInstall, StripeAppReplaceUpdate } from '../schemas/apps.ts'
import { found } from '../not-found.ts'
import { profileSettings } from './profile-settings.ts'
import { requireApp } from './require-app.ts'
import { changeStripeKey, inspectNewAccount, requirePermissions } from './stripe-keys.ts'
import { createEndpoint, noEndpoint } from './webhook-endpoints.ts'

export interface Installation {
  readonly app: AppRow
  /** Whether its new billing profile bills whoever has no other. */
  readonly isDefault: boolean
}

type Credentials = Pick<NewStripeApp, 'id' | 'livemode' | 'stripeAccountId' | 'apiKeyEncrypted'>

/** Where reading events begins. Not knowing it is no reason to refuse: then it begins with all that Stripe still has. */
async function newestEvent(deps: ApiDeps, app: Credentials): Promise<string | null> {
  try {
    return await deps.stripe.newestEventId({ ...app, ...noEndpoint })
  } catch (error) {
    if (!lacksPermission(error)) {
      deps.log.warn(
        { appId: app.id, err: error },
        'the newest event is not known; reading begins with the oldest',
      )
    }
    return null
  }
}

interface WantedProfile {
  readonly app: AppRow
  readonly supplier: { readonly name: string; readonly country: string }
}

/** Of the account where Stripe tells, else as given. Without name and country there is no supplier, so no profile. */
function supplierOf(account: InspectedKey, name: string, given?: ManualInstall['supplier']) {
  const country = given?.country ?? account.country
  return country === null ? null : { name: given?.name ?? account.businessName ?? name, country }
}

/** The profile that the contract makes with an app; whether it is the default one. */
async function createProfile(
  deps: ApiDeps,
  trx: Transaction<DB>,
  { app, supplier: { name, country } }: WantedProfile,
): Promise<boolean> {
  await lockBillingProfiles(trx)
  const isDefault = (await findDefaultProfile(trx)) === null
  const profile = {
    id: deps.newId(),
    appId: app.id,
    name: `${app.name} billing profile`,
    description: null,
    metadata: null,
    supplier: { name, addresses: [{ country }] },
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
  const use = { key: input.apiKey, kind: account.kind, setup: 'managed', field: 'apiKey' } as const
  const missingPermissions = await requirePermissions(deps, use)
  const id = deps.newId()
  const endpoint = missingPermissions.includes(webhookWrite)
    ? noEndpoint
    : await createEndpoint(deps, id, input.apiKey)
  const row = newApp(deps, input, { id, account, missingPermissions })
  return await storeApp(deps, { ...row, ...endpoint }, { account, input })
}

/** As `installStripe`, for an account whose webhook endpoint and portal a person sets up. */
export async function installManually(deps: ApiDeps, input: ManualInstall): Promise<Installation> {
  const account = await inspectNewAccount(deps, input.apiKey)
  const use = { key: input.apiKey, kind: account.kind, setup: 'manual', field: 'apiKey' } as const
  const missingPermissions = await requirePermissions(deps, use)
  const id = deps.newId()
  const row = newApp(deps, input, { id, account, missingPermissions })
  const { webhookSecret, customerPortalUrl } = input
  const byHand = {
    setup: 'manual',
    customerPortalUrl: customerPortalUrl ?? null,
    ...(webhookSecret !== undefined && {
      webhookSecretEncrypted: deps.stripe.encryptSecret(webhookSecret, {
        appId: id,
        field: 'webhook_secret',
      }),
    }),
  } as const
  return await storeApp(deps, { ...row, ...byHand }, { account, input })
}

interface NewApp {
  readonly id: string
  readonly account: InspectedKey
  readonly missingPermissions: readonly string[]
}

/** A managed app without an endpoint. */
function newApp(
  deps: ApiDeps,
  input: Pick<ApiKeyInstall, 'apiKey' | 'name'>,
  { id, account, missingPermissions }: NewApp,
): NewStripeApp {
  const app = {
    id,
    name: input.name ?? 'Stripe',
    livemode: account.livemode,
    stripeAccountId: account.accountId,
    apiKeyEncrypted: deps.stripe.encryptSecret(input.apiKey, { appId: id, field: 'api_key' }),
    apiKeyMask: account.keyMask,
    setup: 'managed' as const,
    customerPortalUrl: null,
    missingPermissions,
  }
  return { ...app, ...noEndpoint, eventsCursor: null, reconciledEvent: null, reconciledAt: null }
}

interface Wanted {
  readonly account: InspectedKey
  readonly input: Pick<ManualInstall, 'createBillingProfile' | 'supplier'>
}

/** Events that nobody brings are polled, those that a webhook may have lost compared: from the first moment. */
async function eventsFromHereOn(deps: ApiDeps, app: NewStripeApp): Promise<Partial<NewStripeApp>> {
  const event = await newestEvent(deps, app)
  if (app.webhookEndpointId === null) return { eventsCursor: event }
  return { reconciledEvent: event, reconciledAt: deps.now() }
}

/** App and profile are there together or not at all: a repeat would be refused as installed already. */
async function storeApp(deps: ApiDeps, app: NewStripeApp, { account, input }: Wanted): Promise<Installation> {
  const row = { ...app, ...(mayReadEvents(app) && (await eventsFromHereOn(deps, app))) }
  const supplier = input.createBillingProfile === false ? null : supplierOf(account, app.name, input.supplier)
  try {
    return await deps.db.transaction().execute(async (trx) => {
      const stored = await insertStripeApp(trx, row, deps.now())
      return {
        app: stored,
        isDefault: supplier !== null && (await createProfile(deps, trx, { app: stored, supplier })),
      }
    })
  } catch (error) {
    if ((await findApp(deps.db, app.id)) === null) await removeEndpoint(deps, row)
    throw error
  }
}

export async function updateApp(deps: ApiDeps, id: string, input: StripeAppReplaceUpdate): Promise<AppRow> {
  await requireApp(deps, id)
  if (input.secretAPIKey !== undefined) await changeStripeKey(deps, id, input.secretAPIKey)
  const { name, description, metadata, customerPortalUrl } = input
  const content = {
    name,
    description: description ?? null,
    metadata: metadata ?? null,
    ...(customerPortalUrl !== undefined && { customerPortalUrl }),
  }
  return found(await replaceApp(deps.db, id, content, deps.now()), 'app', id)
}

/** Takes the webhook endpoint away at Stripe, and forgets the secrets. */
export async function uninstallApp(deps: ApiDeps, id: string): Promise<void> {
  await requireApp(deps, id)
  await deps.db.transaction().execute(async (trx) => {
    if (!(await lockApp(trx, id))) return
    const uses = await findAppUses(trx, id)
    if (uses.length > 0) throw inUse(uses)
    // Read again: until it was locked its endpoint may have become another.
    await removeOwnEndpoint(deps, await requireApp({ db: trx }, id))
    await deleteApp(trx, id, deps.now())
  })
}

const useNames = {
  billing_profile: 'the billing profile',
  customer_link: 'the customer',
  invoice: 'the open invoice',
} as const

function inUse(uses: readonly AppUse[]): DomainError {
  const named = uses.map(({ kind, name, id }) => `${useNames[kind]} "${name}" (${id})`)
  return new DomainError('app_in_use', `The app is used by ${named.join(', ')}.`, { details: { uses } })
}

async function removeOwnEndpoint(deps: ApiDeps, app: AppRow): Promise<void> {
  try {
    await deps.stripe.deleteWebhookEndpoint(app)
  } catch (error) {
    // With a key that Stripe took back nothing can be deleted there; the app has to go all the same.
    if (classifyStripeError(error).kind !== 'auth') throw error
  }
}
