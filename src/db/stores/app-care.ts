import { sql } from 'kysely'
import { settledStatuses } from '../../domain/invoice-state.ts'
import type { Db } from '../connection.ts'
import { installedStripeApps, storedAppColumns } from './stripe-app-columns.ts'

/** Installed apps whose endpoint is ours, or whose key was refused: both may change at Stripe without a word. */
export async function listCaredApps(db: Db) {
  return await installedStripeApps(db)
    .select([...storedAppColumns, 'status', 'setup', 'webhookProblem'])
    .where('apiKeyEncrypted', 'is not', null)
    .where((eb) => eb.or([eb('webhookEndpointId', 'is not', null), eb('status', '=', 'unauthorized')]))
    .orderBy('id')
    .execute()
}

/** What the endpoint is like: while there is a problem, and once after it, its events are polled. */
export async function setWebhookProblem(db: Db, id: string, problem: string | null): Promise<void> {
  await db
    .updateTable('apps')
    .set({
      webhookProblem: problem,
      webhookCheckedAt: sql`now()`,
      ...(problem !== null && { pollsEvents: true }),
    })
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .execute()
}

export interface AppStatus {
  readonly status: 'ready' | 'unauthorized'
  readonly reason: string | null
}

/** An app, with the key that a call was made with. */
export interface AppWithKey {
  readonly id: string
  readonly apiKeyEncrypted: string | null
}

/**
 * Whether Stripe accepts the key; nothing where another has taken its place meanwhile. A row that is being changed is
 * passed over: who changes it may be the one who asked Stripe, and what is true now is told again by the next call. True
 * when it was another.
 */
export async function setAppStatus(
  db: Db,
  { id, apiKeyEncrypted }: AppWithKey,
  { status, reason }: AppStatus,
): Promise<boolean> {
  const { rows } = await sql`
    UPDATE apps SET status = ${status}, status_reason = ${reason}, updated_at = now()
    WHERE status <> ${status} AND id IN
      (SELECT id FROM apps WHERE id = ${id} AND deleted_at IS NULL AND api_key_encrypted = ${apiKeyEncrypted}
       FOR NO KEY UPDATE SKIP LOCKED)
    RETURNING id`.execute(db)
  return rows.length > 0
}

export interface WebhookSecrets {
  /** Left out: it stays. */
  readonly webhookEndpointId?: string | null
  readonly webhookSecretEncrypted: string
  /** The one before, while it is good. */
  readonly previous: { readonly encrypted: string; readonly until: Date } | null
}

/** Puts a secret in place of another, which stays good for a while. */
export async function setWebhookSecrets(
  db: Db,
  id: string,
  { previous, ...secrets }: WebhookSecrets,
  now: Date,
): Promise<void> {
  await db
    .updateTable('apps')
    .set({
      ...secrets,
      webhookSecretPreviousEncrypted: previous?.encrypted ?? null,
      webhookSecretPreviousUntil: previous?.until ?? null,
      updatedAt: now,
    })
    .where('id', '=', id)
    .execute()
}

const keyCodes = ['stripe_key_unauthorized', 'stripe_permission_missing', 'stripe_unavailable']

/** Invoices of an app that Stripe or its key keeps waiting, the oldest first. */
export async function waitingInvoiceIds(db: Db, appId: string, limit: number): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('invoices')
    .select('id')
    .where('appId', '=', appId)
    .where('hasWorkflow', '=', true)
    .where((eb) => eb.or([eb('substatus', '=', 'waiting_for_stripe'), eb('statusCode', 'in', [...keyCodes])]))
    .where('status', 'not in', settledStatuses)
    .where('deletedAt', 'is', null)
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

/** What the key may not do, as it was found now. */
export async function setMissingPermissions(db: Db, id: string, slugs: readonly string[]): Promise<void> {
  await db
    .updateTable('apps')
    .set({ missingPermissions: [...slugs] })
    .where('id', '=', id)
    .execute()
}
