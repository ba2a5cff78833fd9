import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { Invoices, SubscriptionAccess } from '../types.gen.ts'
import type { SubscriptionRow } from './subscriptions.ts'

/** Statuses of an invoice that somebody still owes. */
const owed = ['issued', 'payment_processing', 'overdue', 'uncollectible'] as const

/** Too small to collect: what it is over is on a later invoice. */
const carried = ['carried_forward', 'remainder_reported'] as const

/** Subscriptions that have not ended for us; where all have, the one that did last. */
export async function currentSubscriptions(db: Db, customerId: string): Promise<readonly SubscriptionRow[]> {
  const all = db
    .selectFrom('subscriptions')
    .selectAll()
    .where('customerId', '=', customerId)
    .where('deletedAt', 'is', null)
  const living = await all.where('lifecycle', '!=', 'ended').orderBy('activeFrom').orderBy('id').execute()
  return living.length > 0 ? living : await all.orderBy('activeFrom', 'desc').limit(1).execute()
}

export type OwedInvoice = Pick<Selectable<Invoices>, 'firstFailedAt' | 'dunningSnapshot'>
export type FirstInvoiceRow = Pick<
  Selectable<Invoices>,
  'id' | 'status' | 'substatus' | 'closingAt' | 'paidAt'
>

/** What access to a subscription depends on, beside its own row. */
export interface AccessRows {
  readonly opened: Selectable<SubscriptionAccess> | undefined
  readonly isStartBilled: boolean
  readonly firstInvoice: FirstInvoiceRow | undefined
  readonly failed: readonly OwedInvoice[]
}

export async function accessRows(db: Db, subscriptionId: string): Promise<AccessRows> {
  const opened = await db
    .selectFrom('subscriptionAccess')
    .selectAll()
    .where('subscriptionId', '=', subscriptionId)
    .executeTakeFirst()
  const closing = await db
    .selectFrom('closings')
    .select('periodAt')
    .where('subscriptionId', '=', subscriptionId)
    .limit(1)
    .executeTakeFirst()
  const failed = await db
    .selectFrom('invoices')
    .select(['firstFailedAt', 'dunningSnapshot'])
    .where('subscriptionId', '=', subscriptionId)
    .where('status', 'in', [...owed])
    .where('firstFailedAt', 'is not', null)
    .where('deletedAt', 'is', null)
    .execute()
  const firstInvoice = await firstCollected(db, subscriptionId)
  return { opened, isStartBilled: closing !== undefined, firstInvoice, failed }
}

/**
 * The first invoice with something to collect: one that no closing made still grows, or was withdrawn. One that was voided
 * is taken only where no other is there: it was not paid, so it opens nothing.
 */
async function firstCollected(db: Db, subscriptionId: string): Promise<FirstInvoiceRow | undefined> {
  return await db
    .selectFrom('invoices')
    .select(['id', 'status', 'substatus', 'closingAt', 'paidAt'])
    .where('subscriptionId', '=', subscriptionId)
    .where('deletedAt', 'is', null)
    .where('totalMinor', '>', '0')
    .where((eb) => eb.or([eb('substatus', 'is', null), eb('substatus', 'not in', [...carried])]))
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('closings')
          .select('closings.invoiceId')
          .whereRef('closings.subscriptionId', '=', 'invoices.subscriptionId')
          .whereRef('closings.invoiceId', '=', 'invoices.id'),
      ),
    )
    .orderBy((eb) => eb('status', '=', 'voided'))
    .orderBy('closingAt')
    .orderBy('createdAt')
    .orderBy('id')
    .executeTakeFirst()
}

/** Records which payment opened a subscription; false when one had before. */
export async function insertSubscriptionAccess(
  db: Db,
  opened: { readonly subscriptionId: string; readonly invoiceId: string; readonly openedAt: Date },
): Promise<boolean> {
  const result = await db
    .insertInto('subscriptionAccess')
    .values(opened)
    .onConflict((oc) => oc.doNothing())
    .executeTakeFirst()
  return result.numInsertedOrUpdatedRows === 1n
}

/** Waits for steps of a customer's subscriptions that are under way, and holds the next ones until the transaction ends. */
export async function holdSubscriptions(trx: Db, customerId: string): Promise<void> {
  await trx.selectFrom('subscriptions').select('id').where('customerId', '=', customerId).forShare().execute()
}

/** Whether a payment may open anything: the subscription is gated, or somebody asked the customer's access to be granted. */
export async function isAccessWaitedFor(
  trx: Db,
  { customerId, subscriptionId }: Pick<Selectable<Invoices>, 'customerId' | 'subscriptionId'>,
): Promise<boolean> {
  const [row] = await waitedFor(trx, customerId, subscriptionId)
  return Boolean(row?.isWaitedFor)
}

const waitedFor = prepared((db, customerId: string, subscriptionId: string) =>
  db
    .selectNoFrom((eb) =>
      eb
        .or([
          eb.exists(
            eb
              .selectFrom('subscriptions')
              .select('id')
              .where('id', '=', subscriptionId)
              .where('accessGate', '!=', 'none'),
          ),
          eb.exists(
            eb
              .selectFrom('accessRequests')
              .select('id')
              .where('customerId', '=', customerId)
              .where('status', '=', 'pending'),
          ),
        ])
        .as('isWaitedFor'),
    )
    .compile(),
)

/** Until the transaction ends, nobody else decides about this customer's access: a request and a payment see each other. */
export async function lockAccess(trx: Db, customerId: string): Promise<void> {
  await lockingAccess(trx, accessKey(customerId))
}

export const accessKey = (customerId: string): string => `access:${customerId}`

/** The lock as a column of another statement's answer. */
export const accessLock = (key: string) => sql<unknown>`pg_advisory_xact_lock(hashtextextended(${key}, 0))`

const lockingAccess = prepared((db, key: string) => sql`select ${accessLock(key)}`.compile(db))
