import type { Database, Db } from '../db/connection.ts'
import { lockedSubscriptionBilling } from '../db/stores/billing-settings.ts'
import type { BillingRows } from '../db/stores/billing-settings.ts'
import { hasInvoiceInHand } from '../db/stores/invoice-handover.ts'
import { updateSubscriptionTelling } from '../db/stores/subscriptions.ts'
import type { SubscriptionPatch, SubscriptionRow } from '../db/stores/subscriptions.ts'
import { assertNever } from '../domain/errors.ts'
import { mirrorDueMs, nextStep, upcomingClosing } from './next-due.ts'
import type { NextStep } from './next-due.ts'
import { settingsOf } from './settings.ts'
import { lifecycleOf, mustBeWritten, unknownSubscription, whatIsNext } from './step-position.ts'
import { acceptCommand } from './subscription-commands.ts'
import type { SubscriptionRequest } from './subscription-commands.ts'

export interface CommandOptions {
  readonly subscriptionId: string
  readonly asOfMs: number
  readonly command: SubscriptionRequest
  readonly jitterWindowMs: number
}

/** What a command was all of the step of. */
export interface CommandStep {
  readonly row: SubscriptionRow
  readonly next: NextStep
  readonly wakeMs: number
}

/**
 * Carries a command out once under its request id, in one transaction, and answers how the subscription goes on; null where what
 * is due, or an invoice that this step has to look after, comes after it. Errors: those of `acceptCommand`, not_found, conflict.
 */
export async function applyCommand(db: Database, options: CommandOptions): Promise<CommandStep | null> {
  // Read committed: a command has to see what the transaction that it waited for wrote (overlaps).
  return await db.transaction().execute(async (trx) => await apply(trx, options))
}

async function apply(db: Db, options: CommandOptions): Promise<CommandStep | null> {
  const { subscriptionId, asOfMs, command } = options
  const found = await lockedSubscriptionBilling(db, subscriptionId)
  if (found === null) throw unknownSubscription(subscriptionId)
  const { subscription, billing } = found
  const asked = await acceptCommand(db, subscription, command)
  if (Object.keys(asked).length === 0) return null
  const row = { ...subscription, ...asked } as SubscriptionRow
  const quiet = await nothingElse(db, { row, billing, options })
  const told = {
    subjectType: 'subscription',
    subjectId: subscriptionId,
    at: new Date(asOfMs),
    kind: command.kind,
    detail: inWords(command),
  } as const
  const patch = { ...asked, ...(quiet?.patch ?? shownAfter(row, asOfMs)) }
  const written = mustBeWritten(await updateSubscriptionTelling(db, subscription, { patch, told }))
  return quiet && { row: written, next: quiet.next, wakeMs: quiet.wakeMs }
}

interface Changed {
  /** As the command leaves it. */
  readonly row: SubscriptionRow
  readonly billing: BillingRows
  readonly options: CommandOptions
}

/**
 * How it goes on where the command was all there is to do: its next period is still to come, and no invoice is in hand. What
 * else there is needs a snapshot, to cut usage by, or has to say what is in its way.
 */
async function nothingElse(db: Db, { row, billing, options }: Changed) {
  const { asOfMs, jitterWindowMs } = options
  if (row.lifecycle === 'parked' || billing.profile === null || billing.app === null) return null
  const settings = settingsOf(billing)
  const next = nextStep(row, settings, jitterWindowMs)
  if (next?.reason !== 'period' || next.dueMs <= asOfMs) return null
  if (mirrorDueMs(row, settings, undefined) !== null) return null
  if (await hasInvoiceInHand(db, row.id)) return null
  const { patch } = whatIsNext({ row, asOfMs, next, mirrorMs: null })
  return { patch, next, wakeMs: next.dueMs }
}

/**
 * Written with what was asked, not with what is billed after it: whoever reads in between, or while a closing is in the
 * way, is not told of a subscription that goes on, or of a bill that will not come.
 */
function shownAfter(row: SubscriptionRow, asOfMs: number): SubscriptionPatch {
  const lifecycle = lifecycleAfter(row, asOfMs)
  const closing = upcomingClosing(row)
  if (closing === null) return { lifecycle, nextClosingAt: null }
  const nextClosingAt = new Date(closing.atMs)
  // Who is parked is not due. Of the others the billing that follows says what they wait for beyond the instant.
  return { lifecycle, nextClosingAt, ...(lifecycle !== 'parked' && { nextDueAt: nextClosingAt }) }
}

/** It has ended once its last period is billed, and that is to come. */
function lifecycleAfter(row: SubscriptionRow, asOfMs: number): string {
  if (row.lifecycle === 'parked') return row.lifecycle
  const lifecycle = lifecycleOf(row, asOfMs)
  return lifecycle === 'ended' ? 'canceled' : lifecycle
}

function inWords(command: SubscriptionRequest): string {
  switch (command.kind) {
    case 'cancel':
      return `Canceled as of ${new Date(command.effectiveAtMs).toISOString()}`
    case 'unschedule_cancelation':
      return 'Cancelation withdrawn'
    case 'release':
      return 'Released by an operator'
    default:
      return assertNever(command)
  }
}
