import type { Insertable } from 'kysely'
import type { Db } from '../db/connection.ts'
import { insertInvoice, updateInvoice } from '../db/stores/invoices.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import {
  ACCRUING,
  lockRunningInvoice,
  overwriteInvoice,
  replaceInvoiceLines,
} from '../db/stores/running-invoices.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import type { InvoiceLines, Invoices } from '../db/types.gen.ts'
import { currency } from '../domain/currency.ts'
import { displayMinor } from '../domain/money.ts'
import type { ClosingPlan } from './closing-plan.ts'
import { invoiceRow, lineRows } from './invoice-rows.ts'
import { invoiceSettings } from './invoice-settings.ts'
import { invoiceIdOf } from './stable-ids.ts'

interface RunOptions {
  readonly asOfMs: number
  /** Sent without a further approval, where the profile sends what is approved. */
  readonly isApproved: boolean
}

/**
 * Writes the upcoming closing's plan to the subscription's running invoice, in the transaction that planned it: a draft
 * that every run rates anew. It books nothing: usage, ledger and number wait for the closing.
 */
export async function runInvoice(db: Db, plan: ClosingPlan, options: RunOptions): Promise<void> {
  const running = await runningToContinue(db, plan, options.asOfMs)
  const invoiceId = running?.id ?? (await invoiceIdOf(db, plan))
  const ids = { ...options, invoiceId }
  const asOf = new Date(options.asOfMs)
  const isApproved = options.isApproved && plan.settings.stripe.send === 'approved_bills'
  const runs = (running?.runs ?? 0) + 1
  const row = {
    ...invoiceRow(plan, accruing, ids),
    collectionAt: new Date(plan.closing.atMs),
    ...rated(asOf, runs),
    approvedAt: isApproved ? asOf : null,
    // Its customer's clock waits until it is sent.
    nextDueAt: plan.settings.stripe.send === 'every_bill' || isApproved ? asOf : null,
  }
  await writeInvoice(db, running, { invoice: row, lines: lineRows(plan, ids) })
  const total = displayMinor(plan.totals.totalMinor, currency(plan.subscription.currency))
  const detail = `Run ${runs}: ${plan.lines.length} lines over ${total}${isApproved ? ', approved' : ''}`
  await appendTimeline(db, [
    { subjectType: 'invoice', subjectId: invoiceId, at: asOf, kind: 'rated', detail },
  ])
}

const accruing = {
  status: 'draft',
  substatus: ACCRUING,
  draftUntilMs: null,
  nextDueMs: null,
  waits: false,
} as const

/** Rated now: what was approved or sent before is no longer what it is. */
function rated(asOf: Date, runs: number) {
  return {
    runs,
    ratedAt: asOf,
    sentToStripeAt: null,
    approvedAt: null,
    statusReason: null,
    statusCode: null,
  } as const
}

interface Written {
  readonly invoice: Insertable<Invoices>
  readonly lines: readonly Insertable<InvoiceLines>[]
}

async function writeInvoice(db: Db, running: InvoiceRow | null, { invoice, lines }: Written): Promise<void> {
  if (running === null) return await insertInvoice(db, invoice, lines)
  await overwriteInvoice(db, running, invoice)
  await replaceInvoiceLines(db, running.id, lines)
}

/**
 * The running invoice becomes the closing's, rated a last time. What is not collected is withdrawn at Stripe before it is
 * settled.
 */
export async function overwriteRunning(
  db: Db,
  running: InvoiceRow,
  { invoice, lines, asOfMs }: Written & { readonly asOfMs: number },
): Promise<void> {
  const asOf = new Date(asOfMs)
  const isSettled = invoice.status === 'paid' && wasPerhapsSent(running)
  await writeInvoice(db, running, {
    invoice: {
      ...invoice,
      ...rated(asOf, running.runs + 1),
      ...(isSettled && { status: 'draft', paidAt: null, nextDueAt: asOf }),
    },
    lines,
  })
}

/** The running invoice that the plan continues; one that is somewhere else at Stripe is withdrawn, and another begins. */
export async function runningToContinue(
  db: Db,
  plan: ClosingPlan,
  asOfMs: number,
): Promise<InvoiceRow | null> {
  if (!plan.present.hasRunningInvoice) return null
  const running = await lockRunningInvoice(db, plan.subscription.id)
  if (running === undefined) return null
  const { settings } = plan
  const isThere =
    running.appId === settings.app.id &&
    (running.stripeCustomerId === null ||
      running.stripeCustomerId === (settings.link?.stripeCustomerId ?? null)) &&
    invoiceSettings(running).stripe.billing === settings.stripe.billing
  if (isThere) return running
  await retireRunning(db, running, { asOfMs, reason: 'it is billed elsewhere now' })
  return null
}

/** Nothing is billed with it any more. What may be at Stripe of it is taken back by the next step, then it is void. */
export async function retireRunning(
  db: Db,
  running: InvoiceRow,
  { asOfMs, reason }: { readonly asOfMs: number; readonly reason: string },
): Promise<void> {
  const asOf = new Date(asOfMs)
  const patch = wasPerhapsSent(running)
    ? { substatus: 'withdrawn', nextDueAt: asOf }
    : { status: 'voided', substatus: null, voidedAt: asOf, nextDueAt: null }
  await updateInvoice(db, running, { ...patch, statusReason: reason, statusCode: null })
  const detail = `Withdrawn: ${reason}`
  await appendTimeline(db, [
    { subjectType: 'invoice', subjectId: running.id, at: asOf, kind: 'withdrawn', detail },
  ])
}

/** A call may have got through without its reply, so that no note of it was taken. */
const wasPerhapsSent = (running: InvoiceRow): boolean => running.stripeCustomerId !== null
