import type { Db } from '../connection.ts'

/** The customer that an earlier try of the request made. */
export async function customerOfRequest(db: Db, requestId: string): Promise<string | null> {
  const row = await db
    .selectFrom('checkoutRequests')
    .select('customerId')
    .where('requestId', '=', requestId)
    .executeTakeFirst()
  return row?.customerId ?? null
}

/** In the transaction that makes the customer. */
export async function insertCheckoutRequest(db: Db, requestId: string, customerId: string): Promise<void> {
  await db.insertInto('checkoutRequests').values({ requestId, customerId }).execute()
}
