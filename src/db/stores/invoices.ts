import { sql } from 'kysely'
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Db } from '../connection.ts'
import type { InvoiceLines, Invoices } from '../types.gen.ts'

export type InvoiceRow = Selectable<Invoices>
export type InvoiceLineRow = Selectable<InvoiceLines>
export type InvoicePatch = Omit<Updateable<Invoices>, 'id' | 'version' | 'updatedAt'>

/** An invoice and its lines, inserted together. */
export async function insertInvoice(
  db: Db,
  invoice: Insertable<Invoices>,
  lines: readonly Insertable<InvoiceLines>[],
): Promise<void> {
  if (lines.length === 0) return void (await db.insertInto('invoices').values(invoice).execute())
  await db
    .with('made', (qb) => qb.insertInto('invoices').values(invoice))
    .insertInto('invoiceLines')
    .values([...lines])
    .execute()
}

export async function getInvoiceRow(db: Db, id: string): Promise<InvoiceRow | undefined> {
  return await db.selectFrom('invoices').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function hasInvoice(db: Db, id: string): Promise<boolean> {
  return (await db.selectFrom('invoices').select('id').where('id', '=', id).executeTakeFirst()) !== undefined
}

export async function getInvoiceLines(db: Db, invoiceId: string): Promise<readonly InvoiceLineRow[]> {
  return await db
    .selectFrom('invoiceLines')
    .selectAll()
    .where('invoiceId', '=', invoiceId)
    .orderBy('position')
    .execute()
}

/** Writes the patch if the row is still at `version` and returns it as it is now; undefined when it lost a race. */
export async function updateInvoice(
  db: Db,
  row: { readonly id: string; readonly version: number },
  patch: InvoicePatch,
): Promise<InvoiceRow | undefined> {
  return await db
    .updateTable('invoices')
    .set({ ...patch, version: row.version + 1, updatedAt: new Date() })
    .where('id', '=', row.id)
    .where('version', '=', row.version)
    .returningAll()
    .executeTakeFirst()
}

/** An entry of an invoice's timeline. */
export interface Told {
  readonly at: Date
  readonly kind: string
  readonly detail: string
}

/** The same, with the entry of the invoice's timeline that says so, in one statement. */
export async function updateInvoiceAndTell(
  db: Db,
  row: { readonly id: string; readonly version: number },
  { patch, told }: { readonly patch: InvoicePatch; readonly told: Told },
): Promise<InvoiceRow | undefined> {
  return await db
    .with('written', (qb) =>
      qb
        .updateTable('invoices')
        .set({ ...patch, version: row.version + 1, updatedAt: new Date() })
        .where('id', '=', row.id)
        .where('version', '=', row.version)
        .returningAll(),
    )
    .with('told', (qb) =>
      qb
        .insertInto('timeline')
        .columns(['subjectType', 'subjectId', 'at', 'kind', 'detail'])
        .expression((eb) =>
          eb
            .selectFrom('written')
            .select([
              sql.lit('invoice').as('subjectType'),
              'written.id',
              sql<Date>`${told.at}::timestamptz`.as('at'),
              sql<string>`${told.kind}::text`.as('kind'),
              sql<string>`${told.detail}::text`.as('detail'),
            ]),
        ),
    )
    .selectFrom('written')
    .selectAll()
    .executeTakeFirst()
}

/** Stripe's tax of each line, adopted after finalizing. */
export async function setLineTaxes(
  db: Db,
  taxes: readonly {
    readonly lineId: string
    readonly taxMinor: bigint
    /** The part that the line's amount holds already. */
    readonly includedMinor: bigint
  }[],
): Promise<void> {
  for (const { lineId, taxMinor, includedMinor } of taxes) {
    await db
      .updateTable('invoiceLines')
      .set((eb) => ({
        taxMinor: taxMinor.toString(),
        totalMinor: eb(
          eb('amountMinor', '-', eb.ref('discountMinor')),
          '+',
          (taxMinor - includedMinor).toString(),
        ),
      }))
      .where('id', '=', lineId)
      .execute()
  }
}

/** Records an accepted command; false when this request id was accepted before. */
export async function recordInvoiceCommand(
  db: Db,
  command: { readonly invoiceId: string; readonly requestId: string; readonly kind: string },
): Promise<boolean> {
  const result = await db
    .insertInto('invoiceCommands')
    .values(command)
    .onConflict((oc) => oc.doNothing())
    .executeTakeFirst()
  return result.numInsertedOrUpdatedRows === 1n
}

/** Whether a command with this request id was accepted before. */
export async function wasInvoiceCommandAccepted(
  db: Db,
  command: { readonly invoiceId: string; readonly requestId: string },
): Promise<boolean> {
  const row = await db
    .selectFrom('invoiceCommands')
    .select('kind')
    .where('invoiceId', '=', command.invoiceId)
    .where('requestId', '=', command.requestId)
    .executeTakeFirst()
  return row !== undefined
}
