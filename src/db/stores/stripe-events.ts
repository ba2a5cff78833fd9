import { sql } from 'kysely'
import type { Insertable, Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import type { StripeEvents } from '../types.gen.ts'

export type StripeEventRow = Selectable<StripeEvents>

/** Stores an event under its unique id; false when it was there: deliveries repeat (rule 30). */
export async function insertStripeEvent(db: Db, event: Insertable<StripeEvents>): Promise<boolean> {
  const result = await db
    .insertInto('stripeEvents')
    .values(event)
    .onConflict((oc) => oc.column('eventId').doNothing())
    .executeTakeFirst()
  return result.numInsertedOrUpdatedRows === 1n
}

/** Takes up to `limit` events that wait to be delivered; other relays skip them. */
export async function takeStripeEvents(db: Db, limit: number): Promise<readonly StripeEventRow[]> {
  return await db
    .selectFrom('stripeEvents')
    .selectAll()
    .where('processedAt', 'is', null)
    .where('nextAttemptAt', '<=', sql<Date>`now()`)
    .orderBy('receivedAt')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute()
}

export async function completeStripeEvent(db: Db, eventId: string, outcome: string): Promise<void> {
  await db
    .updateTable('stripeEvents')
    .set({ processedAt: sql`now()`, outcome, lastError: null })
    .where('eventId', '=', eventId)
    .execute()
}

/** Leaves the event for later, with its reason. */
export async function deferStripeEvent(
  db: Db,
  eventId: string,
  after: { readonly delayMs: number; readonly error: string },
): Promise<void> {
  await db
    .updateTable('stripeEvents')
    .set((eb) => ({
      attempts: eb('attempts', '+', 1),
      lastError: after.error,
      nextAttemptAt: sql`now() + ${after.delayMs} * interval '1 millisecond'`,
    }))
    .where('eventId', '=', eventId)
    .execute()
}

/** Our invoice that a Stripe object belongs to: by our id in its metadata, else by its Stripe id. */
export async function invoiceOfStripeEvent(
  db: Db,
  event: Pick<StripeEventRow, 'appId' | 'invoiceId' | 'objectId'>,
): Promise<InvoiceOfEvent | undefined> {
  return await db
    .selectFrom('invoices')
    .innerJoin('customers', 'customers.id', 'invoices.customerId')
    .leftJoin('testClocks', 'testClocks.id', 'customers.testClockId')
    .select([
      'invoices.id',
      'invoices.status',
      'invoices.hasWorkflow',
      'invoices.customerId',
      'invoices.updatedAt',
      'customers.key as customerKey',
      'testClocks.frozenTime',
    ])
    .where('invoices.appId', '=', event.appId)
    .where((eb) =>
      event.invoiceId === null
        ? eb('invoices.stripeInvoiceId', '=', event.objectId)
        : eb('invoices.id', '=', event.invoiceId),
    )
    .executeTakeFirst()
}

export interface InvoiceOfEvent {
  readonly id: string
  readonly status: string
  readonly hasWorkflow: boolean
  readonly customerId: string
  readonly customerKey: string | null
  readonly updatedAt: Date
  readonly frozenTime: Date | null
}
