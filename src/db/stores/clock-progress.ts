import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import type { TestClocks } from '../types.gen.ts'
import { unsettled } from './unsettled.ts'

export type TestClockRow = Selectable<TestClocks>

/** Something of a clock's customers that its time can move on. */
export interface ClockSubject {
  readonly kind: 'subscription' | 'invoice'
  readonly id: string
  readonly nextDueAt: Date | null
}

export async function getTestClock(db: Db, id: string): Promise<TestClockRow | undefined> {
  return await db.selectFrom('testClocks').selectAll().where('id', '=', id).executeTakeFirst()
}

interface Arrival {
  readonly frozenTime: Date
  /** What is to be known of it all the same. */
  readonly statusReason: string | null
}

/**
 * Moves the clock on its way to its target, from where it was seen: a step that stood still while another went on would take
 * it back.
 */
export async function setClockTime(
  db: Db,
  { id, frozenTime: seen }: Pick<TestClockRow, 'id' | 'frozenTime'>,
  { frozenTime, statusReason }: Arrival,
): Promise<void> {
  await db
    .updateTable('testClocks')
    .set({ frozenTime, status: 'advancing', statusReason, updatedAt: sql`now()` })
    .where('id', '=', id)
    .where('frozenTime', '=', seen)
    .where('targetTime', 'is not', null)
    .execute()
}

/** The clock stands at its target; false when it was given another one meanwhile. */
export async function setClockReady(
  db: Db,
  id: string,
  { frozenTime, statusReason }: Arrival,
): Promise<boolean> {
  const result = await db
    .updateTable('testClocks')
    .set({ status: 'ready', targetTime: null, statusReason, updatedAt: sql`now()` })
    .where('id', '=', id)
    .where((eb) => eb.or([eb('targetTime', 'is', null), eb('targetTime', '<=', frozenTime)]))
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

export async function setClockReason(db: Db, id: string, statusReason: string | null): Promise<void> {
  await db.updateTable('testClocks').set({ statusReason }).where('id', '=', id).execute()
}

/** Everything of the clock's customers that has a workflow which may still act. */
export async function clockSubjects(db: Db, testClockId: string): Promise<readonly ClockSubject[]> {
  const subscriptions = await db
    .selectFrom('subscriptions')
    .innerJoin('customers', 'customers.id', 'subscriptions.customerId')
    .select(['subscriptions.id', 'subscriptions.nextDueAt'])
    .where('customers.testClockId', '=', testClockId)
    .where((eb) =>
      eb.or([eb('subscriptions.nextDueAt', 'is not', null), eb('subscriptions.lifecycle', '!=', 'ended')]),
    )
    .execute()
  const invoices = await db
    .selectFrom('invoices')
    .innerJoin('customers', 'customers.id', 'invoices.customerId')
    .select(['invoices.id', 'invoices.nextDueAt'])
    .where('customers.testClockId', '=', testClockId)
    .where(unsettled)
    .execute()
  return [
    ...subscriptions.map((row) => ({ kind: 'subscription' as const, ...row })),
    ...invoices.map((row) => ({ kind: 'invoice' as const, ...row })),
  ]
}

/** How many messages about the clock's customers are still on their way: outbox and inbox. */
export async function clockMessages(db: Db, testClockId: string): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    WITH subjects AS (
      SELECT s.id FROM subscriptions s JOIN customers c ON c.id = s.customer_id WHERE c.test_clock_id = ${testClockId}
      UNION ALL
      SELECT i.id FROM invoices i JOIN customers c ON c.id = i.customer_id WHERE c.test_clock_id = ${testClockId}
    )
    SELECT (
      (SELECT count(*) FROM outbox o WHERE o.done_at IS NULL AND o.subject_id IN (SELECT id FROM subjects)) +
      (SELECT count(*) FROM stripe_events e WHERE e.processed_at IS NULL AND e.invoice_id IN (SELECT id FROM subjects))
    )::text AS count`.execute(db)
  return Number(rows[0]?.count ?? '0')
}

/** The Stripe test clocks on which the clock's customers stand, by app. */
export async function linkedStripeClocks(
  db: Db,
  testClockId: string,
): Promise<readonly { readonly appId: string; readonly stripeTestClockId: string }[]> {
  const rows = await db
    .selectFrom('customerApps')
    .innerJoin('customers', 'customers.id', 'customerApps.customerId')
    .select(['customerApps.appId', 'customerApps.stripeTestClockId'])
    .distinct()
    .where('customers.testClockId', '=', testClockId)
    .where('customerApps.stripeTestClockId', 'is not', null)
    .execute()
  return rows.flatMap(({ appId, stripeTestClockId }) =>
    stripeTestClockId === null ? [] : [{ appId, stripeTestClockId }],
  )
}
