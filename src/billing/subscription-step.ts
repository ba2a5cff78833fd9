import type { Database, Db } from '../db/connection.ts'
import { lockedSubscriptionBilling } from '../db/stores/billing-settings.ts'
import { runningInvoice } from '../db/stores/running-invoices.ts'
import { lockSubscription, setLifecycleReason, updateSubscription } from '../db/stores/subscriptions.ts'
import type { SubscriptionPatch, SubscriptionRow } from '../db/stores/subscriptions.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { changed, changeOf } from '../db/stores/versioned.ts'
import { withSnapshot } from '../db/transaction.ts'
import { assertNever, DomainError, isDomainError } from '../domain/errors.ts'
import { parkReason } from '../domain/safety.ts'
import { executeClosing } from './closing-execute.ts'
import { planClosing } from './closing-plan.ts'
import type { ClosingPlan } from './closing-plan.ts'
import { mirrorDueMs, nextStep, upcomingClosing } from './next-due.ts'
import type { NextStep } from './next-due.ts'
import { applyBillCommand, runUpcoming } from './running-commands.ts'
import type { BillRequest } from './running-commands.ts'
import { retireRunning } from './running-invoice.ts'
import { grantWhatIsOpen } from './open-access.ts'
import { settingsOf } from './settings.ts'
import type { BillingSettings } from './settings.ts'
import { acceptCommand } from './subscription-commands.ts'
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
  readonly refused: DomainError | null
}

type Stepped = Omit<SubscriptionStepResult, 'refused'>

/**
 * One step of a subscription in one transaction: apply the command, bill at most one closing that is due, write when to
 * act next. Safe to repeat: commands by request id, closings by primary key. Errors: not_found.
 */
export async function stepSubscription(db: Database, options: StepOptions): Promise<SubscriptionStepResult> {
  const { command } = options
  // What is asked of the open period comes after what is due has been closed.
  if (command?.kind === 'invoice_now' || command?.kind === 'approve_bill') {
    const stepped = await billNow(db, { ...options, isReleased: false, isChanged: false })
    const refused = await refusalOf(async () => await applyBillCommand(db, command, options))
    return { ...stepped, isRunning: true, refused }
  }
  const refused =
    command === undefined
      ? null
      : // Read committed: a command has to see what the transaction that it waited for wrote (overlaps).
        await refusalOf(
          async () =>
            await db.transaction().execute(async (trx) => await applyCommand(trx, options, command)),
        )
  const isChanged = command !== undefined && refused === null
  const isReleased = command?.kind === 'release' && isChanged
  return { ...(await billNow(db, { ...options, isReleased, isChanged })), refused }
}

async function refusalOf(apply: () => Promise<void>): Promise<DomainError | null> {
  try {
    await apply()
    return null
  } catch (error) {
    if (!isDomainError(error)) throw error
    return error
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
    await noteObstacle(db, options, error)
    throw error
  }
}

/** The step is tried again until someone mends what is in the way; meanwhile the row says what it is. */
async function noteObstacle(db: Database, options: StepOptions, error: unknown): Promise<void> {
  if (isDomainError(error)) await setLifecycleReason(db, options.subscriptionId, error.message)
}

async function applyCommand(db: Db, options: StepOptions, command: SubscriptionRequest): Promise<void> {
  const row = await mustLock(db, options.subscriptionId)
  const patch = await acceptCommand(db, row, command)
  if (Object.keys(patch).length === 0) return
  await mustUpdate(db, row, {
    ...patch,
    ...shownAfter({ ...row, ...patch } as SubscriptionRow, options.asOfMs),
  })
  await note(db, options, command.kind, inWords(command))
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

async function billWhatIsDue(db: Db, options: BillOptions): Promise<Stepped> {
  const found = await lockedSubscriptionBilling(db, options.subscriptionId)
  if (found === null) throw unknown(options.subscriptionId)
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
  const { patch, wakeMs } = whatIsNext(position, running)
  const told = { atMs: closing.atMs, onTestClock: settings.customer.testClockId !== null }
  if (!present.isClosed && !present.hasAccessRequests) {
    const moved = changeOf(row, patch)
    await executeClosing(db, plan, { ...options, moved })
    return { row: changed(row, moved), next, wakeMs, isRunning: false, closed: told }
  }
  await executeClosing(db, plan, options)
  await grantWhatIsOpen(db, { customerId: row.customerId, asOfMs: options.asOfMs })
  return { ...(await writeNext(db, position, running)), closed: told }
}

interface Position {
  readonly row: SubscriptionRow
  readonly settings: BillingSettings
  readonly options: BillOptions
  readonly next: NextStep | null
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

interface Running {
  readonly mirrorMs: number | null
  readonly isRunning: boolean
}

async function writeNext(db: Db, position: Position, running: Running): Promise<Stepped> {
  const { patch, wakeMs } = whatIsNext(position, running)
  const row = await mustUpdate(db, position.row, patch)
  return { row, next: position.next, wakeMs, isRunning: running.isRunning }
}

function whatIsNext({ row, options, next }: Position, { mirrorMs }: Running) {
  const wakeMs = next === null ? null : Math.min(next.dueMs, mirrorMs ?? next.dueMs)
  const patch = {
    closedThrough: row.closedThrough,
    lifecycle: lifecycleOf(row, options.asOfMs),
    lifecycleReason: null,
    nextDueAt: wakeMs === null ? null : new Date(wakeMs),
    nextClosingAt: next === null ? null : new Date(next.closing.atMs),
  } satisfies SubscriptionPatch
  return { patch, wakeMs }
}

function lifecycleOf(row: SubscriptionRow, asOfMs: number): string {
  if (asOfMs < row.activeFrom.getTime()) return 'scheduled'
  if (row.activeTo === null) return 'active'
  return asOfMs < row.activeTo.getTime() ? 'canceled' : endedLifecycle(row)
}

/** It has ended for its customer; it is inactive for us once its last period is billed. */
function endedLifecycle(row: SubscriptionRow): string {
  const isBilled = row.closedThrough !== null && row.activeTo !== null && row.closedThrough >= row.activeTo
  const neverBegan = row.activeTo !== null && row.activeTo <= row.activeFrom
  return isBilled || neverBegan ? 'ended' : 'canceled'
}

/** Why billing this closing would be absurd; null when it is fine (rule 33). */
function absurdity({ closing, reason, present }: ClosingPlan, nowMs: number): string | null {
  // A correction looks back over its window; it is no period.
  if (reason === 'correction') return null
  const { atMs, previousMs } = closing
  return parkReason({ atMs, previousMs, nowMs, invoicesInLastDay: present.closingsInLastDay })
}

async function park(db: Db, row: SubscriptionRow, options: StepOptions, reason: string): Promise<Stepped> {
  await note(db, options, 'parked', `Parked: ${reason}`)
  const updated = await mustUpdate(db, row, { lifecycle: 'parked', lifecycleReason: reason, nextDueAt: null })
  return { row: updated, next: null, wakeMs: null, isRunning: false }
}

async function mustLock(db: Db, id: string): Promise<SubscriptionRow> {
  const row = await lockSubscription(db, id)
  if (!row) throw unknown(id)
  return row
}

const unknown = (id: string): DomainError => new DomainError('not_found', `subscription ${id} does not exist`)

async function mustUpdate(db: Db, row: SubscriptionRow, patch: SubscriptionPatch): Promise<SubscriptionRow> {
  const written = await updateSubscription(db, row, patch)
  if (!written) throw new DomainError('conflict', 'a later step wrote the subscription')
  return written
}

async function note(db: Db, options: StepOptions, kind: string, detail: string): Promise<void> {
  await appendTimeline(db, [
    {
      subjectType: 'subscription',
      subjectId: options.subscriptionId,
      at: new Date(options.asOfMs),
      kind,
      detail,
    },
  ])
}
