import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { InvoiceAdjustments } from '../types.gen.ts'

export type AdjustmentRow = Selectable<InvoiceAdjustments>

export interface NewAdjustment {
  readonly id: string
  readonly kind: string
  readonly status: string
  readonly amountMinor: bigint
  readonly currency: string
  readonly reason: string | null
  readonly atMs: number
}

/** The database's time: what one process writes is compared with when another one asked. */
export async function databaseNow(db: Db): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db)
  return rows[0]?.now ?? new Date()
}

/**
 * Writes what happened to an invoice's money, as Stripe said to whoever asked at `askedAt`; false when it was known as it
 * is. Errors where something else was written since: of two answers that are under way the older could be written last.
 */
export async function recordAdjustment(
  db: Db,
  { invoiceId, askedAt }: { readonly invoiceId: string; readonly askedAt: Date },
  { atMs, ...adjustment }: NewAdjustment,
): Promise<boolean> {
  const { id, status, amountMinor } = adjustment
  const inserted = await db
    .insertInto('invoiceAdjustments')
    .values({ ...adjustment, invoiceId, at: new Date(atMs) })
    .onConflict((oc) => oc.column('id').doNothing())
    .executeTakeFirst()
  if (inserted.numInsertedOrUpdatedRows === 1n) return true
  const known = await db
    .selectFrom('invoiceAdjustments')
    .select(['status', 'amountMinor', 'updatedAt'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirstOrThrow()
  if (known.status === status && known.amountMinor === amountMinor.toString()) return false
  if (known.updatedAt > askedAt) throw new Error('it was recorded otherwise since Stripe was asked')
  await db
    .updateTable('invoiceAdjustments')
    .set({ status, amountMinor, updatedAt: sql`now()` })
    .where('id', '=', id)
    .execute()
  return true
}

/** By invoice, the oldest first. */
export async function adjustmentsOf(
  db: Db,
  invoiceIds: readonly string[],
): Promise<ReadonlyMap<string, readonly AdjustmentRow[]>> {
  if (invoiceIds.length === 0) return new Map()
  const rows = await adjustmentsOfAll(db, invoiceIds)
  return new Map(invoiceIds.map((id) => [id, rows.filter((row) => row.invoiceId === id)]))
}

const adjustmentsOfAll = prepared((db, invoiceIds: readonly string[]) =>
  db
    .selectFrom('invoiceAdjustments')
    .select(adjustmentColumns)
    .where('invoiceId', '=', sql<string>`any(${invoiceIds}::text[])`)
    .orderBy('at')
    .orderBy('id')
    .compile(),
)

const adjustmentColumns = [
  'amountMinor',
  'at',
  'currency',
  'id',
  'invoiceId',
  'kind',
  'reason',
  'status',
  'updatedAt',
] as const
