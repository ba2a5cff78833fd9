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

/** Writes what happened to an invoice's money; false when it was known as it is. */
export async function recordAdjustment(
  db: Db,
  invoiceId: string,
  { atMs, ...adjustment }: NewAdjustment,
): Promise<boolean> {
  const { status, amountMinor } = adjustment
  const result = await db
    .insertInto('invoiceAdjustments')
    .values({ ...adjustment, invoiceId, at: new Date(atMs) })
    .onConflict((oc) =>
      oc
        .column('id')
        .doUpdateSet({ status, amountMinor, updatedAt: new Date() })
        .where((eb) =>
          eb.or([
            eb('invoiceAdjustments.status', '!=', status),
            eb('invoiceAdjustments.amountMinor', '!=', amountMinor.toString()),
          ]),
        ),
    )
    .executeTakeFirst()
  return result.numInsertedOrUpdatedRows === 1n
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
