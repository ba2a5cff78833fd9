import type { Db } from '../connection.ts'
import { unsettled } from './unsettled.ts'

/** What starting a subscription's workflow needs; undefined when the row is gone. */
export async function subscriptionStart(db: Db, id: string) {
  const row = await db
    .selectFrom('subscriptions')
    .innerJoin('customers', 'customers.id', 'subscriptions.customerId')
    .leftJoin('testClocks', 'testClocks.id', 'customers.testClockId')
    .select([
      'subscriptions.id',
      'subscriptions.planKey',
      'subscriptions.name',
      'customers.key as customerKey',
      'customers.id as customerId',
      'testClocks.frozenTime',
    ])
    .where('subscriptions.id', '=', id)
    .executeTakeFirst()
  if (!row) return undefined
  return {
    subscriptionId: row.id,
    customerKey: row.customerKey ?? row.customerId,
    planKey: row.planKey ?? row.name,
    testNowMs: row.frozenTime?.getTime() ?? null,
  }
}

/** What starting an invoice's workflow needs; undefined when the row is gone, or settled by now. */
export async function invoiceStart(db: Db, id: string) {
  const row = await db
    .selectFrom('invoices')
    .innerJoin('customers', 'customers.id', 'invoices.customerId')
    .leftJoin('testClocks', 'testClocks.id', 'customers.testClockId')
    .select([
      'invoices.id',
      'invoices.status',
      'invoices.nextDueAt',
      'customers.key as customerKey',
      'customers.id as customerId',
      'testClocks.frozenTime',
    ])
    .where('invoices.id', '=', id)
    .where(unsettled)
    .executeTakeFirst()
  if (!row) return undefined
  return {
    invoiceId: row.id,
    customerKey: row.customerKey ?? row.customerId,
    status: row.status,
    testNowMs: row.frozenTime?.getTime() ?? null,
    nextDueMs: row.nextDueAt?.getTime() ?? null,
  }
}
