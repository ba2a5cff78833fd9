import { bindInvoiceNumber, passInvoiceNumber } from '../db/stores/invoice-numbers.ts'
import type { LinkedApp } from '../db/stores/billing-settings.ts'
import type { LineToSend, ToSend } from '../db/stores/invoice-to-send.ts'
import { setLineTaxes } from '../db/stores/invoices.ts'
import type { InvoicePatch, InvoiceRow, LinkedInvoice } from '../db/stores/invoices.ts'
import { addDuration, zoned } from '../domain/calendar.ts'
import { DomainError } from '../domain/errors.ts'
import { processorLines } from '../stripe/invoice-lines.ts'
import type { ProcessorLine } from '../stripe/invoice-lines.ts'
import type { InvoiceToSync, StripeInvoiceView } from '../stripe/invoice-types.ts'
import type { StoredApp } from '../stripe/types.ts'
import type { CollectDeps } from './collect-deps.ts'
import { invoiceSettings } from './invoice-settings.ts'
import { nextLookMs } from './invoice-look.ts'
import { isTaxFailure, withoutTax } from './invoice-tax.ts'
import { invoiceRef, write, writeAndLink } from './invoice-write.ts'
import { spreadTax, taxTreatment } from './line-tax.ts'
import { netMinor } from './net-minor.ts'
import { numberSequenceOf } from './number-sequence.ts'
import { searchSince } from './search-since.ts'
import { namingWhatIsGone, requireSendable } from './stripe-customer.ts'
import { issueItems } from './stripe-items.ts'

/** An invoice that was issued, with what Stripe answered; null where Stripe bills it in its own invoices. */
export type Issued = IssuedAtStripe | { readonly row: InvoiceRow; readonly view: null }

interface IssuedAtStripe {
  readonly row: InvoiceRow
  readonly view: StripeInvoiceView
  /** Who its customer is at the app, found with that it is issued: what is charged next. */
  readonly linked: LinkedApp
}

interface IssueOptions {
  readonly asOfMs: number
  /** What it is sent with, where it was made just now. */
  readonly toSend: ToSend | undefined
  /** Whether Stripe may have it already; left out: it may. */
  readonly mayExist: boolean | undefined
}

/**
 * Syncs the invoice to Stripe, compares, binds its number, finalizes and adopts Stripe's tax. Every step can be repeated:
 * the saga finds what an earlier run left (rules 17, 22, 31). Where tax cannot be computed and the profile does not
 * enforce it, it is issued without. Errors: customer_not_linked, stripe_customer_deleted, stripe_invoice_deleted,
 * stripe_totals_differ.
 */
export async function issueInvoice(
  deps: CollectDeps,
  row: InvoiceRow,
  { asOfMs, toSend, mayExist }: IssueOptions,
): Promise<Issued> {
  const { stripe, workflow } = invoiceSettings(row)
  if (stripe.billing === 'subscription_items') return { row: await issueItems(deps, row, asOfMs), view: null }
  const { app, lines } = await requireSendable(deps, row, toSend)
  try {
    return await issueAtStripe(deps, row, { app, lines, asOfMs, mayExist })
  } catch (error) {
    if (!workflow.tax.enabled || !isTaxFailure(error)) throw await namingWhatIsGone(deps, row, error)
    const untaxed = await withoutTax(deps, row, { asOfMs, error })
    return await issueAtStripe(deps, untaxed, { app, lines, asOfMs })
  }
}

interface Issuing {
  readonly app: StoredApp
  readonly lines: readonly LineToSend[]
  readonly asOfMs: number
  readonly mayExist?: boolean | undefined
}

async function issueAtStripe(
  deps: CollectDeps,
  start: InvoiceRow,
  { app, lines, asOfMs, mayExist }: Issuing,
): Promise<IssuedAtStripe> {
  const ours = { ...invoiceToSync(start, lines), ...(mayExist !== undefined && { mayExist }) }
  const { stripeInvoiceId, isFinal } = await deps.stripe.syncInvoice(app, ours)
  deps.progress?.()
  const theirs = isFinal ? await deps.stripe.getInvoice(app, stripeInvoiceId) : null
  const { row, number } = await numbered(deps, start, {
    stripeInvoiceId,
    theirNumber: theirs?.number ?? null,
  })
  const view = theirs ?? (await deps.stripe.finalizeInvoice(app, { ...invoiceRef(row), number }))
  deps.progress?.()
  if (theirs === null) requireSameSubtotal(view, ours)
  const adopted = await adopt(deps, row, { view, asOfMs, number, lines: processorLines(ours) })
  return { row: adopted.row, view, linked: { app, link: adopted.link } }
}

/** Somebody may change the draft between the comparison and its end: nothing of it is collected (rule 17). */
function requireSameSubtotal(view: StripeInvoiceView, { lines }: InvoiceToSync): void {
  const subtotalMinor = lines.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
  if (view.status === 'void' || view.subtotalMinor === subtotalMinor) return
  throw new DomainError(
    'stripe_totals_differ',
    `ours: ${subtotalMinor}; at Stripe: ${view.subtotalMinor} in minor units: it was changed while it was finalized`,
    { details: { stripeInvoiceId: view.stripeInvoiceId } },
  )
}

/** An invoice with its lines as Stripe is sent it. */
export function invoiceToSync(row: InvoiceRow, lines: readonly LineToSend[]): InvoiceToSync {
  const { workflow, stripe } = invoiceSettings(row)
  return {
    invoiceId: row.id,
    subscriptionId: row.subscriptionId,
    stripeCustomerId: row.stripeCustomerId ?? '',
    stripeInvoiceId: row.stripeInvoiceId,
    generation: row.syncGeneration,
    run: row.runs,
    isGrowing: row.runs > 0 && row.number === null,
    createdMs: searchSince(row),
    currency: row.currency,
    collectionMethod: workflow.payment.collectionMethod,
    ...(workflow.payment.collectionMethod === 'send_invoice' && { daysUntilDue: daysUntilDue(row) }),
    automaticTax: workflow.tax.enabled,
    taxSkipped: row.taxOutcome === 'skipped',
    paymentMethodTypes: stripe.paymentMethodTypes,
    lines: lines.map((line) => ({
      lineId: line.id,
      amountMinor: netMinor(line),
      description: `${line.name}: ${line.description}`,
      fromMs: line.serviceFrom.getTime(),
      toMs: line.serviceTo.getTime(),
      ...taxTreatment(line),
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

interface AtStripe {
  readonly stripeInvoiceId: string
  /** Null: it is still to be finalized. */
  readonly theirNumber: string | null
}

/** The invoice at Stripe is noted on ours, with the number that it has, or is finalized under next (rule 22). */
async function numbered(
  deps: CollectDeps,
  row: InvoiceRow,
  { stripeInvoiceId, theirNumber }: AtStripe,
): Promise<{ readonly row: InvoiceRow; readonly number: string }> {
  const isNoted = row.stripeInvoiceId === stripeInvoiceId
  // Finalized by a person, it has the number that Stripe gave it.
  if (theirNumber !== null) {
    if (row.number === null) await passInvoiceNumber(deps.db, theirNumber)
    return { row: isNoted ? row : await write(deps.db, row, { stripeInvoiceId }), number: theirNumber }
  }
  if (isNoted && row.number !== null) return { row, number: row.number }
  const supplier = numberSequenceOf(invoiceSettings(row).supplierKey)
  const bound = await bindInvoiceNumber(deps.db, row, { stripeInvoiceId, supplier })
  if (bound === undefined) throw new DomainError('conflict', 'another run wrote the invoice')
  return { row: bound, number: bound.number }
}

interface Finalized {
  readonly view: StripeInvoiceView
  readonly asOfMs: number
  readonly number: string
  /** As Stripe was sent them. */
  readonly lines: readonly ProcessorLine[]
}

/** What Stripe decided when it finalized is taken over: tax, totals, pages, due date. */
async function adopt(
  deps: CollectDeps,
  row: InvoiceRow,
  { view, asOfMs, number, lines }: Finalized,
): Promise<LinkedInvoice> {
  const { workflow, timeZone } = invoiceSettings(row)
  const isSent = workflow.payment.collectionMethod === 'send_invoice'
  const taxes = lines.flatMap(({ lineId, parts }) => {
    const tax = view.lineTax[lineId]
    return tax === undefined ? [] : spreadTax(tax, parts)
  })
  const taxed = taxes.filter((tax) => tax.taxMinor !== 0n)
  const rounded = view.isRounded ? `; Stripe's tax was rounded to whole ${row.currency}` : ''
  const at = new Date(asOfMs)
  const patch = {
    number,
    status: 'issued',
    substatus: null,
    statusReason: null,
    statusCode: null,
    issuedAt: at,
    taxMinor: view.taxMinor,
    taxOutcome: !workflow.tax.enabled ? null : view.isTaxed ? 'computed' : 'skipped',
    totalMinor: view.totalMinor,
    stripeHostedUrl: view.hostedUrl,
    stripePdfUrl: view.pdfUrl,
    dueAt: isSent ? new Date(addDuration(asOfMs, workflow.invoicing.dueAfter, timeZone)) : null,
    nextLookAt: new Date(nextLookMs(asOfMs, asOfMs)),
    nextDueAt: at,
    sentAt: null,
  } satisfies InvoicePatch
  const told = { at, kind: 'issued', detail: `Issued as ${number} (${view.stripeInvoiceId})${rounded}` }
  if (taxed.length === 0) return await writeAndLink(deps.db, row, { patch, told })
  return await deps.db.transaction().execute(async (trx) => {
    await setLineTaxes(trx, taxed)
    return await writeAndLink(trx, row, { patch, told })
  })
}
