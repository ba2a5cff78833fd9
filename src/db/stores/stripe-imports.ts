import { sql } from 'kysely'
import type { Selectable, Transaction } from 'kysely'
import type { Db } from '../connection.ts'
import { offsetOf } from '../page.ts'
import type { Page, PageRequest } from '../page.ts'
import type { DB, StripeSubscriptionImports } from '../types.gen.ts'

/** A subscription that was made at Stripe, and what came of it here. */
export type StripeImportRow = Selectable<StripeSubscriptionImports>

interface AtStripe {
  readonly appId: string
  readonly stripeSubscriptionId: string
}

export interface ImportOutcome extends AtStripe {
  readonly subscriptionId: string | null
  readonly status: 'imported' | 'ended' | 'not_mapped' | 'failed'
  readonly reason: string | null
}

/** Writes what came of it; what was imported stays imported. */
export async function writeImport(db: Db, outcome: ImportOutcome): Promise<StripeImportRow> {
  const { subscriptionId, status, reason } = outcome
  const written = await db
    .insertInto('stripeSubscriptionImports')
    .values(outcome)
    .onConflict((oc) =>
      oc
        .columns(['appId', 'stripeSubscriptionId'])
        .doUpdateSet({ subscriptionId, status, reason, updatedAt: sql`now()` })
        .where('stripeSubscriptionImports.subscriptionId', 'is', null),
    )
    .returningAll()
    .executeTakeFirst()
  return written ?? (await findImport(db, outcome)) ?? fail()
}

function fail(): never {
  throw new Error('an import was written and is not there')
}

export async function findImport(
  db: Db,
  { appId, stripeSubscriptionId }: AtStripe,
): Promise<StripeImportRow | undefined> {
  return await db
    .selectFrom('stripeSubscriptionImports')
    .selectAll()
    .where('appId', '=', appId)
    .where('stripeSubscriptionId', '=', stripeSubscriptionId)
    .executeTakeFirst()
}

/** What was made of a subscription at Stripe has ended with it. */
export async function setImportEnded(db: Db, subscriptionId: string): Promise<void> {
  await db
    .updateTable('stripeSubscriptionImports')
    .set({ status: 'ended', updatedAt: sql`now()` })
    .where('subscriptionId', '=', subscriptionId)
    .where('status', '=', 'imported')
    .execute()
}

/** What a person should know of one that was imported; null: nothing. */
export async function setImportReason(db: Db, subscriptionId: string, reason: string | null): Promise<void> {
  await db
    .updateTable('stripeSubscriptionImports')
    .set({ reason, updatedAt: sql`now()` })
    .where('subscriptionId', '=', subscriptionId)
    .where('reason', 'is distinct from', reason)
    .execute()
}

/** The newest first. */
export async function listImports(
  db: Db,
  filter: { readonly appId: string; readonly status?: string | undefined },
  paging: PageRequest,
): Promise<Page<StripeImportRow>> {
  let query = db.selectFrom('stripeSubscriptionImports').where('appId', '=', filter.appId)
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  const { count } = await query.select((eb) => eb.fn.countAll<string>().as('count')).executeTakeFirstOrThrow()
  const items = await query
    .selectAll()
    .orderBy('createdAt', 'desc')
    .orderBy('stripeSubscriptionId')
    .limit(paging.pageSize)
    .offset(offsetOf(paging))
    .execute()
  return { items, totalCount: Number(count) }
}

/**
 * The events of subscriptions that had no mapping are handled again: there is another mapping now. The handler finds what
 * it did before.
 */
export async function reopenUnmapped(db: Db, appId: string): Promise<void> {
  await db
    .updateTable('stripeEvents')
    .set({ processedAt: null, attempts: 0, nextAttemptAt: sql`now()` })
    .where('appId', '=', appId)
    .where('type', '=', 'customer.subscription.created')
    .where('outcome', '=', 'not_mapped')
    .execute()
}

/** When the app was installed. */
export async function installedAt(db: Db, appId: string): Promise<Date> {
  const app = db.selectFrom('apps').select('createdAt').where('id', '=', appId)
  return (await app.executeTakeFirstOrThrow()).createdAt
}

/** Two events about one Stripe customer do not make two customers: held until the transaction ends. */
export async function lockStripeCustomer(
  trx: Transaction<DB>,
  { appId, stripeCustomerId }: { readonly appId: string; readonly stripeCustomerId: string },
): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`${appId}/${stripeCustomerId}`}, 0))`.execute(trx)
}

/** The living customer that is linked to a Stripe customer. */
export async function findLinkedCustomerId(
  db: Db,
  { appId, stripeCustomerId }: { readonly appId: string; readonly stripeCustomerId: string },
): Promise<string | null> {
  const row = await db
    .selectFrom('customerApps')
    .innerJoin('customers', 'customers.id', 'customerApps.customerId')
    .select('customers.id')
    .where('customerApps.appId', '=', appId)
    .where('customerApps.stripeCustomerId', '=', stripeCustomerId)
    .where('customers.deletedAt', 'is', null)
    .orderBy('customerApps.createdAt')
    .executeTakeFirst()
  return row?.id ?? null
}

/** Our test clock whose customers stand on a test clock of Stripe's. */
export async function findMirroringClock(
  db: Db,
  { appId, stripeTestClockId }: { readonly appId: string; readonly stripeTestClockId: string },
): Promise<string | null> {
  const row = await db
    .selectFrom('customerApps')
    .innerJoin('customers', 'customers.id', 'customerApps.customerId')
    .innerJoin('testClocks', 'testClocks.id', 'customers.testClockId')
    .select('testClocks.id')
    .where('customerApps.appId', '=', appId)
    .where('customerApps.stripeTestClockId', '=', stripeTestClockId)
    .where('customers.deletedAt', 'is', null)
    .where('testClocks.deletedAt', 'is', null)
    .executeTakeFirst()
  return row?.id ?? null
}

/** A profile that bills through the app: the default one, else the oldest. */
export async function findProfileOfApp(db: Db, appId: string): Promise<string | null> {
  const row = await db
    .selectFrom('billingProfiles')
    .select('id')
    .where('appId', '=', appId)
    .where('deletedAt', 'is', null)
    .orderBy('isDefault', 'desc')
    .orderBy('createdAt')
    .executeTakeFirst()
  return row?.id ?? null
}

/** Bills a customer by a profile; false when they have an override already. */
export async function pinToProfile(
  db: Db,
  { customerId, billingProfileId }: { readonly customerId: string; readonly billingProfileId: string },
): Promise<boolean> {
  const result = await db
    .insertInto('billingOverrides')
    .values({ customerId, billingProfileId })
    .onConflict((oc) => oc.column('customerId').doNothing())
    .executeTakeFirst()
  return result.numInsertedOrUpdatedRows === 1n
}
