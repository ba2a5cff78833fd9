import type { Db } from '../../db/connection.ts'
import { findSubscriptionsOf } from '../../db/stores/customers.ts'
import type { Subscription } from '../schemas/subscriptions.ts'
import { presentSubscription } from './subscription.ts'

/** The subscriptions of some customers, by customer, in one query. */
export async function subscriptionsByCustomer(
  db: Db,
  customerIds: readonly string[],
): Promise<ReadonlyMap<string, Subscription[]>> {
  const byCustomer = new Map<string, Subscription[]>()
  for (const row of await findSubscriptionsOf(db, customerIds)) {
    byCustomer.set(row.customerId, [...(byCustomer.get(row.customerId) ?? []), presentSubscription(row)])
  }
  return byCustomer
}
