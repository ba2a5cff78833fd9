import { sql } from 'kysely'
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Db } from '../connection.ts'
import type { StripeItems } from '../types.gen.ts'

/** A part of a line of ours that Stripe bills on an invoice of its own. The items of a line add up to it. */
export type StripeItemRow = Selectable<StripeItems>
export type NewStripeItem = Insertable<StripeItems>

export async function itemsOfInvoice(db: Db, invoiceId: string): Promise<readonly StripeItemRow[]> {
  return await db
    .selectFrom('stripeItems')
    .selectAll()
    .where('invoiceId', '=', invoiceId)
    .orderBy('lineKey')
    .orderBy('sequence')
    .execute()
}

export async function insertItem(db: Db, item: NewStripeItem): Promise<StripeItemRow> {
  return await db.insertInto('stripeItems').values(item).returningAll().executeTakeFirstOrThrow()
}

type ItemPatch = Pick<
  Updateable<StripeItems>,
  | 'amountMinor'
  | 'description'
  | 'stripeItemId'
  | 'stripeInvoiceId'
  | 'stripeInvoiceStatus'
  | 'stripeHostedUrl'
>

export async function patchItem(db: Db, id: string, patch: ItemPatch): Promise<void> {
  await db
    .updateTable('stripeItems')
    .set({ ...patch, updatedAt: sql`now()` })
    .where('id', '=', id)
    .execute()
}

/** What became of a Stripe invoice, on all items that it holds. */
export async function setInvoiceOfItems(
  db: Db,
  stripeInvoiceId: string,
  state: { readonly status: string; readonly hostedUrl: string | null },
): Promise<void> {
  await db
    .updateTable('stripeItems')
    .set({ stripeInvoiceStatus: state.status, stripeHostedUrl: state.hostedUrl, updatedAt: sql`now()` })
    .where('stripeInvoiceId', '=', stripeInvoiceId)
    .execute()
}

/** Whether an app has items that are not known to be paid: only then can an invoice of Stripe's be about one. */
export async function hasOpenItems(db: Db, appId: string): Promise<boolean> {
  const row = await db
    .selectFrom('stripeItems')
    .innerJoin('invoices', 'invoices.id', 'stripeItems.invoiceId')
    .select('stripeItems.id')
    .where('invoices.appId', '=', appId)
    .where((eb) =>
      eb.or([eb('stripeInvoiceStatus', 'is', null), eb('stripeInvoiceStatus', 'not in', ['paid'])]),
    )
    .where('stripeItems.amountMinor', '!=', '0')
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
