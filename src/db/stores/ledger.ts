import { sql } from 'kysely'
import type { Insertable, Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import type { Invoices, LedgerEntries } from '../types.gen.ts'

/** What the subscription carries to its next invoice: positive is owed to us, negative to the customer (rule 21). */
export function carriedBalanceOf(db: Db, subscriptionId: string, currency: string) {
  return db
    .selectFrom('ledgerEntries')
    .select(sql<string>`coalesce(sum(amount_minor), 0)::text`.as('balance'))
    .where('subscriptionId', '=', subscriptionId)
    .where('currency', '=', currency)
    .where('kind', 'in', ['carried_out', 'carried_in', 'remainder'])
}

export async function insertLedgerEntry(db: Db, entry: Insertable<LedgerEntries>): Promise<void> {
  await db.insertInto('ledgerEntries').values(entry).execute()
}

/** The same, once: a second booking under the same id changes nothing. */
export async function insertLedgerEntryOnce(db: Db, entry: Insertable<LedgerEntries>): Promise<void> {
  await db
    .insertInto('ledgerEntries')
    .values(entry)
    .onConflict((oc) => oc.column('id').doNothing())
    .execute()
}

/**
 * Books that an invoice leaves a credit (negative) to the next one because the processor takes no item for it: the
 * difference to what was booked of it before. Returns the difference; two runs at once book it once.
 */
export async function bookUnsentCredit(
  db: Db,
  entry: Omit<Insertable<LedgerEntries>, 'id' | 'kind'> & UnsentCredit,
): Promise<bigint> {
  const { invoiceId, amountMinor } = entry
  const before = await unsentEntries(db, { id: invoiceId, subscriptionId: entry.subscriptionId })
  const difference = amountMinor - sum(before)
  if (difference === 0n) return difference
  const id = `${unsentPrefix(invoiceId)}${before.length + 1}`
  await insertLedgerEntryOnce(db, { ...entry, id, kind: 'carried_out', amountMinor: difference })
  return difference
}

/**
 * What an invoice that is voided took over of earlier ones is carried on, once: those were not voided. Returns it; negative
 * is a credit of the customer.
 */
export async function bookCarriedOn(
  db: Db,
  invoice: Pick<Selectable<Invoices>, 'id' | 'subscriptionId' | 'customerId' | 'currency'>,
): Promise<bigint> {
  const { id, subscriptionId, customerId, currency } = invoice
  const taken = await db
    .selectFrom('ledgerEntries')
    .select('amountMinor')
    .where('subscriptionId', '=', subscriptionId)
    .where('invoiceId', '=', id)
    .where('kind', '=', 'carried_in')
    .execute()
  const amountMinor = -sum(taken)
  if (amountMinor === 0n) return amountMinor
  const entry = { subscriptionId, customerId, currency, invoiceId: id, amountMinor }
  await insertLedgerEntryOnce(db, { ...entry, id: `${id}:voided`, kind: 'carried_out' })
  return amountMinor
}

interface UnsentCredit {
  readonly invoiceId: string
  readonly amountMinor: bigint
}

/** What was booked of an invoice so: zero or negative. */
export async function unsentCredit(db: Db, invoice: OfSubscription): Promise<bigint> {
  return sum(await unsentEntries(db, invoice))
}

interface OfSubscription {
  readonly id: string
  readonly subscriptionId: string
}

const unsentPrefix = (invoiceId: string): string => `${invoiceId}:unsent:`

async function unsentEntries(
  db: Db,
  { id, subscriptionId }: OfSubscription,
): Promise<readonly { readonly amountMinor: string }[]> {
  return await db
    .selectFrom('ledgerEntries')
    .select('amountMinor')
    .where('subscriptionId', '=', subscriptionId)
    .where('id', 'like', `${unsentPrefix(id)}%`)
    .execute()
}

const sum = (entries: readonly { readonly amountMinor: string }[]): bigint =>
  entries.reduce((total, { amountMinor }) => total + BigInt(amountMinor), 0n)
