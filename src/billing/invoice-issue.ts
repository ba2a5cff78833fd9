import type { Db } from '../db/connection.ts'
import { bindInvoiceNumber, getInvoiceLines, setLineTaxes, updateInvoice } from '../db/stores/invoices.ts'
import type { InvoiceLineRow, InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { addDuration, zoned } from '../domain/calendar.ts'
import { DomainError } from '../domain/errors.ts'
import type { InvoiceToSync, StripeInvoiceView } from '../stripe/types.ts'
import type { CollectDeps } from './collect-deps.ts'
import { invoiceSettings } from './invoice-settings.ts'
import { nextLookMs } from './invoice-look.ts'
import { storedApp } from '../db/stores/billing-settings.ts'

/**
 * Syncs the invoice to Stripe, compares, binds its number, finalizes and adopts Stripe's tax. Every step can be repeated:
 * the saga finds what an earlier run left (rules 17, 22, 31). Errors: customer_not_linked, stripe_totals_differ.
 */
export async function issueInvoice(
  deps: CollectDeps,
  start: InvoiceRow,
  asOfMs: number,
): Promise<InvoiceRow> {
  let row = start
  if (row.stripeCustomerId === null) {
    throw new DomainError(
      'customer_not_linked',
      'the customer has no Stripe customer; link one, then retry the invoice',
    )
  }
  const app = await storedApp(deps.db, row.appId)
  const lines = await getInvoiceLines(deps.db, row.id)
  const synced = await deps.stripe.syncInvoice(app, invoiceToSync(row, lines))
  deps.progress?.()
  if (row.stripeInvoiceId !== synced.stripeInvoiceId) {
    row = await write(deps.db, row, { stripeInvoiceId: synced.stripeInvoiceId })
  }
  const number = await bindNumber(deps, row)
  const view = await deps.stripe.finalizeInvoice(app, { ...invoiceRef(row), number })
  deps.progress?.()
  return await adopt(deps, row, { view, asOfMs, number })
}

function invoiceToSync(row: InvoiceRow, lines: readonly InvoiceLineRow[]): InvoiceToSync {
  const { workflow, onTestClock } = invoiceSettings(row)
  return {
    invoiceId: row.id,
    subscriptionId: row.subscriptionId,
    stripeCustomerId: row.stripeCustomerId ?? '',
    stripeInvoiceId: row.stripeInvoiceId,
    generation: row.syncGeneration,
    createdMs: onTestClock ? null : row.createdAt.getTime(),
    currency: row.currency,
    collectionMethod: workflow.payment.collectionMethod,
    ...(workflow.payment.collectionMethod === 'send_invoice' && { daysUntilDue: daysUntilDue(row) }),
    automaticTax: workflow.tax.enabled,
    lines: lines.map((line) => ({
      lineId: line.id,
      amountMinor: BigInt(line.amountMinor) - BigInt(line.discountMinor),
      description: `${line.name}: ${line.description}`,
      fromMs: line.serviceFrom.getTime(),
      toMs: line.serviceTo.getTime(),
    })),
  }
}

/** The due-after of the profile in whole days, as Stripe takes it. */
function daysUntilDue(row: InvoiceRow): number {
  const { workflow, timeZone } = invoiceSettings(row)
  const from = zoned(row.createdAt.getTime(), timeZone)
  const due = zoned(addDuration(row.createdAt.getTime(), workflow.invoicing.dueAfter, timeZone), timeZone)
  return Math.round(from.until(due, { largestUnit: 'day' }).total({ unit: 'day', relativeTo: from }))
}

async function bindNumber(deps: CollectDeps, row: InvoiceRow): Promise<string> {
  const key = invoiceSettings(row).supplierKey
  const prefix = key === 'default' ? 'INV' : `INV-${key.slice(-6).toUpperCase()}`
  return await deps.db
    .transaction()
    .execute(async (trx) => await bindInvoiceNumber(trx, row.id, { key, prefix }))
}

interface Finalized {
  readonly view: StripeInvoiceView
  readonly asOfMs: number
  readonly number: string
}

/** What Stripe decided when it finalized is taken over: tax, totals, pages, due date. */
async function adopt(
  deps: CollectDeps,
  row: InvoiceRow,
  { view, asOfMs, number }: Finalized,
): Promise<InvoiceRow> {
  const { workflow, timeZone } = invoiceSettings(row)
  const isSent = workflow.payment.collectionMethod === 'send_invoice'
  const taxes = Object.entries(view.lineTax).map(([lineId, taxMinor]) => ({ lineId, taxMinor }))
  return await deps.db.transaction().execute(async (trx) => {
    await setLineTaxes(
      trx,
      taxes.filter((tax) => tax.taxMinor !== 0n),
    )
    await appendTimeline(trx, [
      {
        subjectType: 'invoice',
        subjectId: row.id,
        at: new Date(asOfMs),
        kind: 'issued',
        detail: `Issued as ${number} (${view.stripeInvoiceId})`,
      },
    ])
    return await write(trx, row, {
      number,
      status: 'issued',
      substatus: null,
      statusReason: null,
      statusCode: null,
      issuedAt: new Date(asOfMs),
      taxMinor: view.taxMinor,
      totalMinor: view.totalMinor,
      stripeHostedUrl: view.hostedUrl,
      stripePdfUrl: view.pdfUrl,
      dueAt: isSent ? new Date(addDuration(asOfMs, workflow.invoicing.dueAfter, timeZone)) : null,
      nextLookAt: new Date(nextLookMs(asOfMs, asOfMs)),
      nextDueAt: new Date(asOfMs),
      sentAt: null,
    })
  })
}

/** Writes under the version that was read; another run that was faster wins, and this one starts over. */
export async function write(db: Db, row: InvoiceRow, patch: InvoicePatch): Promise<InvoiceRow> {
  const written = await updateInvoice(db, row, patch)
  if (!written) throw new DomainError('conflict', 'another run wrote the invoice')
  return written
}

export function invoiceRef(row: InvoiceRow): {
  invoiceId: string
  stripeInvoiceId: string
  generation: number
} {
  return { invoiceId: row.id, stripeInvoiceId: row.stripeInvoiceId ?? '', generation: row.syncGeneration }
}
