import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { preparedForms } from '../prepared.ts'
import { changed, changeOf } from './versioned.ts'
import type { Versioned } from './versioned.ts'

/** What an invoice is finalized under: its draft at Stripe, and the sequence that its number is from. */
interface NumberedDraft {
  readonly stripeInvoiceId: string
  readonly supplier: { readonly key: string; readonly prefix: string }
}

/** The invoice as it is now. */
export type Numbered<Row> = Row & { readonly number: string; readonly stripeInvoiceId: string }

/**
 * Binds the next number of the supplier's sequence to the invoice, with the draft that is finalized under it next (rule 22).
 * One that has a number keeps it: a retry spends none. Written under the version that was read; undefined where the row was
 * written meanwhile, and then no number is spent. One statement: the sequence is locked for no longer than that takes.
 */
export async function bindInvoiceNumber<Row extends Versioned>(
  db: Db,
  row: Row,
  { stripeInvoiceId, supplier }: NumberedDraft,
): Promise<Numbered<Row> | undefined> {
  const change = changeOf(row, { stripeInvoiceId })
  const { id, version, set } = change
  const passed = passedKey(supplier.prefix)
  const [bound] = await binding(db, { id, version, ...supplier, passed, stripeInvoiceId, at: set.updatedAt })
  return bound && { ...changed(row, change), stripeInvoiceId, number: bound.number }
}

interface Binding {
  readonly id: string
  readonly version: number
  readonly key: string
  readonly prefix: string
  /** Under which numbers were passed over before the supplier had a sequence. */
  readonly passed: string
  readonly stripeInvoiceId: string
  readonly at: Date
}

const binding = preparedForms((db, { id, version, key, prefix, passed, stripeInvoiceId, at }: Binding) =>
  sql<{ readonly number: string }>`
    WITH bound AS (SELECT id, number, version FROM invoices WHERE id = ${id} AND version = ${version} FOR UPDATE),
    taken AS (
      INSERT INTO invoice_number_sequences AS s (supplier_key, prefix, next_number)
      SELECT ${key}, ${prefix},
        1 + coalesce((SELECT next_number FROM invoice_number_sequences WHERE supplier_key = ${passed}), 1)
      FROM bound WHERE number IS NULL
      ON CONFLICT (supplier_key) DO UPDATE SET next_number = s.next_number + 1
      RETURNING prefix, (next_number - 1)::text AS taken)
    UPDATE invoices SET
      number = coalesce(bound.number, taken.prefix || '-' || lpad(taken.taken, greatest(6, length(taken.taken)), '0')),
      stripe_invoice_id = ${stripeInvoiceId}, version = bound.version + 1, updated_at = ${at}
    FROM bound LEFT JOIN taken ON true
    WHERE invoices.id = bound.id
    RETURNING invoices.number`.compile(db),
)

/**
 * A number that Stripe has is not given out again: a database that was restored to before it was bound counts on from it
 * (rule 22), also where the first of its supplier was bound since. Numbers that are not of our form are none of ours.
 */
export async function passInvoiceNumber(db: Db, number: string): Promise<void> {
  const [, prefix, digits] = /^(INV(?:-.+)?)-(\d{6,})$/.exec(number) ?? []
  if (prefix === undefined || digits === undefined) return
  const nextNumber = (BigInt(digits) + 1n).toString()
  const { numUpdatedRows } = await db
    .updateTable('invoiceNumberSequences')
    .set({ nextNumber: sql<string>`greatest(next_number, ${nextNumber}::bigint)` })
    .where('prefix', '=', prefix)
    .executeTakeFirstOrThrow()
  if (numUpdatedRows > 0n) return
  await db
    .insertInto('invoiceNumberSequences')
    .values({ supplierKey: passedKey(prefix), prefix, nextNumber })
    .onConflict((oc) =>
      oc.column('supplierKey').doUpdateSet({
        nextNumber: sql<string>`greatest(invoice_number_sequences.next_number, excluded.next_number)`,
      }),
    )
    .execute()
}

/** A number does not tell its supplier, but for the one of profiles that name none. */
const passedKey = (prefix: string): string => (prefix === 'INV' ? 'default' : `passed ${prefix}`)
