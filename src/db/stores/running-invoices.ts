import type { Insertable } from 'kysely'
import type { Db } from '../connection.ts'
import type { InvoiceLines, Invoices } from '../types.gen.ts'
import { prepared } from '../prepared.ts'
import { invoiceColumns } from './invoices.ts'
import type { InvoiceRow } from './invoices.ts'

/** The substatus of the one draft that a subscription's open period grows. */
export const ACCRUING = 'accruing'

/** The subscription's running invoice; there is at most one. */
export async function runningInvoice(db: Db, subscriptionId: string): Promise<InvoiceRow | undefined> {
  return await db
    .selectFrom('invoices')
    .selectAll()
    .where('subscriptionId', '=', subscriptionId)
    .where('substatus', '=', ACCRUING)
    .executeTakeFirst()
}

/** The same, locked until the transaction ends. */
export async function lockRunningInvoice(db: Db, subscriptionId: string): Promise<InvoiceRow | undefined> {
  return (await lockingRunning(db, subscriptionId))[0]
}

const lockingRunning = prepared((db, subscriptionId: string) =>
  db
    .selectFrom('invoices')
    .select(invoiceColumns)
    .where('subscriptionId', '=', subscriptionId)
    .where('substatus', '=', ACCRUING)
    .forUpdate()
    .compile(),
)

/** Writes an invoice anew over itself; who it is and when it was made stay. */
export async function overwriteInvoice(
  db: Db,
  running: Pick<InvoiceRow, 'id' | 'version'>,
  { id: _id, createdAt: _createdAt, draftNumber: _draftNumber, ...invoice }: Insertable<Invoices>,
): Promise<void> {
  await db
    .updateTable('invoices')
    .set({ ...invoice, version: running.version + 1, updatedAt: new Date() })
    .where('id', '=', running.id)
    .execute()
}

/** Replaces the lines of an invoice; the id of one, by which Stripe's is found again, follows from what it bills. */
export async function replaceInvoiceLines(
  db: Db,
  invoiceId: string,
  lines: readonly Insertable<InvoiceLines>[],
): Promise<void> {
  await db.deleteFrom('invoiceLines').where('invoiceId', '=', invoiceId).execute()
  if (lines.length > 0)
    await db
      .insertInto('invoiceLines')
      .values([...lines])
      .execute()
}

/** The subscription's step is due again at this instant at the latest. */
export async function wakeSubscriptionBy(db: Db, subscriptionId: string, at: Date): Promise<void> {
  await db
    .updateTable('subscriptions')
    .set({ nextDueAt: at })
    .where('id', '=', subscriptionId)
    .where((eb) => eb.or([eb('nextDueAt', 'is', null), eb('nextDueAt', '>', at)]))
    .execute()
}
