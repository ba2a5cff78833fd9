import { termsOf } from '../../billing/terms.ts'
import {
  commandedSubscription,
  findCustomerByIdOrKey,
  findSubscription,
} from '../../db/stores/subscription-reads.ts'
import { wasCommandAccepted } from '../../db/stores/subscriptions.ts'
import type { SubscriptionRow } from '../../db/stores/subscriptions.ts'
import { DomainError, isDomainError } from '../../domain/errors.ts'
import { billingPeriod } from '../../domain/schedule.ts'
import type { ApiDeps } from '../deps.ts'
import { parseInstant } from '../instants.ts'
import { found } from '../not-found.ts'
import { startWorkflow } from './create-subscription.ts'

/** A caller's clock may be behind ours by this much: such an instant means now. */
const CLOCK_SKEW_MS = 60_000

type Command = Parameters<ApiDeps['temporal']['updateSubscription']>[1]

export interface SubscriptionAction {
  readonly id: string
  /** The caller's idempotency key, or a new id: a command is carried out once under it. */
  readonly requestId: string
}

/**
 * Cancels a subscription: at once, at the end of its billing period, or at an instant. Errors: not_found,
 * subscription_already_canceled, subscription_not_cancelable, validation_failed.
 */
export async function cancelSubscription(
  deps: ApiDeps,
  { id, requestId, timing }: SubscriptionAction & { readonly timing: string | undefined },
): Promise<SubscriptionRow> {
  const { row, isRepeat, nowMs } = await subject(deps, { id, requestId })
  if (isRepeat) return row
  if (row.activeTo !== null) {
    const ends = row.activeTo.toISOString()
    throw new DomainError(
      'subscription_already_canceled',
      `The subscription was canceled already; its end is ${ends}.`,
    )
  }
  const effectiveAtMs = effectiveAt(row, timing ?? 'immediate', nowMs)
  await ensureStarted(deps, row)
  await command(deps, id, { kind: 'cancel', requestId, effectiveAtMs })
  return await subscriptionOf(deps, id)
}

/** Takes a scheduled cancelation back. Errors: not_found, conflict (none is scheduled, or it took effect). */
export async function unscheduleCancelation(
  deps: ApiDeps,
  { id, requestId }: SubscriptionAction,
): Promise<SubscriptionRow> {
  const { row, isRepeat, nowMs } = await subject(deps, { id, requestId })
  if (isRepeat) return row
  if (row.activeTo === null) throw new DomainError('conflict', 'No cancelation is scheduled.')
  if (row.activeTo.getTime() <= nowMs) {
    throw new DomainError(
      'conflict',
      `The subscription ended at ${row.activeTo.toISOString()}; subscribe again.`,
    )
  }
  await command(deps, id, { kind: 'unschedule_cancelation', requestId })
  return await subscriptionOf(deps, id)
}

/** Lets a parked subscription bill the closing it was parked at (billing rule 33). Errors: not_found, conflict. */
export async function releaseSubscription(
  deps: ApiDeps,
  { id, requestId }: SubscriptionAction,
): Promise<SubscriptionRow> {
  const { row, isRepeat } = await subject(deps, { id, requestId })
  if (isRepeat) return row
  if (row.lifecycle !== 'parked') {
    throw new DomainError('conflict', `The subscription is ${row.lifecycle}, not parked.`)
  }
  await command(deps, id, { kind: 'release', requestId })
  return await subscriptionOf(deps, id)
}

/**
 * Waits until it is carried out. Where nobody tells so in time the rows may: a worker that stood still after it had written
 * the command has lost the answer, and a repeat would find it there.
 */
async function command(deps: ApiDeps, id: string, asked: Command): Promise<void> {
  try {
    await deps.temporal.updateSubscription(id, asked)
  } catch (error) {
    if (!isUnanswered(error)) throw error
    if (!(await wasCommandAccepted(deps.db, { subscriptionId: id, requestId: asked.requestId }))) throw error
  }
}

const isUnanswered = (error: unknown): boolean =>
  isDomainError(error) && (error.code === 'command_pending' || error.code === 'service_unavailable')

interface Subject {
  readonly row: SubscriptionRow
  /** Carried out already, although its caller was not told: the row is what came of it, and the answer, not a refusal. */
  readonly isRepeat: boolean
  /** On the customer's clock. */
  readonly nowMs: number
}

async function subject(deps: ApiDeps, action: SubscriptionAction): Promise<Subject> {
  const asked = found((await commandedSubscription(deps.db, action)) ?? null, 'subscription', action.id)
  const { row, isRepeat, frozenTime } = asked
  return { row, isRepeat, nowMs: (frozenTime ?? deps.now()).getTime() }
}

/** Resolved once, when it is accepted (billing rule 6). */
function effectiveAt(row: SubscriptionRow, timing: string, nowMs: number): number {
  const startMs = row.activeFrom.getTime()
  if (timing === 'immediate') return Math.max(nowMs, startMs)
  if (timing === 'next_billing_cycle') return billingPeriod(termsOf(row), Math.max(nowMs, startMs)).to
  const at = parseInstant(timing, 'timing').getTime()
  if (at < nowMs - CLOCK_SKEW_MS) {
    const detail = `A subscription is not canceled in the past; for this customer it is ${new Date(nowMs).toISOString()}.`
    throw new DomainError('validation_failed', detail, { field: 'timing' })
  }
  return Math.max(at, nowMs, startMs)
}

/** One that was made a moment ago may not run yet: the outbox would start it, a command cannot wait for that. */
export async function ensureStarted(deps: ApiDeps, row: SubscriptionRow): Promise<void> {
  if (row.closedThrough !== null) return
  const customer = await findCustomerByIdOrKey(deps.db, { id: row.customerId })
  if (customer !== undefined) await startWorkflow(deps, row, customer)
}

/** The subscription, or a 404. */
export async function subscriptionOf(deps: ApiDeps, id: string): Promise<SubscriptionRow> {
  return found((await findSubscription(deps.db, id)) ?? null, 'subscription', id)
}
