import type { Insertable } from 'kysely'
import type { Db } from '../db/connection.ts'
import { insertClosing, setClosingInvoice, upsertRatedUsage } from '../db/stores/closings.ts'
import { insertInvoice } from '../db/stores/invoices.ts'
import { insertLedgerEntry } from '../db/stores/ledger.ts'
import { insertOutbox } from '../db/stores/outbox.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import type { InvoiceLines, Invoices, RatedUsage } from '../db/types.gen.ts'
import { currency } from '../domain/currency.ts'
import { displayMinor } from '../domain/money.ts'
import type { ClosingPlan } from './closing-plan.ts'
import type { PlannedLine } from './planned-line.ts'
import { beginInvoice } from './new-invoice.ts'
import type { InvoiceBeginning } from './new-invoice.ts'

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
 * what each usage slice has been billed by now, the carried balance. Run twice, the second finds the key (rule 29).
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
  if (!inserted || plan.totals.disposition === 'nothing') return { invoiceId: null }

  const beginning = beginInvoice(plan, options.asOfMs)
  const invoiceId = options.newId()
  await insertInvoice(
    db,
    invoiceRow(plan, beginning, { ...options, invoiceId }),
    lineRows(plan, { ...options, invoiceId }),
  )
  await setClosingInvoice(db, key, invoiceId)
  await upsertRatedUsage(
    db,
    plan.lines.flatMap((line) => ratedUsageRow(plan, line)),
  )
  await bookCarried(db, plan, { invoiceId, newId: options.newId })
  if (beginning.waits) await insertOutbox(db, { kind: 'start_invoice', subjectId: invoiceId })
  await recordClosing(db, plan, { invoiceId, asOfMs: options.asOfMs, beginning })
  return { invoiceId }
}

/** The interval an invoice is for: what its lines cover. */
function invoicePeriod(plan: ClosingPlan): { from: Date; to: Date } {
  const services = plan.lines.map((line) => line.item.service)
  const from = Math.min(
    ...services.map((service) => service.from),
    plan.closing.previousMs ?? plan.closing.atMs,
  )
  const to = Math.max(...services.map((service) => service.to), plan.closing.atMs)
  return { from: new Date(from), to: new Date(to) }
}

type IdOptions = ExecuteOptions & { readonly invoiceId: string }

export function invoiceRow(
  plan: ClosingPlan,
  beginning: InvoiceBeginning,
  options: IdOptions,
): Insertable<Invoices> {
  const { settings, subscription, totals } = plan
  const asOf = new Date(options.asOfMs)
  const period = invoicePeriod(plan)
  const { customer } = settings
  const carriedOut = totals.disposition === 'carried' ? totals.carriedOutMinor : 0n
  return {
    id: options.invoiceId,
    customerId: customer.id,
    subscriptionId: subscription.id,
    appId: settings.app.id,
    billingProfileId: settings.profileId,
    currency: subscription.currency,
    draftNumber: `DRAFT-${options.invoiceId.slice(-10)}`,
    status: beginning.status,
    substatus: beginning.substatus,
    periodFrom: period.from,
    periodTo: period.to,
    closingAt: new Date(plan.closing.atMs),
    subtotalMinor: totals.subtotalMinor - carriedOut,
    discountMinor: totals.discountMinor,
    totalMinor: totals.totalMinor - carriedOut,
    carriedMinor: carriedOut,
    customerSnapshot: JSON.stringify({
      id: customer.id,
      key: customer.key,
      name: customer.name,
      primaryEmail: customer.primaryEmail,
      currency: customer.currency,
      timezone: customer.timezone,
      billingAddress: customer.billingAddress,
      usageAttribution: { subjectKeys: settings.subjectKeys },
      onTestClock: customer.testClockId !== null,
    }),
    supplierSnapshot: JSON.stringify(settings.supplier),
    workflowSnapshot: JSON.stringify(settings.workflow),
    dunningSnapshot: JSON.stringify(settings.dunning),
    stripeSnapshot: JSON.stringify(settings.stripe),
    nextDueAt: beginning.nextDueMs === null ? null : new Date(beginning.nextDueMs),
    hasWorkflow: beginning.waits,
    draftUntil: beginning.draftUntilMs === null ? null : new Date(beginning.draftUntilMs),
    collectionAt: asOf,
    quantitySnapshottedAt: plan.lines.some((line) => line.kind !== 'flat') ? asOf : null,
    paidAt: beginning.status === 'paid' ? asOf : null,
    stripeCustomerId: settings.link?.stripeCustomerId ?? null,
    createdAt: asOf,
  }
}

export function lineRows(plan: ClosingPlan, options: IdOptions): readonly Insertable<InvoiceLines>[] {
  const planned = plan.lines.map((line, position) => plannedLineRow(plan, line, { ...options, position }))
  const balances = balanceLines(plan).map((balance, index) =>
    balanceLineRow(plan, balance, { ...options, position: planned.length + index }),
  )
  return [...planned, ...balances]
}

type LineOptions = IdOptions & { readonly position: number }

function plannedLineRow(
  plan: ClosingPlan,
  line: PlannedLine,
  options: LineOptions,
): Insertable<InvoiceLines> {
  const { item, rated } = line
  return {
    id: options.newId(),
    invoiceId: options.invoiceId,
    position: options.position,
    lineKey: item.lineKey,
    kind: line.kind,
    name: item.rateCard.name,
    description: rated.description,
    phaseKey: item.phaseKey,
    rateCardKey: item.rateCard.key,
    rateCard: JSON.stringify(item.rateCard),
    featureKey: item.featureKey,
    ...servicePeriods(item),
    invoiceAt: new Date(item.invoiceAtMs),
    usageCutoff: line.kind === 'flat' ? null : plan.cutoff,
    meteredQuantity: rated.meteredQuantity,
    quantity: rated.quantity,
    amountMinor: rated.amountMinor,
    discountMinor: rated.discountMinor,
    totalMinor: rated.totalMinor,
    // JSON has no bigint: minor units are written as text.
    details: JSON.stringify(rated.details, (_key, value: unknown) =>
      typeof value === 'bigint' ? value.toString() : value,
    ),
    taxConfig: JSON.stringify(
      item.rateCard.taxConfig ?? plan.settings.workflow.invoicing.defaultTaxConfig ?? null,
    ),
  }
}

function servicePeriods(item: PlannedLine['item']) {
  return {
    serviceFrom: new Date(item.service.from),
    serviceTo: new Date(item.service.to),
    fullServiceFrom: new Date(item.fullService.from),
    fullServiceTo: new Date(item.fullService.to),
    billingFrom: new Date(item.billing.from),
    billingTo: new Date(item.billing.to),
  }
}

/**
 * The balance that came over and the balance that goes on are lines, so that an invoice is always the sum of its lines
 * and nothing is counted on two of them (rule 21).
 */
function balanceLines(plan: ClosingPlan): readonly BalanceLine[] {
  const { carriedLine, carriedOutMinor, disposition, isRemainder } = plan.totals
  const lines: BalanceLine[] = []
  if (carriedLine !== null) {
    lines.push({
      name: 'Carried balance',
      description: 'Balance carried from earlier invoices',
      amountMinor: carriedLine.totalMinor,
    })
  }
  if (disposition === 'carried') {
    const description = isRemainder
      ? 'Remainder after the last invoice, not collected'
      : 'Carried to the next invoice'
    lines.push({ name: 'Carried forward', description, amountMinor: -carriedOutMinor })
  }
  return lines
}

interface BalanceLine {
  readonly name: string
  readonly description: string
  readonly amountMinor: bigint
}

function balanceLineRow(
  plan: ClosingPlan,
  balance: BalanceLine,
  options: LineOptions,
): Insertable<InvoiceLines> {
  const at = new Date(plan.closing.atMs)
  return {
    id: options.newId(),
    invoiceId: options.invoiceId,
    position: options.position,
    lineKey: `balance/${balance.name}`,
    kind: 'carried_balance',
    name: balance.name,
    description: balance.description,
    serviceFrom: at,
    serviceTo: at,
    fullServiceFrom: at,
    fullServiceTo: at,
    billingFrom: at,
    billingTo: at,
    invoiceAt: at,
    amountMinor: balance.amountMinor,
    totalMinor: balance.amountMinor,
    details: JSON.stringify([]),
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

async function recordClosing(
  db: Db,
  plan: ClosingPlan,
  made: { readonly invoiceId: string; readonly asOfMs: number; readonly beginning: InvoiceBeginning },
): Promise<void> {
  const at = new Date(made.asOfMs)
  const total = displayMinor(plan.totals.totalMinor, currency(plan.subscription.currency))
  const closed = new Date(plan.closing.atMs).toISOString()
  await appendTimeline(db, [
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
  ])
}
