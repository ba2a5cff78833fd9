import type { SubscriptionPatch, SubscriptionRow } from '../db/stores/subscriptions.ts'
import { DomainError } from '../domain/errors.ts'
import type { NextStep } from './next-due.ts'

/** How far a subscription is, and what comes next. */
export interface StepPosition {
  readonly row: SubscriptionRow
  readonly asOfMs: number
  readonly next: NextStep | null
  /** When its running invoice is rated next; null where it is not. */
  readonly mirrorMs: number | null
}

/** What a step writes of it, and when the next is due: at the closing, or at the running invoice before it. */
export function whatIsNext({ row, asOfMs, next, mirrorMs }: StepPosition) {
  const wakeMs = next === null ? null : Math.min(next.dueMs, mirrorMs ?? next.dueMs)
  const patch = {
    closedThrough: row.closedThrough,
    lifecycle: lifecycleOf(row, asOfMs),
    lifecycleReason: null,
    nextDueAt: wakeMs === null ? null : new Date(wakeMs),
    nextClosingAt: next === null ? null : new Date(next.closing.atMs),
  } satisfies SubscriptionPatch
  return { patch, wakeMs }
}

export function lifecycleOf(row: SubscriptionRow, asOfMs: number): string {
  // It need not be waited for: it never begins.
  if (row.activeTo !== null && row.activeTo <= row.activeFrom) return 'ended'
  if (asOfMs < row.activeFrom.getTime()) return 'scheduled'
  if (row.activeTo === null) return 'active'
  return asOfMs < row.activeTo.getTime() ? 'canceled' : endedLifecycle(row)
}

/** It has ended for its customer; it is inactive for us once its last period is billed. */
function endedLifecycle(row: SubscriptionRow): string {
  const isBilled = row.closedThrough !== null && row.activeTo !== null && row.closedThrough >= row.activeTo
  return isBilled ? 'ended' : 'canceled'
}

/** What a write answers. Errors: conflict (nothing was written, since the row is no longer as it was read). */
export function mustBeWritten(written: SubscriptionRow | undefined): SubscriptionRow {
  if (!written) throw new DomainError('conflict', 'a later step wrote the subscription')
  return written
}

export const unknownSubscription = (id: string): DomainError =>
  new DomainError('not_found', `subscription ${id} does not exist`)
