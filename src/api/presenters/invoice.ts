import type { AdjustmentRow } from '../../db/stores/adjustments.ts'
import type { AppRow } from '../../db/stores/apps.ts'
import type { InvoiceLineRow, InvoiceRow } from '../../db/stores/invoices.ts'
import { currency } from '../../domain/currency.ts'
import type { Currency } from '../../domain/currency.ts'
import { isCollecting } from '../../domain/invoice-state.ts'
import { formatMinor } from '../../domain/money.ts'
import type { WorkflowDocument } from '../schemas/documents.ts'
import type { InvoiceCustomer, InvoiceParty } from '../schemas/invoice-parties.ts'
import type { Invoice, InvoiceTotals, ValidationIssue } from '../schemas/invoices.ts'
import { presentApp } from './app.ts'
import { derivedId } from './derived-id.ts'
import { presentAdjustments } from './invoice-adjustments.ts'
import { chargesOf, presentTotals } from './invoice-amounts.ts'
import type { StoredDetail } from './invoice-amounts.ts'
import { presentInvoiceLine } from './invoice-line.ts'
import { presentStatus, stateOf } from './invoice-status.ts'
import { instant, withoutNulls } from './without-nulls.ts'

/** What an answer says of an invoice's lines: their sums always, themselves where they are asked for. */
export interface InvoiceLinesView {
  readonly count: number
  /** What commitments added to them. */
  readonly chargesMinor: bigint
  readonly shown: readonly InvoiceLineRow[] | null
}

/** Of lines that were read. */
export function viewOfLines(lines: readonly InvoiceLineRow[], showLines: boolean): InvoiceLinesView {
  const charges = lines.map((line) => chargesOf(line.details as unknown as readonly StoredDetail[]))
  return {
    count: lines.length,
    chargesMinor: charges.reduce((sum, minor) => sum + minor, 0n),
    shown: showLines ? lines : null,
  }
}

export interface InvoiceOptions {
  /** Its app, where the answer shows more of it than the id. */
  readonly app?: AppRow | undefined
  /** What happened to its money at Stripe. */
  readonly adjustments?: readonly AdjustmentRow[] | undefined
  /** What Stripe calls the invoices of its own that bill it. */
  readonly stripeNumbers?: readonly string[] | undefined
}

/** An invoice as the contract has it, with what we add. */
export function presentInvoice(
  row: InvoiceRow,
  lines: InvoiceLinesView,
  options: InvoiceOptions = {},
): Invoice {
  const c = currency(row.currency)
  const number = row.number ?? options.stripeNumbers?.[0] ?? row.draftNumber
  const context = {
    invoiceId: row.id,
    number,
    subscriptionId: row.subscriptionId,
    currency: c,
    updatedAt: row.updatedAt,
  }
  return {
    id: row.id,
    type: 'standard',
    ...stamps(row),
    supplier: presentSupplier(row),
    customer: presentCustomer(row),
    number,
    currency: row.currency,
    totals: totalsOf(row, lines.chargesMinor, c),
    ...presentStatus(row),
    ...instants(row),
    ...(lines.count > 0 && {
      period: { from: row.periodFrom.toISOString(), to: row.periodTo.toISOString() },
    }),
    workflow: presentWorkflow(row, options.app),
    ...(lines.shown && { lines: lines.shown.map((line) => presentInvoiceLine(line, context)) }),
    payment: { terms: paymentTerms(row, c) },
    ...validationIssues(row),
    ...(row.stripeInvoiceId !== null && { externalIds: { invoicing: row.stripeInvoiceId } }),
    ...(options.stripeNumbers !== undefined && { stripeInvoiceNumbers: [...options.stripeNumbers] }),
    ...additions(row, c),
    ...presentAdjustments(row, options.adjustments ?? [], c),
  }
}

const stamps = (row: InvoiceRow) => ({
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
  ...(row.deletedAt && { deletedAt: row.deletedAt.toISOString() }),
})

function instants(row: InvoiceRow) {
  return withoutNulls({
    // Of a draft: when it will be issued, where that is known.
    issuedAt: instant(row.issuedAt ?? (row.status === 'draft' ? row.draftUntil : null)),
    draftUntil: instant(row.draftUntil),
    quantitySnapshotedAt: instant(row.quantitySnapshottedAt),
    collectionAt: instant(row.collectionAt),
    dueAt: instant(row.dueAt),
    voidedAt: instant(row.voidedAt),
    sentToCustomerAt: instant(row.sentAt),
  })
}

function totalsOf(row: InvoiceRow, chargesMinor: bigint, c: Currency): InvoiceTotals {
  const [amountMinor, discountMinor, taxMinor] = [
    BigInt(row.subtotalMinor),
    BigInt(row.discountMinor),
    BigInt(row.taxMinor),
  ]
  return presentTotals(
    {
      amountMinor,
      discountMinor,
      taxMinor,
      chargesMinor,
      // What the total did not grow by, the prices hold already.
      includedTaxMinor: taxMinor - (BigInt(row.totalMinor) - (amountMinor - discountMinor)),
    },
    c,
  )
}

/** A snapshot of a party: what it lacks is left out, and what it has besides the contract's fields is not shown. */
function party(snapshot: PartySnapshot): InvoiceParty {
  const address = snapshot.billingAddress
  const addresses = snapshot.addresses ?? (address ? [address] : null)
  return withoutNulls({
    id: snapshot.id ?? null,
    key: snapshot.key ?? null,
    name: snapshot.name ?? null,
    taxId: snapshot.taxId ?? null,
    addresses: addresses?.map((one) => withoutNulls(one)) ?? null,
  })
}

type Address = NonNullable<InvoiceParty['addresses']>[number]

interface PartySnapshot {
  readonly id?: string | null
  readonly key?: string | null
  readonly name?: string | null
  readonly taxId?: { code?: string } | null
  readonly addresses?: readonly Address[] | null
  readonly billingAddress?: Address | null
  readonly usageAttribution?: { readonly subjectKeys?: readonly string[] } | null
}

// Snapshots were checked when they were written (billing rule 23).
function presentSupplier(row: InvoiceRow): InvoiceParty {
  return party(row.supplierSnapshot as unknown as PartySnapshot)
}

function presentCustomer(row: InvoiceRow): InvoiceCustomer {
  const snapshot = row.customerSnapshot as unknown as PartySnapshot
  const subjectKeys = [...(snapshot.usageAttribution?.subjectKeys ?? [])]
  return { ...party(snapshot), id: snapshot.id ?? row.customerId, usageAttribution: { subjectKeys } }
}

function presentWorkflow(row: InvoiceRow, app: AppRow | undefined): Invoice['workflow'] {
  return {
    apps: presentApps(row.appId, app),
    sourceBillingProfileId: row.billingProfileId,
    workflow: workflowOf(row),
  }
}

/** One app computes the tax, issues and collects. */
function presentApps(id: string, app: AppRow | undefined): Invoice['workflow']['apps'] {
  if (app === undefined) return { tax: { id }, invoicing: { id }, payment: { id } }
  const whole = presentApp(app)
  return { tax: whole, invoicing: whole, payment: whole }
}

function workflowOf(row: InvoiceRow): WorkflowDocument {
  const { collection, invoicing, payment, tax } = row.workflowSnapshot as unknown as WorkflowDocument
  return withoutNulls({ collection, invoicing, payment, tax })
}

/** Charged by itself, or due by a date: known once it is issued. */
function paymentTerms(row: InvoiceRow, c: Currency): Invoice['payment']['terms'] {
  if (workflowOf(row).payment?.collectionMethod !== 'send_invoice' || row.dueAt === null)
    return { type: 'instant' }
  const amount = formatMinor(BigInt(row.totalMinor), c)
  return {
    type: 'due_date',
    dueAt: [{ dueAt: row.dueAt.toISOString(), amount, percent: 100, currency: row.currency }],
  }
}

/** Why it is stuck, until the step succeeds. */
function validationIssues(row: InvoiceRow): { validationIssues?: ValidationIssue[] } {
  if (row.statusReason === null && row.statusCode === null) return {}
  const at = row.updatedAt.toISOString()
  return {
    validationIssues: [
      {
        id: derivedId(row.id, `issue/${row.statusCode ?? ''}`),
        createdAt: at,
        updatedAt: at,
        severity: 'critical',
        ...(row.statusCode !== null && { code: row.statusCode }),
        component:
          row.status === 'draft' || row.status === 'issuing' ? 'perennial.invoicing' : 'perennial.payment',
        message: row.statusReason ?? row.statusCode ?? '',
      },
    ],
  }
}

/** What the contract has no field for. */
function additions(row: InvoiceRow, c: Currency) {
  return withoutNulls({
    subscriptionId: row.subscriptionId,
    amountPaid: formatMinor(BigInt(row.paidMinor), c),
    amountCarried: formatMinor(BigInt(row.carriedMinor), c),
    paidAt: instant(row.paidAt),
    uncollectibleAt: instant(row.uncollectibleAt),
    paymentAttempts: row.attempts,
    taxOutcome: row.taxOutcome as Invoice['taxOutcome'] | null,
    needsNewPaymentMethod: row.needsNewPaymentMethod,
    nextActionAt: instant(row.nextDueAt),
    approvedAt: instant(row.approvedAt),
    runs: row.runs === 0 ? null : row.runs,
    ratedAt: instant(row.ratedAt),
    sentToStripeAt: instant(row.sentToStripeAt),
    hostedInvoiceUrl: row.stripeHostedUrl,
    paymentUrl: isCollecting(stateOf(row).status) ? row.stripeHostedUrl : null,
    invoicePdfUrl: row.stripePdfUrl,
    temporalWorkflowId: row.hasWorkflow ? `invoice/${row.id}` : `subscription/${row.subscriptionId}`,
  })
}
