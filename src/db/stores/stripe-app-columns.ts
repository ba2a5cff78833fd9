import { sql } from 'kysely'
import { EVENTS_READ } from '../../domain/stripe-permissions.ts'
import type { Db } from '../connection.ts'

/** What src/stripe needs of an installed app. */
export const storedAppColumns = [
  'id',
  'livemode',
  'apiKeyEncrypted',
  'webhookSecretEncrypted',
  'webhookEndpointId',
  'stripeAccountId',
] as const

/** Of a row of `apps`; the same of one that was read is `mayReadEvents` of src/stripe/permissions.ts. */
export const mayReadEvents = sql<boolean>`not (missing_permissions @> array[${EVENTS_READ}]::text[])`

/** Stripe accounts that were not uninstalled. */
export function installedStripeApps(db: Db) {
  return db.selectFrom('apps').where('type', '=', 'stripe').where('deletedAt', 'is', null)
}

/** Those whose key Stripe accepts and lets read events. */
export function appsWithEvents(db: Db) {
  return installedStripeApps(db)
    .where('apiKeyEncrypted', 'is not', null)
    .where('status', '=', 'ready')
    .where(mayReadEvents)
}
