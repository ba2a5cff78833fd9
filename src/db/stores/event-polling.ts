import { sql } from 'kysely'
import type { Transaction } from 'kysely'
import type { Db } from '../connection.ts'
import type { DB } from '../types.gen.ts'

/** Installed Stripe accounts that send no webhooks: without an endpoint their events are polled. */
function polled(db: Db) {
  return db
    .selectFrom('apps')
    .where('type', '=', 'stripe')
    .where('deletedAt', 'is', null)
    .where('webhookEndpointId', 'is', null)
    .where('apiKeyEncrypted', 'is not', null)
}

export async function listPolledApps(db: Db): Promise<readonly string[]> {
  const rows = await polled(db).select('id').orderBy('id').execute()
  return rows.map(({ id }) => id)
}

/**
 * The app and its cursor, held until the transaction ends; undefined while another worker polls it. The row itself is not
 * locked: a call to Stripe takes long, and commands that change the app need not wait for it.
 */
export async function holdPolledApp(trx: Transaction<DB>, id: string) {
  const { rows } = await sql<{ held: boolean }>`
    SELECT pg_try_advisory_xact_lock(hashtextextended('poll-events/' || ${id}, 0)) AS held`.execute(trx)
  if (rows[0]?.held !== true) return undefined
  const columns = [
    'id',
    'livemode',
    'apiKeyEncrypted',
    'webhookSecretEncrypted',
    'webhookEndpointId',
    'stripeAccountId',
    'eventsCursor',
  ] as const
  // Read after the lock was taken: whoever held it before has moved the cursor.
  return await polled(trx).select(columns).where('id', '=', id).executeTakeFirst()
}

/** The last event that was stored. */
export async function setEventsCursor(db: Db, id: string, cursor: string | null): Promise<void> {
  await db.updateTable('apps').set({ eventsCursor: cursor }).where('id', '=', id).execute()
}
