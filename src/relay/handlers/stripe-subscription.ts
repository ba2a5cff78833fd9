import { importSubscription } from '../../billing/stripe-import.ts'
import type { Db } from '../../db/connection.ts'
import { storedApp } from '../../db/stores/billing-settings.ts'
import { insertOutbox } from '../../db/stores/outbox.ts'
import { findImport } from '../../db/stores/stripe-imports.ts'
import type { EventHandler } from './outcome.ts'

/**
 * A subscription was made, changed or ended at Stripe: ours is made from it, and ends with it. Whatever the order of the
 * events, the first one imports it, and all of them from the same instant.
 */
export const stripeSubscription: EventHandler = async (deps, event) => {
  const { appId, sourceId } = event
  if (sourceId === null || !(await isInstalled(deps.db, appId))) return { outcome: 'ignored' }
  const key = { appId, stripeSubscriptionId: sourceId }
  const known = await findImport(deps.db, key)
  if (known !== undefined && known.subscriptionId !== null) {
    if (known.status === 'ended' || event.type === 'customer.subscription.created')
      return { outcome: 'confirmed' }
    await insertOutbox(deps.db, { kind: 'end_subscription', subjectId: known.subscriptionId })
    return { outcome: 'followed' }
  }
  const made = await importSubscription({ ...deps, now: () => new Date() }, { ...key, from: null })
  return { outcome: made.status }
}

const isInstalled = async (db: Db, appId: string): Promise<boolean> =>
  (await storedApp(db, appId)).apiKeyEncrypted !== null
