import type { Insertable } from 'kysely'
import type { InvoiceLines, Invoices } from '../db/types.gen.ts'
import type { ClosingPlan } from './closing-plan.ts'
import { taxConfigOf } from './line-tax.ts'
import type { InvoiceBeginning } from './new-invoice.ts'
import type { PlannedLine } from './planned-line.ts'
import { lineIdOf } from './stable-ids.ts'

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

interface IdOptions {
  readonly asOfMs: number
  readonly invoiceId: string
}

/** A planned invoice as its row. */
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

/** The lines of a planned invoice as rows, the balances that came and go among them. */
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
    id: lineIdOf(options.invoiceId, { kind: line.kind, lineKey: item.lineKey }),
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
      taxConfigOf(item.rateCard.taxConfig, plan.settings.workflow.invoicing.defaultTaxConfig),
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
  const key = { kind: 'carried_balance', lineKey: `balance/${balance.name}` }
  return {
    id: lineIdOf(options.invoiceId, key),
    invoiceId: options.invoiceId,
    position: options.position,
    ...key,
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
    taxConfig: JSON.stringify(taxConfigOf(null, plan.settings.workflow.invoicing.defaultTaxConfig)),
  }
}
