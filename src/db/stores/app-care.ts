import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { installedStripeApps, storedAppColumns } from './stripe-app-columns.ts'
import { unsettled } from './unsettled.ts'

/** Installed apps whose endpoint is ours, or whose key was refused: both may change at Stripe without a word. */
export async function listCaredApps(db: Db) {
  return await installedStripeApps(db)
    .select([...storedAppColumns, 'status', 'setup', 'webhookProblem'])
    .where('apiKeyEncrypted', 'is not', null)
    .where((eb) => eb.or([eb('webhookEndpointId', 'is not', null), eb('status', '=', 'unauthorized')]))
    .orderBy('id')
    .execute()
}

/** An app, with the webhook endpoint that Stripe was asked about. */
export interface AppWithEndpoint {
  readonly id: string
  readonly webhookEndpointId: string | null
}

/**
 * What the endpoint is like; nothing where another has taken its place meanwhile. While there is a problem, and once after
 * it, its events are polled.
 */
export async function setWebhookProblem(
  db: Db,
  { id, webhookEndpointId }: AppWithEndpoint,
  problem: string | null,
): Promise<void> {
  await db
    .updateTable('apps')
    .set({
      webhookProblem: problem,
      webhookCheckedAt: sql`now()`,
      ...(problem !== null && { pollsEvents: true }),
    })
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .where('webhookEndpointId', 'is not distinct from', webhookEndpointId)
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
 * Whether Stripe accepts the key; nothing where another has taken its place meanwhile (`same`). A row that is being changed
 * is passed over: who changes it may be the one who asked Stripe; who calls has to tell it again.
 */
export async function setAppStatus(
  db: Db,
  { id, apiKeyEncrypted }: AppWithKey,
  { status, reason }: AppStatus,
): Promise<'changed' | 'same' | 'passed_over'> {
  const other = sql`SELECT id FROM apps WHERE id = ${id} AND deleted_at IS NULL
    AND api_key_encrypted = ${apiKeyEncrypted} AND status <> ${status}`
  const { rows } = await sql<{ isOther: boolean; isChanged: boolean }>`
    WITH changed AS (
      UPDATE apps SET status = ${status}, status_reason = ${reason}, updated_at = now()
      WHERE id IN (${other} FOR NO KEY UPDATE SKIP LOCKED)
      RETURNING id)
    SELECT EXISTS (${other}) AS is_other, EXISTS (SELECT FROM changed) AS is_changed`.execute(db)
  const [found] = rows
  if (found?.isChanged === true) return 'changed'
  return found?.isOther === true ? 'passed_over' : 'same'
}

export interface WebhookSecrets {
  /** Left out: it stays. */
  readonly webhookEndpointId?: string | null
  readonly webhookSecretEncrypted: string
  /** The one before, while it is good. */
  readonly previous: { readonly encrypted: string; readonly until: Date } | null
}

/**
 * Puts a secret in place of another, which stays good for a while. False, and nothing is written, where the app is not
 * installed any more or its endpoint or secret is another than was read.
 */
export async function setWebhookSecrets(
  db: Db,
  read: AppWithEndpoint & { readonly webhookSecretEncrypted: string | null },
  { previous, ...secrets }: WebhookSecrets,
  now: Date,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('apps')
    .set({
      ...secrets,
      webhookSecretPreviousEncrypted: previous?.encrypted ?? null,
      webhookSecretPreviousUntil: previous?.until ?? null,
      updatedAt: now,
    })
    .where('id', '=', read.id)
    .where('deletedAt', 'is', null)
    .where('webhookEndpointId', 'is not distinct from', read.webhookEndpointId)
    .where('webhookSecretEncrypted', 'is not distinct from', read.webhookSecretEncrypted)
    .executeTakeFirst()
  return numUpdatedRows > 0n
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
    .where(unsettled)
    .where('deletedAt', 'is', null)
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

/** What the key may not do, as it was found now; nothing where another has taken its place meanwhile. */
export async function setMissingPermissions(
  db: Db,
  { id, apiKeyEncrypted }: AppWithKey,
  slugs: readonly string[],
): Promise<void> {
  await db
    .updateTable('apps')
    .set({ missingPermissions: [...slugs] })
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .where('apiKeyEncrypted', '=', apiKeyEncrypted)
    .execute()
}
