import { storedApp } from '../db/stores/billing-settings.ts'
import { getInvoiceLines } from '../db/stores/invoices.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import { DomainError, orNull } from '../domain/errors.ts'
import type { InvoiceToSync } from '../stripe/invoice-types.ts'
import type { StoredApp } from '../stripe/types.ts'
import type { CollectDeps } from './collect-deps.ts'
import { invoiceToSync } from './invoice-issue.ts'
import { invoiceSettings } from './invoice-settings.ts'
import { isTaxFailure } from './invoice-tax.ts'
import { invoiceRef, write } from './invoice-write.ts'
import { searchSince } from './search-since.ts'
import { pushItems, withdrawItems } from './stripe-items.ts'

/**
 * Sends what a running invoice has become to Stripe, in the form its profile asks for. Repeatable: a second run finds what
 * the first left. Errors: customer_not_linked, stripe_totals_differ, stripe_draft_finalized; StripeFailure.
 */
export async function pushBill(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  if (invoiceSettings(row).stripe.billing === 'subscription_items') return await pushItems(deps, row, asOfMs)
  return await pushDraft(deps, row, asOfMs)
}

/** Takes back what was sent of an invoice that Stripe will not collect: nothing of it is left there. */
export async function withdrawBill(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<void> {
  if (invoiceSettings(row).stripe.billing === 'subscription_items')
    return await withdrawItems(deps, row, asOfMs)
  await withdrawDraft(deps, row)
}

/** One Stripe draft that grows with the period. There is none before there is something to collect. */
async function pushDraft(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  const sent = {
    sentToStripeAt: new Date(asOfMs),
    statusReason: null,
    statusCode: null,
    nextDueAt: null,
  }
  if (BigInt(row.totalMinor) <= 0n && row.stripeInvoiceId === null) return await write(deps.db, row, sent)
  if (row.stripeCustomerId === null) {
    throw new DomainError(
      'customer_not_linked',
      'the customer has no Stripe customer; link one, then run the invoice again',
    )
  }
  const app = await storedApp(deps.db, row.appId)
  const lines = await getInvoiceLines(deps.db, row.id)
  const stripeInvoiceId = await syncDraft(deps, app, invoiceToSync(row, lines))
  deps.progress?.()
  return await write(deps.db, row, { ...sent, stripeInvoiceId })
}

/** Tax that cannot be computed yet holds no draft up: what becomes of it is decided when the invoice is issued. */
async function syncDraft(deps: CollectDeps, app: StoredApp, invoice: InvoiceToSync): Promise<string> {
  try {
    return (await deps.stripe.syncDraft(app, invoice)).stripeInvoiceId
  } catch (error) {
    if (invoice.automaticTax !== true || !isTaxFailure(error)) throw error
    return (await deps.stripe.syncDraft(app, { ...invoice, taxSkipped: true })).stripeInvoiceId
  }
}

/**
 * The draft may be there although its id was not noted: it is looked for by ours. One that a person finalized is voided;
 * one that was paid stays, and says so.
 */
async function withdrawDraft(deps: CollectDeps, row: InvoiceRow): Promise<void> {
  const { stripeCustomerId } = row
  if (stripeCustomerId === null) return
  const app = await storedApp(deps.db, row.appId)
  const query = { invoiceId: row.id, stripeCustomerId, createdMs: searchSince(row) }
  const stripeInvoiceId = row.stripeInvoiceId ?? (await deps.stripe.findInvoice(app, query))
  if (stripeInvoiceId === null) return
  const view = await orNull(deps.stripe.getInvoice(app, stripeInvoiceId), 'stripe_invoice_not_found')
  if (view?.status === 'draft') await deps.stripe.deleteDraft(app, stripeInvoiceId)
  if (view?.status === 'open') await deps.stripe.voidInvoice(app, { ...invoiceRef(row), stripeInvoiceId })
  if (view?.status === 'paid') {
    throw new DomainError(
      'stripe_draft_finalized',
      `its draft ${stripeInvoiceId} was finalized at Stripe and paid, though it is not to be collected: refund it there`,
    )
  }
}
