import type { Selectable, Updateable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared, preparedForms } from '../prepared.ts'
import type { Subscriptions } from '../types.gen.ts'
import { changed, changeOf } from './versioned.ts'
import type { VersionedChange } from './versioned.ts'
import type { TimelineEntry } from './timeline.ts'

export type SubscriptionRow = Selectable<Subscriptions>
/** All of them: what is prepared names its columns. */
export const subscriptionColumns = [
  'accessGate',
  'activeFrom',
  'activeTo',
  'billingAnchor',
  'billingCadence',
  'closedThrough',
  'createdAt',
  'currency',
  'customerId',
  'deletedAt',
  'description',
  'id',
  'lifecycle',
  'lifecycleReason',
  'metadata',
  'name',
  'nextClosingAt',
  'nextDueAt',
  'phases',
  'planId',
  'planKey',
  'planVersion',
  'proRatingEnabled',
  'stripeAppId',
  'stripeSubscriptionId',
  'timezone',
  'updatedAt',
  'version',
] as const
export type SubscriptionPatch = Omit<
  Updateable<Subscriptions>,
  'id' | 'version' | 'updatedAt' | 'phases' | 'metadata'
>

/** The row, locked until the transaction ends: two runs of one step do not interleave. */
export async function lockSubscription(db: Db, id: string): Promise<SubscriptionRow | undefined> {
  return (await locking(db, id))[0]
}

const locking = prepared((db, id: string) =>
  db.selectFrom('subscriptions').select(subscriptionColumns).where('id', '=', id).forUpdate().compile(),
)

export async function getSubscription(db: Db, id: string): Promise<SubscriptionRow | undefined> {
  return await db.selectFrom('subscriptions').selectAll().where('id', '=', id).executeTakeFirst()
}

/**
 * Writes the patch if the row is still at the version that was read, and answers it as it is now: for a row that is locked, or
 * else what was noted on it without a version since is not told. Undefined when a later step has written it.
 */
export async function updateSubscription(
  db: Db,
  row: SubscriptionRow,
  patch: SubscriptionPatch,
): Promise<SubscriptionRow | undefined> {
  const change = changeOf(row, patch)
  return (await updating(db, change)).length > 0 ? changed(row, change) : undefined
}

const updating = preparedForms((db, change: SubscriptionChange) => movedSubscription(db, change).compile())

export type SubscriptionChange = VersionedChange<SubscriptionPatch>

/** The same, and what is told of it, in one statement: for a row that is locked. */
export async function updateSubscriptionTelling(
  db: Db,
  row: SubscriptionRow,
  { patch, told }: { readonly patch: SubscriptionPatch; readonly told: TimelineEntry },
): Promise<SubscriptionRow | undefined> {
  const change = changeOf(row, patch)
  return (await updatingTelling(db, { change, told })).length > 0 ? changed(row, change) : undefined
}

const updatingTelling = preparedForms(
  (db, { change, told }: { readonly change: SubscriptionChange; readonly told: TimelineEntry }) =>
    db
      .with('told', (writing) => writing.insertInto('timeline').values(told))
      .with('moved', () => movedSubscription(db, change))
      .selectFrom('moved')
      .select('id')
      .compile(),
)

/** The write itself, for a statement that writes more. */
export const movedSubscription = (db: Db, { id, version, set }: SubscriptionChange) =>
  db.updateTable('subscriptions').set(set).where('id', '=', id).where('version', '=', version).returning('id')

export interface AcceptedCommand {
  readonly subscriptionId: string
  readonly requestId: string
  readonly kind: string
  readonly effectiveAt: Date | null
}

/** Records an accepted command; false when this request id was accepted before. */
export async function recordCommand(db: Db, command: AcceptedCommand): Promise<boolean> {
  return (await recording(db, command)).length > 0
}

const recording = preparedForms((db, command: AcceptedCommand) =>
  db
    .insertInto('subscriptionCommands')
    .values(command)
    .onConflict((oc) => oc.columns(['subscriptionId', 'requestId']).doNothing())
    .returning('requestId')
    .compile(),
)

/** Whether a command with this request id was accepted before. */
export async function wasCommandAccepted(
  db: Db,
  command: { readonly subscriptionId: string; readonly requestId: string },
): Promise<boolean> {
  const row = await db
    .selectFrom('subscriptionCommands')
    .select('kind')
    .where('subscriptionId', '=', command.subscriptionId)
    .where('requestId', '=', command.requestId)
    .executeTakeFirst()
  return row !== undefined
}

/** Says what is in the way of the next step, whatever the row's version: the step itself has failed. */
export async function setLifecycleReason(db: Db, id: string, lifecycleReason: string): Promise<void> {
  await db.updateTable('subscriptions').set({ lifecycleReason }).where('id', '=', id).execute()
}

/** Under which request its end was accepted last; null when nobody canceled it. */
export async function lastCancelRequest(db: Db, subscriptionId: string): Promise<string | null> {
  const row = await db
    .selectFrom('subscriptionCommands')
    .select('requestId')
    .where('subscriptionId', '=', subscriptionId)
    .where('kind', '=', 'cancel')
    .orderBy('createdAt', 'desc')
    .executeTakeFirst()
  return row?.requestId ?? null
}
