import type { Insertable } from 'kysely'
import type { Db } from '../db/connection.ts'
import { insertClosing } from '../db/stores/closings.ts'
import type { NewClosing, StoredInvoice } from '../db/stores/closings.ts'
import { insertLedgerEntry } from '../db/stores/ledger.ts'
import { insertOutbox } from '../db/stores/outbox.ts'
import type { SubscriptionChange } from '../db/stores/subscriptions.ts'
import type { TimelineEntry } from '../db/stores/timeline.ts'
import type { RatedUsage } from '../db/types.gen.ts'
import { currency } from '../domain/currency.ts'
import { DomainError } from '../domain/errors.ts'
import { displayMinor } from '../domain/money.ts'
import type { ClosingPlan } from './closing-plan.ts'
import { invoiceRow, lineRows } from './invoice-rows.ts'
import { beginInvoice } from './new-invoice.ts'
import type { InvoiceBeginning } from './new-invoice.ts'
import type { PlannedLine } from './planned-line.ts'
import { holdsToStore } from './slice-subjects.ts'
import { invoiceIdOf } from './stable-ids.ts'
import { retireRunning, overwriteRunning, runningToContinue } from './running-invoice.ts'

interface ExecuteOptions {
  readonly asOfMs: number
  readonly newId: () => string
  /** How far the subscription, which is locked, is with it; left out: that is written apart. */
  readonly moved?: SubscriptionChange
}

/**
 * Carries a closing plan out, in the transaction that planned it: the closing's primary key, the invoice with its lines,
 * what each usage slice has been billed by now, the carried balance. A running invoice becomes that invoice. Run twice,
 * the second finds the key (rule 29). Answers the invoice that was made; null where none was, or a running one became it.
 */
export async function executeClosing(
  db: Db,
  plan: ClosingPlan,
  options: ExecuteOptions,
): Promise<StoredInvoice | null> {
  if (plan.present.isClosed) return null
  const running = await runningToContinue(db, plan, options.asOfMs)
  if (plan.totals.disposition === 'nothing') {
    if (running) await retireRunning(db, running, { ...options, reason: 'the period had nothing to bill' })
    await insertOnce(db, { closing: closingRow(plan, { ...options, invoiceId: null }), moved: options.moved })
    return null
  }

  const beginning = beginInvoice(plan, options.asOfMs)
  const invoiceId = running?.id ?? (await invoiceIdOf(db, plan))
  const ids = { ...options, invoiceId }
  const written = { invoice: invoiceRow(plan, beginning, ids), lines: lineRows(plan, ids) }
  if (running) await overwriteRunning(db, running, { ...written, asOfMs: options.asOfMs })
  const stored = await insertOnce(db, {
    closing: closingRow(plan, ids),
    ...(running === null && written),
    slices: plan.lines.flatMap((line) => ratedUsageRow(plan, line)),
    told: tellClosing(plan, { ...ids, beginning }),
    moved: options.moved,
  })
  await bookCarried(db, plan, ids)
  if (beginning.waits) await insertOutbox(db, { kind: 'start_invoice', subjectId: invoiceId })
  return stored
}

async function insertOnce(db: Db, made: NewClosing): Promise<StoredInvoice | null> {
  const closed = await insertClosing(db, made)
  if (closed === null) throw new DomainError('conflict', 'another run closed the period')
  return closed.stored
}

function closingRow(
  plan: ClosingPlan,
  made: { readonly invoiceId: string | null; readonly asOfMs: number },
): NewClosing['closing'] {
  return {
    subscriptionId: plan.subscription.id,
    periodAt: new Date(plan.closing.atMs),
    reason: plan.reason,
    periodFrom: new Date(plan.closing.previousMs ?? plan.closing.atMs),
    invoiceId: made.invoiceId,
    usageCutoff: plan.cutoff,
    asOf: new Date(made.asOfMs),
  }
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
      subjectHolds: holdsToStore(line.slice.subjectHolds),
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
