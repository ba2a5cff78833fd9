import type { Db } from '../connection.ts'

const columns = [
  'id',
  'livemode',
  'apiKeyEncrypted',
  'webhookSecretEncrypted',
  'webhookEndpointId',
  'stripeAccountId',
  'webhookSecretPreviousEncrypted',
  'webhookSecretPreviousUntil',
] as const

/** The stored secrets of an installed Stripe account; undefined for what was uninstalled. */
export async function findStripeApp(db: Db, id: string) {
  return await db
    .selectFrom('apps')
    .select(columns)
    .where('id', '=', id)
    .where('type', '=', 'stripe')
    .where('deletedAt', 'is', null)
    .executeTakeFirst()
}
