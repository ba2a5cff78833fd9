import type { Db } from '../db/connection.ts'
import { lockCustomer, overlappingSubscription } from '../db/stores/subscription-create.ts'
import { isFeeCut } from '../db/stores/closings.ts'
import { recordCommand } from '../db/stores/subscriptions.ts'
import type { SubscriptionPatch, SubscriptionRow } from '../db/stores/subscriptions.ts'
import { assertNever, DomainError } from '../domain/errors.ts'

/** What can be asked of a subscription; the effective time was resolved when the API accepted it (rule 6). */
export type SubscriptionRequest =
  | {
      readonly kind: 'cancel'
      readonly requestId: string
      readonly effectiveAtMs: number
      /** An end that is planned for later comes forward to this one. */
      readonly bringsForward?: boolean
    }
  | { readonly kind: 'unschedule_cancelation'; readonly requestId: string }
  | { readonly kind: 'release'; readonly requestId: string }

/**
 * Decides what a command changes. Accepted once under its request id: a repeat changes nothing and is no error. Errors:
 * subscription_already_canceled, subscription_not_cancelable, subscription_overlap, conflict.
 */
export async function acceptCommand(
  db: Db,
  row: SubscriptionRow,
  command: SubscriptionRequest,
): Promise<SubscriptionPatch> {
  const effectiveAt = command.kind === 'cancel' ? new Date(command.effectiveAtMs) : null
  const isNew = await recordCommand(db, {
    subscriptionId: row.id,
    requestId: command.requestId,
    kind: command.kind,
    effectiveAt,
  })
  if (!isNew) return {}
  switch (command.kind) {
    case 'cancel':
      return cancel(row, command)
    case 'unschedule_cancelation':
      return await unschedule(db, row)
    case 'release':
      return release(row)
    default:
      return assertNever(command)
  }
}

function cancel(
  row: SubscriptionRow,
  { effectiveAtMs, bringsForward = false }: Extract<SubscriptionRequest, { kind: 'cancel' }>,
): SubscriptionPatch {
  const isEarlier = row.activeTo !== null && effectiveAtMs < row.activeTo.getTime()
  if (row.activeTo !== null && !(bringsForward && isEarlier)) {
    throw new DomainError('subscription_already_canceled', `it ends at ${row.activeTo.toISOString()} already`)
  }
  const closedMs = row.closedThrough?.getTime() ?? -Infinity
  if (effectiveAtMs < closedMs) {
    throw new DomainError(
      'subscription_not_cancelable',
      `it is billed through ${new Date(closedMs).toISOString()}; cancel at that instant or later`,
      { field: 'timing' },
    )
  }
  // One that has not begun never begins.
  return { activeTo: new Date(Math.max(effectiveAtMs, row.activeFrom.getTime())) }
}

async function unschedule(db: Db, row: SubscriptionRow): Promise<SubscriptionPatch> {
  if (row.activeTo === null) throw new DomainError('conflict', 'no cancelation is scheduled')
  if (row.closedThrough !== null && row.closedThrough >= row.activeTo) {
    throw new DomainError(
      'conflict',
      `it ended at ${row.activeTo.toISOString()} and its final invoice is made`,
    )
  }
  if (await isFeeCut(db, row.id, row.activeTo)) {
    throw new DomainError(
      'conflict',
      `a fee was billed only up to ${row.activeTo.toISOString()} because of the cancelation; subscribe again from then on`,
    )
  }
  // Held until this has committed: a subscription that is made meanwhile sees that this one goes on.
  await lockCustomer(db, row.customerId)
  const next = await overlappingSubscription(db, { customerId: row.customerId, from: row.activeTo })
  if (next !== undefined) {
    const begins = next.activeFrom.toISOString()
    throw new DomainError(
      'subscription_overlap',
      `the subscription ${next.id} begins at ${begins}; cancel that one first`,
    )
  }
  return { activeTo: null }
}

/** An operator has looked: the closing that was parked is billed, and the bounds hold again for the next (rule 33). */
function release(row: SubscriptionRow): SubscriptionPatch {
  if (row.lifecycle !== 'parked') throw new DomainError('conflict', `it is ${row.lifecycle}, not parked`)
  return { lifecycle: 'active', lifecycleReason: null }
}
