import type { Selectable, Transaction, Updateable } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { Db } from '../connection.ts'
import { json, offsetOf } from '../page.ts'
import type { Page, PageRequest } from '../page.ts'
import type { Apps, CustomerApps, DB } from '../types.gen.ts'
import { isUniqueViolation } from '../unique-violation.ts'

/** An installed Stripe account; its secrets are sealed. */
export interface AppRow extends Omit<Selectable<Apps>, 'metadata'> {
  readonly metadata: Record<string, string> | null
}

export interface NewStripeApp {
  readonly id: string
  readonly name: string
  readonly livemode: boolean
  /** Null where the key may not read it. */
  readonly stripeAccountId: string | null
  readonly apiKeyEncrypted: string
  readonly apiKeyMask: string
  readonly webhookEndpointId: string | null
  readonly webhookSecretEncrypted: string | null
  /** Without an endpoint: the event after which polling begins. */
  readonly eventsCursor: string | null
  /** With one: the event after which the reconciler compares; null with an instant: all events. */
  readonly reconciledEvent: string | null
  readonly reconciledAt: Date | null
  readonly setup: 'managed' | 'manual'
  readonly customerPortalUrl: string | null
  readonly missingPermissions: readonly string[]
}

const asApp = (row: unknown): AppRow => row as AppRow

/** Errors: app_already_installed (the account, in this mode). */
export async function insertStripeApp(db: Db, app: NewStripeApp, now: Date): Promise<AppRow> {
  const row = {
    ...app,
    missingPermissions: [...app.missingPermissions],
    type: 'stripe',
    status: 'ready',
    createdAt: now,
    updatedAt: now,
  }
  try {
    return asApp(await db.insertInto('apps').values(row).returningAll().executeTakeFirstOrThrow())
  } catch (error) {
    if (!isUniqueViolation(error, 'apps_account_live')) throw error
    throw new DomainError(
      'app_already_installed',
      `The Stripe account ${app.stripeAccountId} is installed already.`,
      {
        field: 'apiKey',
      },
    )
  }
}

/** An installed app, held until the transaction ends: a profile that begins to use it and its removal wait for each other. */
export async function lockApp(trx: Transaction<DB>, id: string): Promise<boolean> {
  const installed = trx.selectFrom('apps').select('id').where('id', '=', id).where('deletedAt', 'is', null)
  return (await installed.forNoKeyUpdate().executeTakeFirst()) !== undefined
}

/** An app that is installed. */
export async function findApp(db: Db, id: string): Promise<AppRow | null> {
  const row = await db
    .selectFrom('apps')
    .selectAll()
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .executeTakeFirst()
  return row === undefined ? null : asApp(row)
}

/** Installed or not: profiles and invoices of old go on naming an app. */
export async function findAppsById(db: Db, ids: readonly string[]): Promise<readonly AppRow[]> {
  if (ids.length === 0) return []
  return (
    await db
      .selectFrom('apps')
      .selectAll()
      .where('id', 'in', [...ids])
      .execute()
  ).map(asApp)
}

export async function listApps(db: Db, paging: PageRequest): Promise<Page<AppRow>> {
  const installed = db.selectFrom('apps').where('deletedAt', 'is', null)
  const { count } = await installed
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  const rows = await installed
    .selectAll()
    .orderBy('createdAt')
    .orderBy('id')
    .limit(paging.pageSize)
    .offset(offsetOf(paging))
    .execute()
  return { items: rows.map(asApp), totalCount: Number(count) }
}

/** The app of the default billing profile, else the one installed first. */
export async function findDefaultApp(db: Db): Promise<AppRow | null> {
  const row = await db
    .selectFrom('apps')
    .leftJoin('billingProfiles', (join) =>
      join
        .onRef('billingProfiles.appId', '=', 'apps.id')
        .on('billingProfiles.isDefault', '=', true)
        .on('billingProfiles.deletedAt', 'is', null),
    )
    .selectAll('apps')
    .where('apps.deletedAt', 'is', null)
    .where('apps.type', '=', 'stripe')
    .orderBy('billingProfiles.id', (order) => order.asc().nullsLast())
    .orderBy('apps.createdAt')
    .limit(1)
    .executeTakeFirst()
  return row === undefined ? null : asApp(row)
}

export interface AppContent {
  readonly name: string
  readonly description: string | null
  readonly metadata: Readonly<Record<string, string>> | null
  /** Left out: it stays. */
  readonly customerPortalUrl?: string | null
}

/** Null: it is not installed any more. */
export async function replaceApp(db: Db, id: string, content: AppContent, now: Date): Promise<AppRow | null> {
  return await updateInstalled(db, id, { ...content, metadata: json(content.metadata), updatedAt: now })
}

/** Stripe is asked before a row is written: meanwhile the app may be uninstalled, and nothing is written onto it then. */
async function updateInstalled(db: Db, id: string, row: Updateable<Apps>): Promise<AppRow | null> {
  const updated = await db
    .updateTable('apps')
    .set(row)
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .returningAll()
    .executeTakeFirst()
  return updated === undefined ? null : asApp(updated)
}

export interface StripeCredentials {
  readonly apiKeyEncrypted: string
  readonly apiKeyMask: string
  readonly stripeAccountId: string | null
  readonly missingPermissions: readonly string[]
}

/** A new key makes an app that Stripe had refused usable again. Null: it is not installed any more. */
export async function setStripeKey(
  db: Db,
  id: string,
  credentials: StripeCredentials,
  now: Date,
): Promise<AppRow | null> {
  const missingPermissions = [...credentials.missingPermissions]
  const row = { ...credentials, missingPermissions, status: 'ready', statusReason: null, updatedAt: now }
  return await updateInstalled(db, id, row)
}

export interface StripeAccount {
  /** Null: not known, so no app is known to have it. */
  readonly accountId: string | null
  readonly livemode: boolean
}

/** The installed app of a Stripe account, in one of its two modes. */
export async function findAppOfAccount(
  db: Db,
  { accountId, livemode }: StripeAccount,
): Promise<AppRow | null> {
  if (accountId === null) return null
  const row = await db
    .selectFrom('apps')
    .selectAll()
    .where('stripeAccountId', '=', accountId)
    .where('livemode', '=', livemode)
    .where('deletedAt', 'is', null)
    .executeTakeFirst()
  return row === undefined ? null : asApp(row)
}

/** The row stays for the invoices that name it; its secrets go. */
export async function deleteApp(db: Db, id: string, now: Date): Promise<void> {
  const gone = {
    apiKeyEncrypted: null,
    webhookSecretEncrypted: null,
    webhookSecretPreviousEncrypted: null,
    webhookSecretPreviousUntil: null,
    webhookProblem: null,
    pollsEvents: false,
    webhookEndpointId: null,
    deletedAt: now,
    updatedAt: now,
  }
  await db.updateTable('apps').set(gone).where('id', '=', id).execute()
}

/** Who a customer is at an app. */
export type CustomerAppRow = Selectable<CustomerApps>

export interface CustomerLink {
  readonly customerId: string
  readonly appId: string
  readonly stripeCustomerId: string
  readonly stripeDefaultPaymentMethodId: string | null
  readonly stripeTestClockId: string | null
  /** When the link was made by hand, or what it charges was saved: real time, as Stripe's events are. */
  readonly paymentMethodSetAt?: Date | null
  /** Left out: they stay. */
  readonly labels?: Readonly<Record<string, string>>
}

export async function upsertCustomerLink(db: Db, link: CustomerLink, now: Date): Promise<void> {
  const { customerId: _customer, appId: _app, labels, ...named } = link
  const changes = {
    ...named,
    stripeDeletedAt: null,
    ...(labels !== undefined && { labels: json(labels) }),
  }
  await db
    .insertInto('customerApps')
    .values({ ...link, ...changes, createdAt: now, updatedAt: now })
    .onConflict((oc) => oc.columns(['customerId', 'appId']).doUpdateSet({ ...changes, updatedAt: now }))
    .execute()
}

/** A customer's links to apps that are installed, the oldest first. */
export async function listCustomerLinks(db: Db, customerId: string): Promise<readonly CustomerAppRow[]> {
  return db
    .selectFrom('customerApps')
    .innerJoin('apps', 'apps.id', 'customerApps.appId')
    .selectAll('customerApps')
    .where('customerId', '=', customerId)
    .where('apps.deletedAt', 'is', null)
    .orderBy('customerApps.createdAt')
    .orderBy('customerApps.appId')
    .execute()
}

/** False when there was no such link. */
export async function deleteCustomerLink(db: Db, customerId: string, appId: string): Promise<boolean> {
  const result = await db
    .deleteFrom('customerApps')
    .where('customerId', '=', customerId)
    .where('appId', '=', appId)
    .executeTakeFirst()
  return result.numDeletedRows > 0n
}
