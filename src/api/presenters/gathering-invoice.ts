import { invoiceRow, lineRows } from '../../billing/invoice-rows.ts'
import type { ClosingPlan } from '../../billing/closing-plan.ts'
import type { InvoiceLineRow, InvoiceRow } from '../../db/stores/invoices.ts'
import type { Invoice } from '../schemas/invoices.ts'
import { derivedId } from './derived-id.ts'
import { presentInvoice, viewOfLines } from './invoice.ts'

/** What the columns of an invoice that was not inserted would hold. */
const emptyInvoice = {
  number: null,
  statusReason: null,
  statusCode: null,
  taxMinor: '0',
  paidMinor: '0',
  approvedAt: null,
  issuedAt: null,
  sentAt: null,
  dueAt: null,
  voidedAt: null,
  uncollectibleAt: null,
  firstFailedAt: null,
  lastFailedAt: null,
  attempts: 0,
  lastPaymentId: null,
  needsNewPaymentMethod: false,
  nextLookAt: null,
  stripeInvoiceId: null,
  stripeHostedUrl: null,
  stripePdfUrl: null,
  syncGeneration: 1,
  version: 1,
  deletedAt: null,
  runs: 0,
  ratedAt: null,
  sentToStripeAt: null,
  taxOutcome: null,
}
const emptyLine = {
  phaseKey: null,
  rateCardKey: null,
  rateCard: null,
  featureKey: null,
  usageCutoff: null,
  meteredQuantity: null,
  quantity: null,
  discountMinor: '0',
  taxMinor: '0',
  taxConfig: null,
  stripeLineId: null,
}
const documents = [
  'customerSnapshot',
  'supplierSnapshot',
  'workflowSnapshot',
  'dunningSnapshot',
  'stripeSnapshot',
  'rateCard',
  'details',
  'taxConfig',
]

/** A row to insert as it would be read back: minor units and documents are text on the way in. */
function readBack(row: object): object {
  const entries = Object.entries(row).map(([key, value]) => {
    if (typeof value === 'bigint') return [key, value.toString()]
    return [key, documents.includes(key) && typeof value === 'string' ? JSON.parse(value) : value]
  })
  return Object.fromEntries(entries)
}

/**
 * The next invoice of a subscription with what is known now, as the contract's gathering invoice: the plan that the
 * closing executes, written to nothing. Its id is the subscription's.
 */
export function presentGatheringInvoice(
  plan: ClosingPlan,
  options: { readonly showLines: boolean; readonly nowMs: number },
): Invoice {
  const { id } = plan.subscription
  let made = 0
  const newId = (): string => derivedId(id, `upcoming/${plan.closing.atMs}/${(made += 1)}`)
  const at = new Date(options.nowMs)
  const ids = { invoiceId: id, newId, asOfMs: plan.closing.atMs }
  const beginning = {
    status: 'draft',
    substatus: '',
    draftUntilMs: null,
    nextDueMs: null,
    waits: false,
  } as const
  const stamps = { createdAt: plan.subscription.createdAt, updatedAt: at }
  // Not by a spread with members behind it: in Node 20 each such object has a hidden class of its own (performance.md).
  // Complete: every column that is not made from the plan is in the empty rows above.
  const row = Object.assign(
    {},
    emptyInvoice,
    readBack(invoiceRow(plan, beginning, ids)),
    stamps,
  ) as InvoiceRow
  const lines = lineRows(plan, ids).map(
    (line) => Object.assign({}, emptyLine, readBack(line), { createdAt: at }) as InvoiceLineRow,
  )
  const draft = presentInvoice(row, viewOfLines(lines, options.showLines))
  return Object.assign({}, draft, {
    number: `UPCOMING-${id.slice(-10)}`,
    status: 'gathering' as const,
    statusDetails: { immutable: false, failed: false, extendedStatus: 'gathering', availableActions: {} },
    issuedAt: new Date(plan.closing.atMs).toISOString(),
  })
}
