import type { Db } from '../db/connection.ts'
import type { StoredApp } from '../stripe/types.ts'

/** The installed Stripe account of an invoice or a customer, as src/stripe takes it. */
export async function loadStoredApp(db: Db, appId: string): Promise<StoredApp> {
  return await db
    .selectFrom('apps')
    .select([
      'id',
      'livemode',
      'apiKeyEncrypted',
      'webhookSecretEncrypted',
      'webhookEndpointId',
      'stripeAccountId',
    ])
    .where('id', '=', appId)
    .executeTakeFirstOrThrow()
}
