import { sql } from 'kysely'
import type { Transaction } from 'kysely'
import { EVENTS_READ } from '../../domain/stripe-permissions.ts'
import type { Db } from '../connection.ts'
import type { DB } from '../types.gen.ts'
import type { AppWithKey } from './app-care.ts'
import { appsWithEvents, installedStripeApps, mayReadEvents, storedAppColumns } from './stripe-app-columns.ts'

/**
 * Installed Stripe accounts whose webhooks cannot be counted on: no endpoint of ours, or one that is broken or was until
 * just now. Not those whose key may not read events, or is not accepted.
 */
function polled(db: Db) {
  return appsWithEvents(db).where((eb) =>
    eb.or([eb('webhookEndpointId', 'is', null), eb('pollsEvents', '=', true)]),
  )
}

/** The key may not read events: none are asked for until it is replaced. Nothing where it was meanwhile. */
export async function stopPolling(db: Db, { id, apiKeyEncrypted }: AppWithKey): Promise<void> {
  await db
    .updateTable('apps')
    .set({ missingPermissions: sql<string[]>`array_append(missing_permissions, ${EVENTS_READ})` })
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .where('apiKeyEncrypted', '=', apiKeyEncrypted)
    .where(mayReadEvents)
    .execute()
}

/** All that Stripe had is read, and webhooks came again before it was asked: polling ends. */
export async function endPolling(db: Db, id: string, askedAt: Date): Promise<void> {
  await db
    .updateTable('apps')
    .set({ pollsEvents: false, eventsCursor: null })
    .where('id', '=', id)
    .where('pollsEvents', '=', true)
    .where('webhookEndpointId', 'is not', null)
    .where('webhookProblem', 'is', null)
    .where('webhookCheckedAt', '<', askedAt)
    .execute()
}

export async function listPolledApps(db: Db): Promise<readonly string[]> {
  const rows = await polled(db).select('id').orderBy('id').execute()
  return rows.map(({ id }) => id)
}

/** What to do while another worker polls the app: pass it over, or wait until it has its page. */
export type Waiting = 'pass' | 'wait'

/**
 * The app and its cursor, held until the transaction ends; undefined while another worker polls it, and where it is not
 * polled any more. The row itself is not locked: a call to Stripe takes long, and commands that change the app need not
 * wait for it.
 */
export async function holdPolledApp(trx: Transaction<DB>, id: string, waiting: Waiting) {
  const key = sql`hashtextextended('poll-events/' || ${id}, 0)`
  if (waiting === 'wait') await sql`SELECT pg_advisory_xact_lock(${key})`.execute(trx)
  const { rows } = await sql<{ held: boolean }>`SELECT pg_try_advisory_xact_lock(${key}) AS held`.execute(trx)
  if (rows[0]?.held !== true) return undefined
  // Read after the lock was taken: whoever held it before has moved the cursor.
  return await polled(trx)
    .select([...storedAppColumns, 'eventsCursor'])
    .select(sql<Date>`clock_timestamp()`.as('askedAt'))
    .where('id', '=', id)
    .executeTakeFirst()
}

/** A polled app with its cursor, as it is now. */
export async function polledApp(db: Db, id: string) {
  return await polled(db)
    .select([...storedAppColumns, 'eventsCursor'])
    .where('id', '=', id)
    .executeTakeFirst()
}

/** Accounts whose events nobody can read: the key may not, or is not accepted. */
export async function listDeafApps(db: Db): Promise<readonly string[]> {
  const heard = appsWithEvents(db).select('id')
  const deaf = installedStripeApps(db).select('id').where('id', 'not in', heard).orderBy('id')
  return (await deaf.execute()).map(({ id }) => id)
}

/** The last event that was stored. */
export async function setEventsCursor(db: Db, id: string, cursor: string | null): Promise<void> {
  await db.updateTable('apps').set({ eventsCursor: cursor }).where('id', '=', id).execute()
}
