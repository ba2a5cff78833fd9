import { DomainError, isDomainError } from '../../domain/errors.ts'
import { EVENTS_READ } from '../../domain/stripe-permissions.ts'
import { findAppOfAccount, listApps, setStripeKey } from '../../db/stores/apps.ts'
import type { AppRow } from '../../db/stores/apps.ts'
import { someStripeCustomer } from '../../db/stores/customer-links.ts'
import { webhookWrite } from '../../stripe/permissions.ts'
import type { MissingPermission } from '../../stripe/permissions.ts'
import type { InspectedKey } from '../../stripe/types.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { requireApp } from './require-app.ts'
import { wakeInvoices } from './wake-invoices.ts'

/** The account of a key, if no installed app has it: its webhooks would arrive twice. */
export async function inspectNewAccount(deps: ApiDeps, key: string): Promise<InspectedKey> {
  const account = await deps.stripe.inspectKey(key)
  const installed = (await findAppOfAccount(deps.db, account)) ?? (await findAppOfKey(deps, key))
  if (installed === null) return account
  throw new DomainError(
    'app_already_installed',
    `The Stripe account ${account.accountId ?? 'of this key'} is installed already, as the app ${installed.id}: replace its key with PUT /api/v1/apps/${installed.id}/stripe/api-key.`,
    { field: 'apiKey' },
  )
}

const MANY_APPS = 1000

/** An account that is not known may be known by its key. */
async function findAppOfKey(deps: ApiDeps, key: string): Promise<AppRow | null> {
  const { items } = await listApps(deps.db, { page: 1, pageSize: MANY_APPS })
  const holds = ({ id, apiKeyEncrypted }: AppRow): boolean =>
    apiKeyEncrypted !== null &&
    deps.stripe.decryptSecret(apiKeyEncrypted, { appId: id, field: 'api_key' }) === key
  return items.find((app) => app.stripeAccountId === null && holds(app)) ?? null
}

interface KeyUse {
  readonly key: string
  readonly kind: InspectedKey['kind']
  readonly setup: 'managed' | 'manual'
  readonly field: string
}

/**
 * What a restricted key may not do. Errors: stripe_permission_missing naming every required one; without webhooks and
 * events nothing would be heard of Stripe, unless a person makes the endpoint.
 */
export async function requirePermissions(deps: ApiDeps, use: KeyUse): Promise<readonly string[]> {
  if (use.kind === 'secret') return []
  const missing = await deps.stripe.probePermissions(use.key)
  const slugs = missing.map(({ slug }) => slug)
  const isDeaf = use.setup === 'managed' && slugs.includes(EVENTS_READ) && slugs.includes(webhookWrite)
  const refused = missing.filter(
    ({ slug, required }) => required || (isDeaf && (slug === EVENTS_READ || slug === webhookWrite)),
  )
  if (refused.length > 0) throw permissionsMissing(refused, { isDeaf, field: use.field })
  return slugs
}

function permissionsMissing(
  missing: readonly MissingPermission[],
  { isDeaf, field }: { readonly isDeaf: boolean; readonly field: string },
): DomainError {
  const named = missing.map(({ named: slug, neededFor }) => `${slug} (${neededFor})`).join(', ')
  const byHand = isDeaf
    ? ' With a webhook endpoint that you make yourself, neither of the last two is needed: install/manual.'
    : ''
  return new DomainError('stripe_permission_missing', `The key lacks ${named}.${byHand}`, {
    field,
    details: { missingPermissions: missing.map(({ slug }) => slug) },
  })
}

/** Where a key does not tell its account, a linked Stripe customer does: another account does not have it. */
async function requireSameCustomers(deps: ApiDeps, app: AppRow, key: string): Promise<void> {
  const stripeCustomerId = await someStripeCustomer(deps.db, app.id)
  if (stripeCustomerId === null) return
  const sealed = deps.stripe.encryptSecret(key, { appId: app.id, field: 'api_key' })
  try {
    await deps.stripe.getCustomer({ ...app, apiKeyEncrypted: sealed }, stripeCustomerId)
  } catch (error) {
    if (!isDomainError(error) || error.code !== 'stripe_customer_not_found') throw error
    const detail = `This key is of another account: it has no customer ${stripeCustomerId}, who is linked here.`
    throw new DomainError('stripe_key_invalid', detail, { field: 'secretAPIKey' })
  }
}

/** Another key of the same account and mode; what waited for it goes on. */
export async function changeStripeKey(deps: ApiDeps, id: string, key: string): Promise<AppRow> {
  const app = await requireApp(deps, id)
  const account = await deps.stripe.inspectKey(key)
  const field = 'secretAPIKey'
  if (account.livemode !== app.livemode) {
    const mode = app.livemode ? 'live' : 'test'
    throw new DomainError('stripe_key_invalid', `The app is of ${mode} mode, this key is not.`, { field })
  }
  const { accountId } = account
  if (accountId !== null && app.stripeAccountId !== null && accountId !== app.stripeAccountId) {
    const detail = `This key is of the account ${accountId}, the app is of ${app.stripeAccountId}.`
    throw new DomainError('stripe_key_invalid', detail, { field })
  }
  if (accountId === null || app.stripeAccountId === null) await requireSameCustomers(deps, app, key)
  const setup = app.setup === 'manual' || app.webhookEndpointId !== null ? 'manual' : 'managed'
  const missingPermissions = await requirePermissions(deps, { key, kind: account.kind, setup, field })
  const credentials = {
    apiKeyEncrypted: deps.stripe.encryptSecret(key, { appId: id, field: 'api_key' }),
    apiKeyMask: account.keyMask,
    stripeAccountId: app.stripeAccountId ?? accountId,
    missingPermissions,
  }
  const row = found(await setStripeKey(deps.db, id, credentials, deps.now()), 'app', id)
  await wakeInvoices(deps, id)
  return row
}
