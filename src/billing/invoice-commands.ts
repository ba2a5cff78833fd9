import { storedApp } from '../db/stores/billing-settings.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import { assertNever, DomainError } from '../domain/errors.ts'
import { requireAction } from '../domain/invoice-state.ts'
import type { InvoiceAction, InvoiceStatus } from '../domain/invoice-state.ts'
import type { CollectDeps } from './collect-deps.ts'
import { afresh } from './invoice-recovery.ts'
import { invoiceSettings } from './invoice-settings.ts'
import { changeInvoice, invoiceRef } from './invoice-write.ts'
import { searchSince } from './search-since.ts'
import { withdrawItems } from './stripe-items.ts'

/** What can be asked of an invoice. */
export type InvoiceRequest =
  | { readonly kind: 'approve' | 'retry'; readonly requestId: string }
  | { readonly kind: 'void'; readonly requestId: string; readonly reason: string }

interface Asked<C extends InvoiceRequest = InvoiceRequest> {
  readonly asOfMs: number
  readonly command: C
}

/** Errors: action_not_available; StripeFailure when a call did not get through. */
export async function applyCommand(
  deps: CollectDeps,
  row: InvoiceRow,
  { asOfMs, command }: Asked,
): Promise<InvoiceRow> {
  requireAction(
    { status: row.status as InvoiceStatus, substatus: row.substatus },
    command.kind satisfies InvoiceAction,
  )
  switch (command.kind) {
    case 'approve':
      return await changeInvoice(deps.db, row, {
        asOfMs,
        command,
        detail: 'Approved',
        patch: { status: 'issuing', substatus: null, approvedAt: new Date(asOfMs) },
      })
    case 'retry':
      return await retry(deps, row, { asOfMs, command })
    case 'void':
      return await voidInvoice(deps, row, { asOfMs, command })
    default:
      return assertNever(command)
  }
}

/** Goes on where it stopped: issues again, or pays now instead of at the next retry. */
async function retry(deps: CollectDeps, row: InvoiceRow, { asOfMs, command }: Asked): Promise<InvoiceRow> {
  // What is due now is the payment.
  const due = { nextDueAt: new Date(asOfMs), nextLookAt: null }
  const cleared = { statusReason: null, statusCode: null, ...due }
  if (row.status !== 'issuing')
    return await changeInvoice(deps.db, row, {
      asOfMs,
      command,
      detail: 'Payment retried by hand',
      patch: { ...cleared, needsNewPaymentMethod: false },
    })
  return await changeInvoice(deps.db, row, {
    asOfMs,
    command,
    detail: 'Issuing retried by hand',
    patch: { ...cleared, substatus: null, ...(await afresh(deps, row)) },
  })
}

async function voidInvoice(
  deps: CollectDeps,
  row: InvoiceRow,
  { asOfMs, command }: Asked<Extract<InvoiceRequest, { kind: 'void' }>>,
): Promise<InvoiceRow> {
  // What Stripe has invoiced of it already is credited, there or on our next bill.
  const isOnItems = invoiceSettings(row).stripe.billing === 'subscription_items'
  if (isOnItems) await withdrawItems(deps, row, asOfMs)
  const stripeInvoiceId = row.stripeInvoiceId ?? (isOnItems ? null : await leftByIssuing(deps, row))
  if (stripeInvoiceId !== null) {
    const app = await storedApp(deps.db, row.appId)
    const view = await deps.stripe.getInvoice(app, stripeInvoiceId)
    // Stripe may know more than we were told: what was paid meanwhile is not voided, and the next look books it.
    if (view.status === 'paid' || view.payment.kind === 'processing') {
      const state = view.status === 'paid' ? 'paid' : 'being paid'
      throw new DomainError('action_not_available', `it cannot be voided: at Stripe it is ${state}`)
    }
    if (view.status === 'draft') await deps.stripe.deleteDraft(app, stripeInvoiceId)
    else await deps.stripe.voidInvoice(app, { ...invoiceRef(row), stripeInvoiceId })
  }
  const patch = {
    status: 'voided',
    substatus: null,
    statusReason: command.reason,
    statusCode: null,
    voidedAt: new Date(asOfMs),
    nextDueAt: null,
    nextLookAt: null,
  }
  return await changeInvoice(deps.db, row, { asOfMs, command, detail: `Voided: ${command.reason}`, patch })
}

/** Issuing that failed before it noted its draft may have left one: it is looked for by our id. */
async function leftByIssuing(deps: CollectDeps, row: InvoiceRow): Promise<string | null> {
  const { status, statusCode, stripeCustomerId, id: invoiceId } = row
  if (status !== 'issuing' || stripeCustomerId === null || statusCode === 'stripe_customer_deleted')
    return null
  const app = await storedApp(deps.db, row.appId)
  // Uninstalled: nobody can ask any more.
  if (app.apiKeyEncrypted === null) return null
  return await deps.stripe.findInvoice(app, { invoiceId, stripeCustomerId, createdMs: searchSince(row) })
}
