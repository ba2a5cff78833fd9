import { sql } from 'kysely'
import type { Db } from '../connection.ts'

/**
 * Binds the next number of the supplier's sequence to the invoice, in a short transaction just before finalizing
 * (rule 22). Called again it returns the number that is bound: a retry spends none.
 */
export async function bindInvoiceNumber(
  db: Db,
  invoiceId: string,
  supplier: { readonly key: string; readonly prefix: string },
): Promise<string> {
  const bound = await db
    .selectFrom('invoices')
    .select('number')
    .where('id', '=', invoiceId)
    .forUpdate()
    .executeTakeFirstOrThrow()
  if (bound.number !== null) return bound.number
  const sequence = await db
    .insertInto('invoiceNumberSequences')
    .values({ supplierKey: supplier.key, prefix: supplier.prefix, nextNumber: '2' })
    .onConflict((oc) =>
      oc
        .column('supplierKey')
        .doUpdateSet((eb) => ({ nextNumber: eb('invoiceNumberSequences.nextNumber', '+', '1') })),
    )
    .returning(['prefix', 'nextNumber'])
    .executeTakeFirstOrThrow()
  const number = `${sequence.prefix}-${(BigInt(sequence.nextNumber) - 1n).toString().padStart(6, '0')}`
  await db.updateTable('invoices').set({ number }).where('id', '=', invoiceId).execute()
  return number
}

/**
 * A number that Stripe has is not given out again: a database that was restored to before it was bound counts on from it
 * (rule 22). Numbers that are not of our form are none of ours.
 */
export async function passInvoiceNumber(db: Db, number: string): Promise<void> {
  const [, prefix, digits] = /^(INV(?:-[0-9A-Z]{6})?)-(\d{6,})$/.exec(number) ?? []
  if (prefix === undefined || digits === undefined) return
  const next = (BigInt(digits) + 1n).toString()
  if (prefix === 'INV') {
    await db
      .insertInto('invoiceNumberSequences')
      .values({ supplierKey: 'default', prefix, nextNumber: '1' })
      .onConflict((oc) => oc.doNothing())
      .execute()
  }
  await db
    .updateTable('invoiceNumberSequences')
    .set({ nextNumber: sql<string>`greatest(next_number, ${next}::bigint)` })
    .where('prefix', '=', prefix)
    .execute()
}
