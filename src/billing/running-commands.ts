import type { Database, Db } from '../db/connection.ts'
import { updateInvoice } from '../db/stores/invoices.ts'
import { lockRunningInvoice } from '../db/stores/running-invoices.ts'
import { lockSubscription, recordCommand } from '../db/stores/subscriptions.ts'
import type { SubscriptionRow } from '../db/stores/subscriptions.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { withSnapshot } from '../db/transaction.ts'
import { assertNever, DomainError } from '../domain/errors.ts'
import { requireAction } from '../domain/invoice-state.ts'
import { planClosing } from './closing-plan.ts'
import { runningState } from './invoice-settings.ts'
import { upcomingClosing } from './next-due.ts'
import { runInvoice } from './running-invoice.ts'
import { loadSettings } from './settings.ts'
import type { BillingSettings } from './settings.ts'

/** What can be asked of a subscription's running invoice. */
export type BillRequest =
  | { readonly kind: 'invoice_now'; readonly requestId: string; readonly approve?: boolean }
  | { readonly kind: 'approve_bill'; readonly requestId: string; readonly invoiceId: string }

interface BillOptions {
  readonly subscriptionId: string
  readonly asOfMs: number
}

/**
 * Carries a command on the running invoice out, on one snapshot as a closing, after what was due has been billed. Once
 * under its request id. Errors: action_not_available.
 */
export async function applyBillCommand(
  db: Database,
  command: BillRequest,
  options: BillOptions,
): Promise<void> {
  await withSnapshot(db, async (trx) => {
    const row = await lockSubscription(trx, options.subscriptionId)
    if (!row) throw new DomainError('not_found', `subscription ${options.subscriptionId} does not exist`)
    const { requestId, kind } = command
    const isNew = await recordCommand(trx, { subscriptionId: row.id, requestId, kind, effectiveAt: null })
    if (!isNew) return
    switch (command.kind) {
      case 'invoice_now': {
        const settings = await loadSettings(trx, row.customerId)
        return await runUpcoming(trx, { row, settings }, { ...options, isApproved: command.approve ?? false })
      }
      case 'approve_bill':
        return await approve(trx, row, { ...options, invoiceId: command.invoiceId })
      default:
        return assertNever(command)
    }
  })
}

interface Subject {
  readonly row: SubscriptionRow
  readonly settings: BillingSettings
}

/** Rates the upcoming closing onto the running invoice. Errors: action_not_available. */
export async function runUpcoming(
  db: Db,
  { row, settings }: Subject,
  options: Pick<BillOptions, 'asOfMs'> & { readonly isApproved: boolean },
): Promise<void> {
  const refuse = (why: string): never => {
    throw new DomainError('action_not_available', `nothing is to be billed: ${why}`)
  }
  if (row.lifecycle === 'parked') refuse(`it is parked (${row.lifecycleReason ?? 'a safety bound'})`)
  const closing = upcomingClosing(row) ?? refuse(`it ended at ${row.activeTo?.toISOString() ?? 'its end'}`)
  const plan = await planClosing(db, { subscription: row, settings, closing, reason: 'period' })
  await runInvoice(db, plan, options)
}

async function approve(
  db: Db,
  row: SubscriptionRow,
  { invoiceId, asOfMs }: { readonly invoiceId: string; readonly asOfMs: number },
): Promise<void> {
  const running = await lockRunningInvoice(db, row.id)
  if (running?.id !== invoiceId) {
    throw new DomainError('action_not_available', 'its period was closed meanwhile; look at it again')
  }
  requireAction(runningState(running), 'approve')
  const approvedAt = new Date(asOfMs)
  await updateInvoice(db, running, { approvedAt, sentToStripeAt: null, nextDueAt: approvedAt })
  await appendTimeline(db, [
    { subjectType: 'invoice', subjectId: invoiceId, at: approvedAt, kind: 'approved', detail: 'Approved' },
  ])
}
