import { sql } from 'kysely'
import type { Insertable, Selectable, Updateable } from 'kysely'
import type { Db } from '../connection.ts'
import type { StripeItems } from '../types.gen.ts'
import { finalStatuses } from '../../domain/invoice-state.ts'

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
  | 'stripeInvoiceNumber'
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

export interface InvoiceOfItems {
  readonly status: string
  /** null: it is a draft still. */
  readonly number: string | null
  readonly hostedUrl: string | null
}

/** What became of a Stripe invoice, on all items that it holds. */
export async function setInvoiceOfItems(
  db: Db,
  stripeInvoiceId: string,
  state: InvoiceOfItems,
): Promise<void> {
  const { status, number, hostedUrl } = state
  await db
    .updateTable('stripeItems')
    .set({
      stripeInvoiceStatus: status,
      stripeInvoiceNumber: number,
      stripeHostedUrl: hostedUrl,
      updatedAt: sql`now()`,
    })
    .where('stripeInvoiceId', '=', stripeInvoiceId)
    .execute()
}

/** The numbers of the Stripe invoices that items of these invoices are on, the one that took the first up first. */
export async function numbersAtStripe(
  db: Db,
  invoiceIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (invoiceIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('stripeItems')
    .select(['invoiceId', 'stripeInvoiceNumber as number'])
    .where('invoiceId', 'in', [...invoiceIds])
    .where('stripeInvoiceNumber', 'is not', null)
    .where('amountMinor', '!=', '0')
    .orderBy('createdAt')
    .orderBy('id')
    .execute()
  const found = new Map<string, Set<string>>()
  for (const { invoiceId, number } of rows) {
    if (number !== null) found.set(invoiceId, (found.get(invoiceId) ?? new Set()).add(number))
  }
  return new Map([...found].map(([id, numbers]) => [id, [...numbers]]))
}

interface OfApp {
  readonly appId: string
  readonly stripeInvoiceId: string
}

/** What a Stripe invoice keeps its items in for good: which it holds is known. */
const known = ['paid', 'void', 'uncollectible']

/**
 * Whether an invoice of Stripe's may be about an item of the app: one that is not known to be elsewhere for good, of an
 * invoice that is not settled.
 */
export async function mayHoldItems(db: Db, { appId, stripeInvoiceId }: OfApp): Promise<boolean> {
  const row = await db
    .selectFrom('stripeItems')
    .innerJoin('invoices', 'invoices.id', 'stripeItems.invoiceId')
    .select('stripeItems.id')
    .where('invoices.appId', '=', appId)
    .where('invoices.status', 'not in', finalStatuses)
    .where((eb) =>
      eb.or([
        eb('stripeInvoiceStatus', 'is', null),
        eb('stripeInvoiceStatus', 'not in', known),
        eb('stripeItems.stripeInvoiceId', '=', stripeInvoiceId),
      ]),
    )
    .where('stripeItems.amountMinor', '!=', '0')
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
