import type { Db } from '../db/connection.ts'
import { getSubscription } from '../db/stores/subscriptions.ts'
import { upcomingClosing } from './next-due.ts'

/** Where a balance goes that an invoice leaves behind, for its timeline (rule 21). */
export async function whereLeft(db: Db, subscriptionId: string): Promise<string> {
  const subscription = await getSubscription(db, subscriptionId)
  const hasNext = subscription !== undefined && upcomingClosing(subscription) !== null
  return hasNext ? 'is left to the next bill' : 'stays in the ledger, for no period is left to bill'
}
