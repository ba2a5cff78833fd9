import type { Insertable } from 'kysely'
import type { Db } from '../connection.ts'
import type { InvoiceLines, Invoices } from '../types.gen.ts'
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
  return await db
    .selectFrom('invoices')
    .selectAll()
    .where('subscriptionId', '=', subscriptionId)
    .where('substatus', '=', ACCRUING)
    .forUpdate()
    .executeTakeFirst()
}

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

/** Replaces the lines of an invoice; one that bills the same slice keeps its id, by which Stripe's line is found again. */
export async function replaceInvoiceLines(
  db: Db,
  invoiceId: string,
  lines: readonly Insertable<InvoiceLines>[],
): Promise<void> {
  const before = await db
    .deleteFrom('invoiceLines')
    .where('invoiceId', '=', invoiceId)
    .returning(['id', 'kind', 'lineKey'])
    .execute()
  const ids = new Map(before.map(({ id, kind, lineKey }) => [`${kind} ${lineKey}`, id]))
  const kept = lines.map((line) => ({ ...line, id: ids.get(`${line.kind} ${line.lineKey}`) ?? line.id }))
  if (kept.length > 0) await db.insertInto('invoiceLines').values(kept).execute()
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
