import type { Insertable, Transaction } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { DB, Subscriptions } from '../types.gen.ts'
import { insertOutbox } from './outbox.ts'
import type { SubscriptionRow } from './subscriptions.ts'

export type NewSubscription = Insertable<Subscriptions>

/**
 * Inserts a subscription and the request to start its workflow. One transaction: a row without a workflow would never
 * be billed, a workflow without a row would have nothing to bill.
 */
export async function insertSubscription(
  trx: Transaction<DB>,
  row: NewSubscription,
): Promise<SubscriptionRow> {
  const inserted = await trx.insertInto('subscriptions').values(row).returningAll().executeTakeFirstOrThrow()
  await insertOutbox(trx, { kind: 'start_subscription', subjectId: inserted.id })
  return inserted
}

/**
 * Holds a living customer until the transaction ends, and answers whether there is one: two subscriptions at once cannot
 * both find no overlap, and none begins for a customer that is being deleted.
 */
export async function lockCustomer(trx: Db, customerId: string): Promise<boolean> {
  return (await locking(trx, customerId)).length > 0
}

const locking = prepared((db, customerId: string) =>
  db
    .selectFrom('customers')
    .select('id')
    .where('id', '=', customerId)
    .where('deletedAt', 'is', null)
    .forUpdate()
    .compile(),
)

/** The first subscription of the customer that runs, or ran, anywhere in `[from, ∞)`: two would bill the same usage. */
export async function overlappingSubscription(
  db: Db,
  query: { readonly customerId: string; readonly from: Date },
): Promise<{ readonly id: string; readonly activeFrom: Date; readonly activeTo: Date | null } | undefined> {
  return (await overlapping(db, query.customerId, query.from))[0]
}

const overlapping = prepared((db, customerId: string, from: Date) =>
  db
    .selectFrom('subscriptions')
    .select(['id', 'activeFrom', 'activeTo'])
    .where('customerId', '=', customerId)
    .where('deletedAt', 'is', null)
    .where((eb) => eb.or([eb('activeTo', 'is', null), eb('activeTo', '>', from)]))
    // Canceled before it began: it never runs.
    .where((eb) => eb.or([eb('activeTo', 'is', null), eb('activeTo', '>', eb.ref('activeFrom'))]))
    .orderBy('activeFrom')
    .limit(1)
    .compile(),
)

/** When the last of the customer's ended subscriptions ended, where that is after the instant; else null. */
export async function endedAfter(
  db: Db,
  { customerId, from }: { readonly customerId: string; readonly from: Date },
): Promise<Date | null> {
  const last = await db
    .selectFrom('subscriptions')
    .select('activeTo')
    .where('customerId', '=', customerId)
    .where('deletedAt', 'is', null)
    .where('lifecycle', '=', 'ended')
    .where('activeTo', '>', from)
    .whereRef('activeTo', '>', 'activeFrom')
    .orderBy('activeTo', 'desc')
    .limit(1)
    .executeTakeFirst()
  return last?.activeTo ?? null
}

/** Holds a test clock until the transaction ends: it can neither begin to advance nor be deleted meanwhile. */
export async function lockClock(
  trx: Transaction<DB>,
  id: string,
): Promise<{ readonly status: string; readonly frozenTime: Date } | undefined> {
  return await trx
    .selectFrom('testClocks')
    .select(['status', 'frozenTime'])
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .forShare()
    .executeTakeFirst()
}
