import { nextTryMs } from '../billing/invoice-outage.ts'
import { pushBill } from '../billing/push-bill.ts'
import { runningState } from '../billing/invoice-settings.ts'
import { updateInvoice } from '../db/stores/invoices.ts'
import type { InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import { runningInvoice, wakeSubscriptionBy } from '../db/stores/running-invoices.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { isDomainError } from '../domain/errors.ts'
import type { ActivityDeps } from './deps.ts'
import { verdictOf } from './failures.ts'
import type { Verdict } from './failures.ts'

const TRIES_A_STEP = 3

interface Sending {
  readonly subscriptionId: string
  readonly asOfMs: number
  /** A person asked: now, and not when the next try is due. */
  readonly isAsked: boolean
}

/**
 * Sends the running invoice to Stripe when it was rated or approved since it was sent. Nothing that Stripe says stops the
 * subscription: a failure is on the invoice's row, and what may succeed later is tried again. Returns when (null: nothing
 * to try again).
 */
export async function sendRunningInvoice(deps: ActivityDeps, sending: Sending): Promise<number | null> {
  const { subscriptionId, asOfMs } = sending
  for (let tried = 1; ; tried++) {
    const row = await runningInvoice(deps.db, subscriptionId)
    if (row === undefined || row.sentToStripeAt !== null || runningState(row).waitsToBeSent) return null
    const againMs = row.nextDueAt?.getTime() ?? asOfMs
    if (againMs > asOfMs && !sending.isAsked) return await wakeAt(deps, row, againMs)
    try {
      const sent = await pushBill(deps, row, asOfMs)
      await noteSent(deps, row, sent)
      return null
    } catch (error) {
      const verdict = verdictOf(error)
      if (verdict.kind === 'pinned' && tried < TRIES_A_STEP) {
        await updateInvoice(deps.db, row, { syncGeneration: row.syncGeneration + 1 })
        continue
      }
      // Something was noted on the row meanwhile: what Stripe was sent is found there.
      const isOvertaken = isDomainError(error) && error.code === 'conflict'
      if (isOvertaken && tried < TRIES_A_STEP) continue
      return await noteFailure(deps, row, { verdict, error, asOfMs })
    }
  }
}

async function noteSent(deps: ActivityDeps, before: InvoiceRow, sent: InvoiceRow): Promise<void> {
  if (sent.stripeInvoiceId === null || before.stripeInvoiceId === sent.stripeInvoiceId) return
  const detail = `Draft ${sent.stripeInvoiceId} made at Stripe`
  const at = sent.sentToStripeAt ?? sent.updatedAt
  await appendTimeline(deps.db, [{ subjectType: 'invoice', subjectId: sent.id, at, kind: 'sent', detail }])
}

interface Failure {
  readonly verdict: Verdict
  readonly error: unknown
  readonly asOfMs: number
}

async function noteFailure(
  deps: ActivityDeps,
  row: InvoiceRow,
  { verdict, error, asOfMs }: Failure,
): Promise<number | null> {
  deps.log.warn({ invoiceId: row.id, err: error }, 'sending the running invoice failed')
  const statusReason = error instanceof Error ? error.message : String(error)
  if (verdict.kind === 'final') {
    // The next run tries again; where the draft is gone, with another.
    const isGone = verdict.code === 'stripe_invoice_deleted'
    await patchRow(deps, row, {
      statusCode: verdict.code,
      statusReason,
      nextDueAt: null,
      ...(isGone && { stripeInvoiceId: null, syncGeneration: row.syncGeneration + 1 }),
    })
    return null
  }
  const againMs = nextTryMs(asOfMs, row.ratedAt?.getTime() ?? asOfMs)
  const statusCode = verdict.kind === 'away' ? verdict.code : null
  await patchRow(deps, row, { statusCode, statusReason, nextDueAt: new Date(againMs) })
  return await wakeAt(deps, row, againMs)
}

async function wakeAt(deps: ActivityDeps, row: InvoiceRow, atMs: number): Promise<number> {
  await wakeSubscriptionBy(deps.db, row.subscriptionId, new Date(atMs))
  return atMs
}

/** The row as it is now: what was written before the failure stays. */
async function patchRow(deps: ActivityDeps, row: InvoiceRow, patch: InvoicePatch): Promise<void> {
  const current = await runningInvoice(deps.db, row.subscriptionId)
  if (current?.id === row.id) await updateInvoice(deps.db, current, patch)
}
