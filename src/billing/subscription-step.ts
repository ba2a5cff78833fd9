import type { Database, Db } from '../db/connection.ts'
import { lockedSubscriptionBilling } from '../db/stores/billing-settings.ts'
import type { StoredInvoice } from '../db/stores/closings.ts'
import { isInline } from '../db/stores/invoice-handover.ts'
import { runningInvoice } from '../db/stores/running-invoices.ts'
import { setLifecycleReason, updateSubscription } from '../db/stores/subscriptions.ts'
import type { SubscriptionRow } from '../db/stores/subscriptions.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { changed, changeOf } from '../db/stores/versioned.ts'
import { withSnapshot } from '../db/transaction.ts'
import { isDomainError } from '../domain/errors.ts'
import type { DomainError } from '../domain/errors.ts'
import { parkReason } from '../domain/safety.ts'
import { applyCommand } from './command-step.ts'
import { executeClosing } from './closing-execute.ts'
import { planClosing } from './closing-plan.ts'
import type { ClosingPlan } from './closing-plan.ts'
import { mayBeAtStripe } from './first-try.ts'
import type { KnownInvoice } from './invoice-step.ts'
import { mirrorDueMs, nextStep } from './next-due.ts'
import type { NextStep } from './next-due.ts'
import { applyBillCommand, runUpcoming } from './running-commands.ts'
import type { BillRequest } from './running-commands.ts'
import { retireRunning } from './running-invoice.ts'
import { grantWhatIsOpen } from './open-access.ts'
import { settingsOf } from './settings.ts'
import type { BillingSettings } from './settings.ts'
import { mustBeWritten, unknownSubscription, whatIsNext } from './step-position.ts'
import type { SubscriptionRequest } from './subscription-commands.ts'

export interface StepOptions {
  readonly subscriptionId: string
  readonly asOfMs: number
  readonly command?: SubscriptionRequest | BillRequest
  readonly newId: () => string
  readonly jitterWindowMs: number
}

export interface SubscriptionStepResult {
  readonly row: SubscriptionRow
  readonly next: NextStep | null
  /** When to step again: the next closing, or the running invoice before it; null when nothing is to come. */
  readonly wakeMs: number | null
  /** Whether there is a running invoice, which may have to be sent. */
  readonly isRunning: boolean
  /** The closing instant that was billed in this step, and whether by a test clock; left out where none was. */
  readonly closed?: { readonly atMs: number; readonly onTestClock: boolean }
  /** All that is to be collected of the subscription by this step; left out where that has to be asked for. */
  readonly toCollect?: readonly KnownInvoice[]
  readonly refused: DomainError | null
  /** A command was all there was to do: there is no invoice to look after, and nothing was put into the outbox. */
  readonly isOnlyCommand?: boolean
}

type Stepped = Omit<SubscriptionStepResult, 'refused' | 'isOnlyCommand'>

interface Position {
  readonly row: SubscriptionRow
  readonly settings: BillingSettings
  readonly options: BillOptions
  readonly next: NextStep | null
}

interface Running {
  readonly mirrorMs: number | null
  readonly isRunning: boolean
}

/**
 * One step of a subscription: apply the command, bill at most one closing that is due, write when to act next. A command is a
 * transaction of its own where more comes after it, which is cut by a snapshot. Safe to repeat: commands by request id,
 * closings by primary key. Errors: not_found.
 */
export async function stepSubscription(db: Database, options: StepOptions): Promise<SubscriptionStepResult> {
  const { command } = options
  const unchanged = { ...options, isReleased: false, isChanged: false }
  // What is asked of the open period comes after what is due has been closed.
  if (command?.kind === 'invoice_now' || command?.kind === 'approve_bill') {
    const stepped = await billNow(db, unchanged)
    const { refused } = await unlessRefused(async () => await applyBillCommand(db, command, options))
    return { ...stepped, isRunning: true, refused }
  }
  if (command === undefined) return { ...(await billNow(db, unchanged)), refused: null }
  const { outcome, refused } = await unlessRefused(
    async () => await applyCommand(db, { ...options, command }),
  )
  if (outcome) return { ...outcome, isRunning: false, refused, isOnlyCommand: true }
  const isChanged = refused === null
  const isReleased = command.kind === 'release' && isChanged
  return { ...(await billNow(db, { ...options, isReleased, isChanged })), refused }
}

async function unlessRefused<T>(
  apply: () => Promise<T>,
): Promise<{ readonly outcome: T | null; readonly refused: DomainError | null }> {
  try {
    return { outcome: await apply(), refused: null }
  } catch (error) {
    if (!isDomainError(error)) throw error
    return { outcome: null, refused: error }
  }
}

type BillOptions = StepOptions & {
  readonly isReleased: boolean
  /** A command changed what is to come. */
  readonly isChanged: boolean
}

async function billNow(db: Database, options: BillOptions): Promise<Stepped> {
  try {
    return await withSnapshot(db, async (trx) => await billWhatIsDue(trx, options))
  } catch (error) {
    // Trying again would not make it less, and commands would wait behind the tries.
    if (isDomainError(error) && error.code === 'amount_too_large')
      return await withSnapshot(db, async (trx) => await parkUnbilled(trx, options, error.message))
    await noteObstacle(db, options, error)
    throw error
  }
}

async function parkUnbilled(db: Db, options: StepOptions, reason: string): Promise<Stepped> {
  const found = await lockedSubscriptionBilling(db, options.subscriptionId)
  if (found === null) throw unknownSubscription(options.subscriptionId)
  return await park(db, found.subscription, options, reason)
}

/** The step is tried again until someone mends what is in the way; meanwhile the row says what it is. */
async function noteObstacle(db: Database, options: StepOptions, error: unknown): Promise<void> {
  if (isDomainError(error)) await setLifecycleReason(db, options.subscriptionId, error.message)
}

async function billWhatIsDue(db: Db, options: BillOptions): Promise<Stepped> {
  const found = await lockedSubscriptionBilling(db, options.subscriptionId)
  if (found === null) throw unknownSubscription(options.subscriptionId)
  const row = found.subscription
  if (row.lifecycle === 'parked') return { row, next: null, wakeMs: null, isRunning: false }
  const settings = settingsOf(found.billing)
  const due = nextStep(row, settings, options.jitterWindowMs)
  if (due === null || due.dueMs > options.asOfMs)
    return await betweenClosings(db, { row, settings, options, next: due })
  const plan = await planClosing(db, {
    subscription: row,
    settings,
    closing: due.closing,
    reason: due.reason,
  })
  const reason = options.isReleased ? null : absurdity(plan, options.asOfMs)
  if (reason !== null) return await park(db, row, options, reason)
  return await close(db, plan, options)
}

/** Carries the plan out and goes on: in one statement, unless somebody waits for access, which is granted in between. */
async function close(db: Db, plan: ClosingPlan, options: BillOptions): Promise<Stepped> {
  const { subscription: row, settings, closing, present } = plan
  const closed = { ...row, closedThrough: new Date(closing.atMs) }
  const next = nextStep(closed, settings, options.jitterWindowMs)
  const position = { row: closed, settings, options, next }
  const running = { mirrorMs: mirrorDueMs(closed, settings, undefined), isRunning: false }
  const { patch, wakeMs } = whatIsNext({ ...position, ...running, asOfMs: options.asOfMs })
  const told = { atMs: closing.atMs, onTestClock: settings.customer.testClockId !== null }
  if (!present.isClosed && !present.hasAccessRequests) {
    const moved = changeOf(row, patch)
    const stored = await executeClosing(db, plan, { ...options, moved })
    const stepped = { row: changed(row, moved), next, wakeMs, isRunning: false, closed: told }
    return { ...stepped, ...whatToCollect(plan, stored) }
  }
  const stored = await executeClosing(db, plan, options)
  await grantWhatIsOpen(db, { customerId: row.customerId, asOfMs: options.asOfMs })
  return { ...(await writeNext(db, position, running)), closed: told, ...whatToCollect(plan, stored) }
}

/** The invoice that the closing made, with what was found for it: who collects it at once does not ask again. */
function whatToCollect(
  { present, settings: { app, link } }: ClosingPlan,
  stored: StoredInvoice | null,
): Pick<Stepped, 'toCollect'> {
  // A running invoice became the closing's, or what is at Stripe of it is to be taken back.
  if (present.hasUncollected || present.hasRunningInvoice) return {}
  if (stored === null) return { toCollect: [] }
  const { invoice, lines } = stored
  const known = { row: invoice, toSend: { app, link, lines }, mayExist: mayBeAtStripe(stored) }
  return { toCollect: isInline(invoice) ? [known] : [] }
}

/** Nothing is to be closed: the running invoice is rated when it is its time, and withdrawn when nothing closes it. */
async function betweenClosings(db: Db, position: Position): Promise<Stepped> {
  const { row, settings, options, next } = position
  const { asOfMs } = options
  const running = await runningInvoice(db, row.id)
  if (next?.reason !== 'period') {
    const reason = 'the subscription ended without a further period'
    if (running) await retireRunning(db, running, { asOfMs, reason })
    return await writeNext(db, position, { mirrorMs: null, isRunning: false })
  }
  const dueMs = mirrorDueMs(row, settings, running)
  const isDue = dueMs !== null && (dueMs <= asOfMs || (options.isChanged && running !== undefined))
  if (isDue) await runUpcoming(db, { row, settings }, { asOfMs, isApproved: false })
  const mirrorMs = isDue ? mirrorDueMs(row, settings, { ratedAt: new Date(asOfMs) }) : dueMs
  const isRunning = isDue || running !== undefined
  return await writeNext(db, position, { mirrorMs, isRunning })
}

async function writeNext(db: Db, position: Position, running: Running): Promise<Stepped> {
  const { patch, wakeMs } = whatIsNext({ ...position, ...running, asOfMs: position.options.asOfMs })
  const row = mustBeWritten(await updateSubscription(db, position.row, patch))
  return { row, next: position.next, wakeMs, isRunning: running.isRunning }
}

/** Why billing this closing would be absurd; null when it is fine (rule 33). */
function absurdity({ closing, reason, present }: ClosingPlan, nowMs: number): string | null {
  // A correction looks back over its window; it is no period.
  if (reason === 'correction') return null
  const { atMs, previousMs } = closing
  return parkReason({ atMs, previousMs, nowMs, invoicesInLastDay: present.closingsInLastDay })
}

async function park(db: Db, row: SubscriptionRow, options: StepOptions, reason: string): Promise<Stepped> {
  const { subscriptionId, asOfMs } = options
  const told = { kind: 'parked', detail: `Parked: ${reason}`, at: new Date(asOfMs) } as const
  await appendTimeline(db, [{ subjectType: 'subscription', subjectId: subscriptionId, ...told }])
  const parked = { lifecycle: 'parked', lifecycleReason: reason, nextDueAt: null }
  const updated = mustBeWritten(await updateSubscription(db, row, parked))
  return { row: updated, next: null, wakeMs: null, isRunning: false }
}
