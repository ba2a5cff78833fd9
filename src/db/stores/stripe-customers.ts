import { sql } from 'kysely'
import type { Db } from '../connection.ts'

/** Notes on the links that the customer is gone at Stripe. Repeatable: the first note stands. */
export async function setStripeCustomerDeleted(
  db: Db,
  of: { readonly appId: string; readonly stripeCustomerId: string },
): Promise<void> {
  await db
    .updateTable('customerApps')
    .set({ stripeDeletedAt: sql`coalesce(stripe_deleted_at, now())` })
    .where('appId', '=', of.appId)
    .where('stripeCustomerId', '=', of.stripeCustomerId)
    .execute()
}
