import { sql } from 'kysely'
import type { Insertable } from 'kysely'
import type { Db } from '../connection.ts'
import type { LedgerEntries } from '../types.gen.ts'

/** What the subscription carries to its next invoice: positive is owed to us, negative to the customer (rule 21). */
export async function carriedBalance(db: Db, subscriptionId: string, currency: string): Promise<bigint> {
  const row = await db
    .selectFrom('ledgerEntries')
    .select(sql<string>`coalesce(sum(amount_minor), 0)::text`.as('balance'))
    .where('subscriptionId', '=', subscriptionId)
    .where('currency', '=', currency)
    .where('kind', 'in', ['carried_out', 'carried_in', 'remainder'])
    .executeTakeFirstOrThrow()
  return BigInt(row.balance)
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
