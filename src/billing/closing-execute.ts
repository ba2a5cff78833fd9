import type { Insertable } from 'kysely'
import type { Db } from '../db/connection.ts'
import { insertClosing, recordBilled } from '../db/stores/closings.ts'
import { insertLedgerEntry } from '../db/stores/ledger.ts'
import { insertOutbox } from '../db/stores/outbox.ts'
import type { TimelineEntry } from '../db/stores/timeline.ts'
import type { RatedUsage } from '../db/types.gen.ts'
import { currency } from '../domain/currency.ts'
import { displayMinor } from '../domain/money.ts'
import type { ClosingPlan } from './closing-plan.ts'
import { invoiceRow, lineRows } from './invoice-rows.ts'
import { beginInvoice } from './new-invoice.ts'
import type { InvoiceBeginning } from './new-invoice.ts'
import type { PlannedLine } from './planned-line.ts'
import { invoiceIdOf } from './stable-ids.ts'
import { retireRunning, runningToContinue, writeClosingInvoice } from './running-invoice.ts'

export interface ClosingResult {
  /** Null when nothing became billable, or the period was closed before. */
  readonly invoiceId: string | null
}

interface ExecuteOptions {
  readonly asOfMs: number
  readonly newId: () => string
}

/**
 * Carries a closing plan out, in the transaction that planned it: the closing's primary key, the invoice with its lines,
 * what each usage slice has been billed by now, the carried balance. A running invoice becomes that invoice. Run twice,
 * the second finds the key (rule 29).
 */
export async function executeClosing(
  db: Db,
  plan: ClosingPlan,
  options: ExecuteOptions,
): Promise<ClosingResult> {
  const periodAt = new Date(plan.closing.atMs)
  const key = { subscriptionId: plan.subscription.id, periodAt, reason: plan.reason }
  const inserted = await insertClosing(db, {
    ...key,
    periodFrom: new Date(plan.closing.previousMs ?? plan.closing.atMs),
    usageCutoff: plan.cutoff,
    asOf: new Date(options.asOfMs),
  })
  if (!inserted) return { invoiceId: null }
  const running = await runningToContinue(db, plan, options.asOfMs)
  if (plan.totals.disposition === 'nothing') {
    if (running) await retireRunning(db, running, { ...options, reason: 'the period had nothing to bill' })
    return { invoiceId: null }
  }

  const beginning = beginInvoice(plan, options.asOfMs)
  const invoiceId = running?.id ?? (await invoiceIdOf(db, plan))
  const ids = { ...options, invoiceId }
  await writeClosingInvoice(db, running, {
    invoice: invoiceRow(plan, beginning, ids),
    lines: lineRows(plan, ids),
    asOfMs: options.asOfMs,
  })
  const slices = plan.lines.flatMap((line) => ratedUsageRow(plan, line))
  const told = tellClosing(plan, { invoiceId, asOfMs: options.asOfMs, beginning })
  await recordBilled(db, key, { invoiceId, slices, told })
  await bookCarried(db, plan, { invoiceId, newId: options.newId })
  if (beginning.waits) await insertOutbox(db, { kind: 'start_invoice', subjectId: invoiceId })
  return { invoiceId }
}

function ratedUsageRow(plan: ClosingPlan, line: PlannedLine): readonly Insertable<RatedUsage>[] {
  if (line.slice === null) return []
  const { item } = line
  return [
    {
      subscriptionId: plan.subscription.id,
      lineKey: item.lineKey,
      serviceFrom: new Date(item.service.from),
      serviceTo: new Date(item.service.to),
      fullServiceFrom: new Date(item.fullService.from),
      fullServiceTo: new Date(item.fullService.to),
      featureKey: item.featureKey ?? '',
      phaseKey: item.phaseKey,
      rateCard: JSON.stringify(item.rateCard),
      quantity: line.slice.quantity,
      billedMinor: line.slice.billedMinor,
      usageCutoff: plan.cutoff,
      subjectKeys: [...line.slice.subjectKeys],
    },
  ]
}

/** What goes over to the next invoice, or came over to this one, is booked in the ledger with it (rule 21). */
async function bookCarried(
  db: Db,
  plan: ClosingPlan,
  ids: { readonly invoiceId: string; readonly newId: () => string },
): Promise<void> {
  const { carriedLine, carriedOutMinor, isRemainder } = plan.totals
  const entry = {
    subscriptionId: plan.subscription.id,
    customerId: plan.subscription.customerId,
    currency: plan.subscription.currency,
    invoiceId: ids.invoiceId,
  }
  if (carriedLine !== null) {
    await insertLedgerEntry(db, {
      ...entry,
      id: ids.newId(),
      kind: 'carried_in',
      amountMinor: -carriedLine.totalMinor,
    })
  }
  if (carriedOutMinor !== 0n) {
    const kind = isRemainder ? 'remainder' : 'carried_out'
    await insertLedgerEntry(db, { ...entry, id: ids.newId(), kind, amountMinor: carriedOutMinor })
  }
}

function tellClosing(
  plan: ClosingPlan,
  made: { readonly invoiceId: string; readonly asOfMs: number; readonly beginning: InvoiceBeginning },
): readonly TimelineEntry[] {
  const at = new Date(made.asOfMs)
  const total = displayMinor(plan.totals.totalMinor, currency(plan.subscription.currency))
  const closed = new Date(plan.closing.atMs).toISOString()
  return [
    {
      subjectType: 'subscription',
      subjectId: plan.subscription.id,
      at,
      kind: 'closed',
      detail: `Closed ${plan.reason} at ${closed}: invoice ${made.invoiceId} over ${total}`,
    },
    {
      subjectType: 'invoice',
      subjectId: made.invoiceId,
      at,
      kind: 'created',
      detail: `Created with ${plan.lines.length} lines over ${total} (${made.beginning.substatus ?? made.beginning.status})`,
    },
  ]
}
