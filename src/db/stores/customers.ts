import { sql } from 'kysely'
import type { Selectable, SelectQueryBuilder } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { Db } from '../connection.ts'
import { json, offsetOf } from '../page.ts'
import type { Ordering, Page, PageRequest } from '../page.ts'
import type { Customers, DB } from '../types.gen.ts'
import { isUniqueViolation } from '../unique-violation.ts'
import { setSubjects } from './customer-subjects.ts'
import type { SubscriptionRow } from './subscriptions.ts'
import { settledStatuses } from '../../domain/invoice-state.ts'

export interface PostalAddress {
  country?: string
  postalCode?: string
  state?: string
  city?: string
  line1?: string
  line2?: string
  phoneNumber?: string
}

export interface CustomerRow extends Omit<Selectable<Customers>, 'metadata' | 'billingAddress'> {
  readonly metadata: Record<string, string> | null
  readonly billingAddress: PostalAddress | null
  readonly subjectKeys: string[]
  /** A subscription that runs now. */
  readonly currentSubscriptionId: string | null
}

/** What an update replaces. */
export interface CustomerContent {
  readonly key: string | null
  readonly name: string
  readonly description: string | null
  readonly metadata: Readonly<Record<string, string>> | null
  readonly primaryEmail: string | null
  readonly currency: string | null
  readonly timezone: string
  readonly billingAddress: Readonly<PostalAddress> | null
  readonly subjectKeys: readonly string[]
}

export interface NewCustomer extends CustomerContent {
  readonly id: string
  readonly testClockId: string | null
}

const subjectKeysOf = sql<string[]>`(
  select coalesce(array_agg(s.subject_key order by s.subject_key), '{}') from customer_subjects s
  where s.customer_id = customers.id and (s.deleted_at is null or customers.deleted_at is not null))`.as(
  'subjectKeys',
)

const currentSubscriptionOf = sql<string | null>`(
  select s.id from subscriptions s where s.customer_id = customers.id and s.deleted_at is null
  and s.lifecycle in ('active', 'canceled', 'parked') order by s.active_from desc limit 1)`.as(
  'currentSubscriptionId',
)

function customers(db: Db) {
  return db.selectFrom('customers').selectAll('customers').select([subjectKeysOf, currentSubscriptionOf])
}

function columnsOf({ subjectKeys: _subjects, ...content }: CustomerContent) {
  return { ...content, metadata: json(content.metadata), billingAddress: json(content.billingAddress) }
}

/** The key and the subjects of a customer are nobody else's: a unit is billed once. */
async function refusingDoubles<T>(key: string | null, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (isUniqueViolation(error, 'customers_key_live')) {
      throw new DomainError('duplicate_key', `There is a customer with the key ${key ?? ''} already.`, {
        field: 'key',
      })
    }
    if (isUniqueViolation(error, 'customer_subjects_live')) {
      throw new DomainError('duplicate_key', 'Another customer has one of these subject keys.', {
        field: 'usageAttribution.subjectKeys',
      })
    }
    throw error
  }
}

/** In a transaction of the caller. Errors: duplicate_key. */
export async function insertCustomer(db: Db, customer: NewCustomer, now: Date): Promise<void> {
  const { id, testClockId } = customer
  await refusingDoubles(customer.key, async () => {
    await db
      .insertInto('customers')
      .values({ ...columnsOf(customer), id, testClockId, createdAt: now, updatedAt: now })
      .execute()
    await setSubjects(db, id, customer.subjectKeys, now)
  })
}

/** In a transaction of the caller. Errors: duplicate_key. */
export async function replaceCustomer(
  db: Db,
  id: string,
  content: CustomerContent,
  now: Date,
): Promise<void> {
  await refusingDoubles(content.key, async () => {
    await db
      .updateTable('customers')
      .set({ ...columnsOf(content), updatedAt: now })
      .where('id', '=', id)
      .execute()
    await setSubjects(db, id, content.subjectKeys, now)
  })
}

/** By id, deleted or not, or by the key of a living one. */
export async function findCustomer(db: Db, idOrKey: string): Promise<CustomerRow | null> {
  const row = await customers(db)
    .where((eb) =>
      eb.or([
        eb('customers.id', '=', idOrKey),
        eb.and([eb('customers.key', '=', idOrKey), eb('customers.deletedAt', 'is', null)]),
      ]),
    )
    .orderBy(sql`customers.id = ${idOrKey}`, 'desc')
    .executeTakeFirst()
  return row === undefined ? null : (row as unknown as CustomerRow)
}

export async function findCustomersById(db: Db, ids: readonly string[]): Promise<readonly CustomerRow[]> {
  if (ids.length === 0) return []
  return (await customers(db)
    .where('customers.id', 'in', [...ids])
    .execute()) as unknown as CustomerRow[]
}

/** Text filters match a part, whatever the case. */
export interface CustomerFilter {
  readonly includeDeleted?: boolean | undefined
  readonly key?: string | undefined
  readonly name?: string | undefined
  readonly primaryEmail?: string | undefined
  readonly subject?: string | undefined
  readonly planKey?: string | undefined
}

/** A LIKE pattern that finds the text itself: its wildcards are only characters. */
export function containing(text: string): string {
  return `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
}

function filtered<O>(query: SelectQueryBuilder<DB, 'customers', O>, filter: CustomerFilter) {
  let found = query
  if (filter.includeDeleted !== true) found = found.where('customers.deletedAt', 'is', null)
  if (filter.key !== undefined) found = found.where('customers.key', 'ilike', containing(filter.key))
  if (filter.name !== undefined) found = found.where('customers.name', 'ilike', containing(filter.name))
  if (filter.primaryEmail !== undefined)
    found = found.where('customers.primaryEmail', 'ilike', containing(filter.primaryEmail))
  const { subject, planKey } = filter
  if (subject !== undefined) {
    found = found.where((eb) =>
      eb.exists(
        eb
          .selectFrom('customerSubjects')
          .select('subjectKey')
          .whereRef('customerSubjects.customerId', '=', 'customers.id')
          .where('customerSubjects.deletedAt', 'is', null)
          .where('subjectKey', 'ilike', containing(subject)),
      ),
    )
  }
  if (planKey !== undefined) {
    found = found.where((eb) =>
      eb.exists(
        eb
          .selectFrom('subscriptions')
          .select('subscriptions.id')
          .whereRef('subscriptions.customerId', '=', 'customers.id')
          .where('planKey', '=', planKey)
          .where('lifecycle', '!=', 'ended'),
      ),
    )
  }
  return found
}

export async function listCustomers(
  db: Db,
  filter: CustomerFilter,
  paging: PageRequest & Ordering<'id' | 'name' | 'createdAt'>,
): Promise<Page<CustomerRow>> {
  const counting = filtered(db.selectFrom('customers').select(sql<string>`count(*)`.as('count')), filter)
  const [{ count }, rows] = await Promise.all([
    counting.executeTakeFirstOrThrow(),
    filtered(customers(db), filter)
      .orderBy(`customers.${paging.orderBy}`, paging.order)
      .orderBy('customers.id')
      .limit(paging.pageSize)
      .offset(offsetOf(paging))
      .execute(),
  ])
  return { items: rows as unknown as CustomerRow[], totalCount: Number(count) }
}

/** Why a customer cannot go yet: a subscription that has not ended, or an invoice that is not settled. */
export async function findCustomerUse(db: Db, id: string): Promise<string | null> {
  const subscription = await db
    .selectFrom('subscriptions')
    .select('id')
    .where('customerId', '=', id)
    .where('deletedAt', 'is', null)
    .where('lifecycle', '!=', 'ended')
    .limit(1)
    .executeTakeFirst()
  if (subscription !== undefined) return `the subscription ${subscription.id}`
  const invoice = await db
    .selectFrom('invoices')
    .select('id')
    .where('customerId', '=', id)
    .where('deletedAt', 'is', null)
    .where('status', 'not in', settledStatuses)
    .limit(1)
    .executeTakeFirst()
  return invoice === undefined ? null : `the invoice ${invoice.id}`
}

/** All subscriptions of some customers, the newest first. */
export async function findSubscriptionsOf(
  db: Db,
  customerIds: readonly string[],
): Promise<readonly SubscriptionRow[]> {
  if (customerIds.length === 0) return []
  return db
    .selectFrom('subscriptions')
    .selectAll()
    .where('customerId', 'in', [...customerIds])
    .where('deletedAt', 'is', null)
    .orderBy('activeFrom', 'desc')
    .orderBy('id')
    .execute()
}

/** Its key and its subjects are free again. */
export async function deleteCustomer(db: Db, id: string, now: Date): Promise<void> {
  await db
    .updateTable('customers')
    .set({ deletedAt: now, updatedAt: now })
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .execute()
  await setSubjects(db, id, [], now)
}

/** What usage is reported for, with the customer that names it. */
export interface SubjectRow {
  readonly customerId: string
  readonly customerName: string
  readonly subjectKey: string
  readonly createdAt: Date
}

const MAX_SUBJECTS_LISTED = 10_000

function subjects(db: Db) {
  return db
    .selectFrom('customerSubjects')
    .innerJoin('customers', 'customers.id', 'customerSubjects.customerId')
    .where('customerSubjects.deletedAt', 'is', null)
    .select([
      'customerSubjects.customerId',
      'customers.name as customerName',
      'customerSubjects.subjectKey',
      'customerSubjects.createdAt',
    ])
}

/** Living subjects by key; the contract's list has no pages, so it has an end. */
export async function listSubjects(db: Db): Promise<readonly SubjectRow[]> {
  return subjects(db).orderBy('subjectKey').limit(MAX_SUBJECTS_LISTED).execute()
}

export async function findSubject(db: Db, subjectKey: string): Promise<SubjectRow | null> {
  return (await subjects(db).where('subjectKey', '=', subjectKey).executeTakeFirst()) ?? null
}
