import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'

/**
 * Binds the next number of the supplier's sequence to the invoice, just before finalizing (rule 22). Called again it returns
 * the number that is bound: a retry spends none. One statement: the sequence is locked for no longer than that takes.
 */
export async function bindInvoiceNumber(
  db: Db,
  invoiceId: string,
  supplier: { readonly key: string; readonly prefix: string },
): Promise<string> {
  const [found] = await binding(db, invoiceId, supplier.key, supplier.prefix)
  if (found === undefined) throw new Error(`invoice ${invoiceId} does not exist`)
  return found.number
}

const binding = prepared((db, invoiceId: string, supplierKey: string, prefix: string) =>
  sql<{ number: string }>`
    WITH bound AS (SELECT id, number FROM invoices WHERE id = ${invoiceId} FOR UPDATE),
    taken AS (
      INSERT INTO invoice_number_sequences AS s (supplier_key, prefix, next_number)
      SELECT ${supplierKey}, ${prefix}, 2 FROM bound WHERE number IS NULL
      ON CONFLICT (supplier_key) DO UPDATE SET next_number = s.next_number + 1
      RETURNING prefix, (next_number - 1)::text AS taken),
    written AS (
      UPDATE invoices SET number = prefix || '-' || lpad(taken, greatest(6, length(taken)), '0')
      FROM taken WHERE id = ${invoiceId}
      RETURNING number)
    SELECT coalesce((SELECT number FROM written), number) AS number FROM bound`.compile(db),
)

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
