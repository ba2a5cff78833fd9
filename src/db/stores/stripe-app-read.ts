import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import { installedStripeApps, storedAppColumns } from './stripe-app-columns.ts'

/** The stored secrets of an installed Stripe account; undefined for what was uninstalled. */
export async function findStripeApp(db: Db, id: string) {
  return (await installedApp(db, id))[0]
}

const installedApp = prepared((db, id: string) =>
  installedStripeApps(db)
    .select([...storedAppColumns, 'webhookSecretPreviousEncrypted', 'webhookSecretPreviousUntil'])
    .where('id', '=', id)
    .compile(),
)
