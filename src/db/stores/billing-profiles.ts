import { sql } from 'kysely'
import type { Selectable, SelectQueryBuilder, Transaction } from 'kysely'
import type { Db } from '../connection.ts'
import { json, offsetOf } from '../page.ts'
import type { Ordering, Page, PageRequest } from '../page.ts'
import type { BillingOverrides, BillingProfiles, DB } from '../types.gen.ts'
import { containing } from './customers.ts'

/** Its documents (supplier, workflow, dunning and the like) are complete: defaults are filled in when it is written. */
export interface BillingProfileRow extends Omit<Selectable<BillingProfiles>, 'metadata'> {
  readonly metadata: Record<string, string> | null
}

export interface BillingProfileContent {
  readonly name: string
  readonly description: string | null
  readonly metadata: Readonly<Record<string, string>> | null
  readonly isDefault: boolean
  readonly supplier: object
  readonly workflow: object
  readonly dunning: object
  readonly lateUsage: object
  readonly access: object
  readonly stripe: object
  readonly defaultCurrency: string | null
}

export interface NewBillingProfile extends BillingProfileContent {
  readonly id: string
  readonly appId: string
}

const asProfile = (row: unknown): BillingProfileRow => row as BillingProfileRow

const columnsOf = (content: BillingProfileContent) => ({
  name: content.name,
  description: content.description,
  isDefault: content.isDefault,
  metadata: json(content.metadata),
  supplier: JSON.stringify(content.supplier),
  workflow: JSON.stringify(content.workflow),
  dunning: JSON.stringify(content.dunning),
  lateUsage: JSON.stringify(content.lateUsage),
  access: JSON.stringify(content.access),
  stripe: JSON.stringify(content.stripe),
  defaultCurrency: content.defaultCurrency,
})

/** Keeps other writers of profiles out until the transaction ends: which one is the default is a fact about all of them. */
export async function lockBillingProfiles(trx: Db): Promise<void> {
  await sql`lock table billing_profiles in share row exclusive mode`.execute(trx)
}

/** A living profile, held until the transaction ends: pinning to it and deleting it wait for each other. */
export async function lockBillingProfile(
  trx: Transaction<DB>,
  id: string,
): Promise<BillingProfileRow | null> {
  const living = trx
    .selectFrom('billingProfiles')
    .selectAll()
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
  const row = await living.forUpdate().executeTakeFirst()
  return row === undefined ? null : asProfile(row)
}

/** One is the default: the one before makes room. */
async function makeRoom(db: Db, becomesDefault: boolean, now: Date): Promise<void> {
  if (!becomesDefault) return
  await lockBillingProfiles(db)
  await db
    .updateTable('billingProfiles')
    .set({ isDefault: false, updatedAt: now })
    .where('isDefault', '=', true)
    .where('deletedAt', 'is', null)
    .execute()
}

/** In a transaction of the caller. */
export async function insertBillingProfile(
  db: Db,
  profile: NewBillingProfile,
  now: Date,
): Promise<BillingProfileRow> {
  await makeRoom(db, profile.isDefault, now)
  const row = { ...columnsOf(profile), id: profile.id, appId: profile.appId, createdAt: now, updatedAt: now }
  return asProfile(
    await db.insertInto('billingProfiles').values(row).returningAll().executeTakeFirstOrThrow(),
  )
}

/** In a transaction of the caller. */
export async function replaceBillingProfile(
  db: Db,
  id: string,
  content: BillingProfileContent,
  now: Date,
): Promise<BillingProfileRow> {
  await makeRoom(db, content.isDefault, now)
  const row = { ...columnsOf(content), updatedAt: now }
  return asProfile(
    await db
      .updateTable('billingProfiles')
      .set(row)
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow(),
  )
}

export async function findBillingProfile(db: Db, id: string): Promise<BillingProfileRow | null> {
  const row = await db.selectFrom('billingProfiles').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? null : asProfile(row)
}

export async function findDefaultProfile(db: Db): Promise<BillingProfileRow | null> {
  const row = await db
    .selectFrom('billingProfiles')
    .selectAll()
    .where('isDefault', '=', true)
    .where('deletedAt', 'is', null)
    .executeTakeFirst()
  return row === undefined ? null : asProfile(row)
}

export async function findBillingProfilesById(
  db: Db,
  ids: readonly string[],
): Promise<readonly BillingProfileRow[]> {
  if (ids.length === 0) return []
  return (
    await db
      .selectFrom('billingProfiles')
      .selectAll()
      .where('id', 'in', [...ids])
      .execute()
  ).map(asProfile)
}

export async function listBillingProfiles(
  db: Db,
  filter: { readonly includeArchived: boolean },
  paging: PageRequest & Ordering<'createdAt' | 'updatedAt' | 'isDefault' | 'name'>,
): Promise<Page<BillingProfileRow>> {
  const all = db.selectFrom('billingProfiles')
  const query = filter.includeArchived ? all : all.where('deletedAt', 'is', null)
  const { count } = await query.select((eb) => eb.fn.countAll<string>().as('count')).executeTakeFirstOrThrow()
  const rows = await query
    .selectAll()
    .orderBy(paging.orderBy, paging.order)
    .orderBy('id')
    .limit(paging.pageSize)
    .offset(offsetOf(paging))
    .execute()
  return { items: rows.map(asProfile), totalCount: Number(count) }
}

/** The customers that are linked to it: how many, and the first of them. */
export async function pinnedCustomers(
  db: Db,
  id: string,
  limit: number,
): Promise<Page<{ readonly id: string; readonly key: string | null }>> {
  const pinned = db
    .selectFrom('billingOverrides')
    .innerJoin('customers', 'customers.id', 'billingOverrides.customerId')
    .where('billingProfileId', '=', id)
    .where('customers.deletedAt', 'is', null)
  const { count } = await pinned
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  const items = await pinned
    .select(['customers.id', 'customers.key'])
    .orderBy('customers.id')
    .limit(limit)
    .execute()
  return { items, totalCount: Number(count) }
}

export async function deleteBillingProfile(db: Db, id: string, now: Date): Promise<void> {
  await db
    .updateTable('billingProfiles')
    .set({ deletedAt: now, updatedAt: now })
    .where('id', '=', id)
    .execute()
}

export type BillingOverrideRow = Selectable<BillingOverrides>

/** The profile, and what differs from it; null: nothing. */
export interface BillingOverrideContent {
  readonly billingProfileId: string | null
  readonly workflow: object | null
  readonly dunning: object | null
  readonly lateUsage: object | null
  readonly access: object | null
  readonly stripe: object | null
}

/** Replaces the whole override. */
export async function upsertOverride(
  db: Db,
  customerId: string,
  content: BillingOverrideContent,
  now: Date,
): Promise<BillingOverrideRow> {
  const columns = {
    billingProfileId: content.billingProfileId,
    workflow: json(content.workflow),
    dunning: json(content.dunning),
    lateUsage: json(content.lateUsage),
    access: json(content.access),
    stripe: json(content.stripe),
    updatedAt: now,
  }
  return db
    .insertInto('billingOverrides')
    .values({ ...columns, customerId, createdAt: now })
    .onConflict((oc) => oc.column('customerId').doUpdateSet(columns))
    .returningAll()
    .executeTakeFirstOrThrow()
}

export async function findOverride(db: Db, customerId: string): Promise<BillingOverrideRow | null> {
  return (
    (await db
      .selectFrom('billingOverrides')
      .selectAll()
      .where('customerId', '=', customerId)
      .executeTakeFirst()) ?? null
  )
}

export async function deleteOverride(db: Db, customerId: string): Promise<boolean> {
  return (
    (await db.deleteFrom('billingOverrides').where('customerId', '=', customerId).executeTakeFirst())
      .numDeletedRows > 0n
  )
}

export interface OverrideFilter {
  /** Customers billed by one of these, pinned or by default. */
  readonly profileIds?: readonly string[] | undefined
  readonly withoutPinnedProfile: boolean
  readonly includeAllCustomers: boolean
  readonly customerIds?: readonly string[] | undefined
  readonly name?: string | undefined
  readonly key?: string | undefined
  readonly primaryEmail?: string | undefined
}

/** A customer with the override it has, if any. */
export interface OverriddenCustomer {
  readonly customerId: string
  readonly override: BillingOverrideRow | null
}

type Overridden<O> = SelectQueryBuilder<
  DB & { billingOverrides: BillingOverrides | null },
  'customers' | 'billingOverrides',
  O
>

function matching<O>(
  query: Overridden<O>,
  filter: OverrideFilter,
  defaultProfileId: string | null,
): Overridden<O> {
  let found = query.where('customers.deletedAt', 'is', null)
  if (filter.withoutPinnedProfile) found = found.where('billingOverrides.billingProfileId', 'is', null)
  else if (!filter.includeAllCustomers) found = found.where('billingOverrides.customerId', 'is not', null)
  if (filter.profileIds)
    found = found.where(sql`coalesce(billing_overrides.billing_profile_id, ${defaultProfileId})`, 'in', [
      ...filter.profileIds,
    ])
  if (filter.customerIds) found = found.where('customers.id', 'in', [...filter.customerIds])
  if (filter.name !== undefined) found = found.where('customers.name', 'ilike', containing(filter.name))
  if (filter.key !== undefined) found = found.where('customers.key', 'ilike', containing(filter.key))
  if (filter.primaryEmail !== undefined)
    found = found.where('customers.primaryEmail', 'ilike', containing(filter.primaryEmail))
  return found
}

export async function listOverrides(
  db: Db,
  filter: OverrideFilter & { readonly defaultProfileId: string | null },
  paging: PageRequest & Ordering<'id' | 'name' | 'key' | 'primaryEmail' | 'createdAt'>,
): Promise<Page<OverriddenCustomer>> {
  const all = db
    .selectFrom('customers')
    .leftJoin('billingOverrides', 'billingOverrides.customerId', 'customers.id') as Overridden<object>
  const query = matching(all, filter, filter.defaultProfileId)
  const { count } = await query.select(sql<string>`count(*)`.as('count')).executeTakeFirstOrThrow()
  const rows = await query
    .select('customers.id as id')
    .orderBy(`customers.${paging.orderBy}`, paging.order)
    .orderBy('customers.id')
    .limit(paging.pageSize)
    .offset(offsetOf(paging))
    .execute()
  const ids = rows.map(({ id }) => id)
  const overrides =
    ids.length === 0
      ? []
      : await db.selectFrom('billingOverrides').selectAll().where('customerId', 'in', ids).execute()
  const byCustomer = new Map(overrides.map((override) => [override.customerId, override]))
  return {
    items: ids.map((customerId) => ({ customerId, override: byCustomer.get(customerId) ?? null })),
    totalCount: Number(count),
  }
}
