import { Context } from '@temporalio/activity'
import type { KnownInvoice } from '../billing/invoice-step.ts'
import { stepSubscription } from '../billing/subscription-step.ts'
import type { SubscriptionStepResult } from '../billing/subscription-step.ts'
import { handOver, inlineInvoices } from '../db/stores/invoice-handover.ts'
import { settledStatuses } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import type { SubscriptionActivities, SubscriptionStep } from './contracts.ts'
import type { ActivityDeps } from './deps.ts'
import { withHeartbeat } from './heartbeat.ts'
import { advanceWithReason } from './invoice-advance.ts'
import { observeClosing, observePaid } from './observing.ts'
import { sendRunningInvoice } from './send-bill.ts'

/** Activities of `subscription/{id}`. */
export function subscriptionActivities(deps: ActivityDeps): SubscriptionActivities {
  return {
    advanceSubscription: async ({ subscriptionId, asOfMs, command }) =>
      await withHeartbeat(async () => {
        const { newId, jitterWindowMs } = deps
        // What an earlier try closed and did not get to collect does not wait for this one to succeed.
        if (Context.current().info.attempt > 1) await collectInlineInvoices(deps, subscriptionId, asOfMs)
        const result = await stepSubscription(deps.db, {
          subscriptionId,
          asOfMs,
          newId,
          jitterWindowMs,
          ...(command && { command }),
        })
        if (result.isOnlyCommand === true) return toStep(result, null)
        observeClosing(deps, result)
        const isCollected = result.toCollect
          ? await collectInline(deps, result.toCollect, asOfMs)
          : await collectInlineInvoices(deps, subscriptionId, asOfMs)
        const isAsked = command?.kind === 'invoice_now' || command?.kind === 'approve_bill'
        const againMs = result.isRunning
          ? await sendRunningInvoice(deps, { subscriptionId, asOfMs, isAsked })
          : null
        // What was billed and paid at once put nothing in.
        if (command !== undefined || !isCollected) deps.kickRelay()
        return toStep(result, againMs)
      }),
  }
}

/** Whether there was anything to collect, and all of it is settled. */
async function collectInlineInvoices(
  deps: ActivityDeps,
  subscriptionId: string,
  asOfMs: number,
): Promise<boolean> {
  const invoices = await inlineInvoices(deps.db, subscriptionId)
  return await collectInline(
    deps,
    invoices.map((row) => ({ row })),
    asOfMs,
  )
}

/** Of what is known only the first is still so when it is its turn: nothing that takes time came between. */
async function collectInline(
  deps: ActivityDeps,
  invoices: readonly KnownInvoice[],
  asOfMs: number,
): Promise<boolean> {
  const settled: boolean[] = []
  for (const [index, invoice] of invoices.entries())
    settled.push(await collectOne(deps, { invoice, asOfMs, isFresh: index === 0 }))
  return settled.length > 0 && settled.every(Boolean)
}

interface Collecting {
  readonly invoice: KnownInvoice
  readonly asOfMs: number
  readonly isFresh: boolean
}

/**
 * The happy path: the step that closed the period also issues and collects, and Stripe's reply settles it. Whatever is
 * not settled by that waits in a workflow of its own, so the next period never waits for a payment. Answers whether it is
 * settled.
 */
async function collectOne(deps: ActivityDeps, { invoice, asOfMs, isFresh }: Collecting): Promise<boolean> {
  let { row } = invoice
  const invoiceId = row.id
  try {
    const known = isFresh ? invoice : undefined
    row = await advanceWithReason(deps, { invoiceId, asOfMs, look: false, known })
    observePaid(deps, row, asOfMs)
  } catch (error) {
    deps.log.warn({ invoiceId, err: error }, 'collecting goes on in the invoice workflow')
  }
  const isSettled = settledStatuses.includes(row.status as InvoiceStatus)
  if (!isSettled) await handOver(deps.db, invoiceId)
  return isSettled
}

function toStep(
  { row, next, wakeMs, isRunning, refused }: SubscriptionStepResult,
  againMs: number | null,
): SubscriptionStep {
  const nextDueMs = againMs === null || wakeMs === null ? (wakeMs ?? againMs) : Math.min(wakeMs, againMs)
  const ended = next === null && row.lifecycle !== 'parked'
  const isBefore = next !== null && nextDueMs !== null && nextDueMs < next.dueMs
  const closing = next === null ? '' : `the closing at ${new Date(next.closing.atMs).toISOString()}`
  const bill = isBefore ? `the next bill at ${new Date(nextDueMs).toISOString()}, then ` : ''
  const waitingFor = next === null ? nothingToCome(row.lifecycle, row.lifecycleReason) : `${bill}${closing}`
  const billed =
    row.closedThrough === null ? 'Nothing billed yet' : `Billed through ${row.closedThrough.toISOString()}`
  return {
    nextDueMs,
    quietFromMs: next?.reason === 'period' && !isRunning ? next.closing.atMs : null,
    ended,
    lifecycle: row.lifecycle,
    summary: `${row.lifecycle}. ${billed}; waits for ${waitingFor}`,
    waitingFor,
    refused: refused === null ? null : { code: refused.code, message: refused.message },
  }
}

const nothingToCome = (lifecycle: string, reason: string | null): string =>
  lifecycle === 'parked'
    ? `an operator: parked because ${reason ?? 'of a safety bound'}`
    : 'nothing: it has ended'
