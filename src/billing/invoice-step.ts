import { getInvoiceRow, recordInvoiceCommand, wasInvoiceCommandAccepted } from '../db/stores/invoices.ts'
import type { InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import { insertLedgerEntryOnce } from '../db/stores/ledger.ts'
import { insertOutbox } from '../db/stores/outbox.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { assertNever, DomainError } from '../domain/errors.ts'
import { isCollecting, requireAction } from '../domain/invoice-state.ts'
import type { InvoiceAction, InvoiceStatus } from '../domain/invoice-state.ts'
import type { StripeInvoiceView } from '../stripe/types.ts'
import type { CollectDeps } from './collect-deps.ts'
import { invoiceRef, issueInvoice, write } from './invoice-issue.ts'
import { invoiceSettings } from './invoice-settings.ts'
import { afresh, goesOnByItself, goOn } from './invoice-recovery.ts'
import { settle } from './invoice-settle.ts'
import type { Look } from './invoice-settle.ts'
import { openAccess } from './open-access.ts'
import { settleItems, withdrawItems } from './stripe-items.ts'
import { finishWithdrawal, isBeingWithdrawn } from './withdraw-bill.ts'
import { ACCRUING } from '../db/stores/running-invoices.ts'
import { namingWhatIsGone } from './stripe-customer.ts'
import { appAndLink, storedApp } from '../db/stores/billing-settings.ts'

/** What can be asked of an invoice. */
export type InvoiceRequest =
  | { readonly kind: 'approve' | 'retry'; readonly requestId: string }
  | { readonly kind: 'void'; readonly requestId: string; readonly reason: string }

export interface InvoiceStepOptions {
  readonly invoiceId: string
  readonly asOfMs: number
  readonly command?: InvoiceRequest
  /** Something happened at Stripe: fetch and act on what it is now. */
  readonly look: boolean
}

/**
 * Takes an invoice as far as it can go now. Every effect depends on the row's and on Stripe's present state, so a second
 * run finds what the first did. Errors: not_found, action_not_available; StripeFailure when a call did not get through.
 */
export async function stepInvoice(deps: CollectDeps, options: InvoiceStepOptions): Promise<InvoiceRow> {
  const start = await getInvoiceRow(deps.db, options.invoiceId)
  if (!start) throw new DomainError('not_found', `invoice ${options.invoiceId} does not exist`)
  const accepted = await alreadyAccepted(deps, options)
  let row = accepted ? start : await applyCommand(deps, start, options)
  if (isBeingWithdrawn(row)) return await finishWithdrawal(deps, row, options.asOfMs)
  // Its period is open: its subscription runs it.
  if (row.substatus === ACCRUING) return row
  if (row.status === 'draft') row = await leaveDraft(deps, row, options.asOfMs)
  if (goesOnByItself(row, options)) row = await goOn(deps, row)
  if (row.status === 'issuing' && row.substatus !== 'failed') {
    const issued = await issueInvoice(deps, row, options.asOfMs)
    // Stripe's own invoices collect it.
    if (issued.view === null) return issued.row
    // Paid by a balance, or settled by a person meanwhile: there is nothing to collect.
    if (issued.view.status !== 'open')
      return await book(deps, issued.row, { view: issued.view, asOfMs: options.asOfMs })
    return await collectFirst(deps, issued.row, options.asOfMs)
  }
  if (isCollecting(row.status as InvoiceStatus) || options.look) {
    return await followUp(deps, row, {
      ...options,
      isRetryAsked: !accepted && options.command?.kind === 'retry',
    })
  }
  return row
}

/** A step that is run again finds its command done; what is left to do is due anyway. */
async function alreadyAccepted(
  deps: CollectDeps,
  { invoiceId, command }: InvoiceStepOptions,
): Promise<boolean> {
  return (
    command !== undefined &&
    (await wasInvoiceCommandAccepted(deps.db, { invoiceId, requestId: command.requestId }))
  )
}

async function applyCommand(
  deps: CollectDeps,
  row: InvoiceRow,
  options: InvoiceStepOptions,
): Promise<InvoiceRow> {
  const { command, asOfMs } = options
  if (!command) return row
  requireAction(
    { status: row.status as InvoiceStatus, substatus: row.substatus },
    command.kind satisfies InvoiceAction,
  )
  switch (command.kind) {
    case 'approve':
      return await change(deps, row, {
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
interface Asked<C extends InvoiceRequest = InvoiceRequest> {
  readonly asOfMs: number
  readonly command: C
}

async function retry(deps: CollectDeps, row: InvoiceRow, { asOfMs, command }: Asked): Promise<InvoiceRow> {
  const cleared = { statusReason: null, statusCode: null, nextDueAt: new Date(asOfMs) }
  if (row.status !== 'issuing')
    return await change(deps, row, {
      asOfMs,
      command,
      detail: 'Payment retried by hand',
      patch: { ...cleared, needsNewPaymentMethod: false },
    })
  return await change(deps, row, {
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
  if (invoiceSettings(row).stripe.billing === 'subscription_items') await withdrawItems(deps, row, asOfMs)
  if (row.stripeInvoiceId !== null) {
    const app = await storedApp(deps.db, row.appId)
    const view = await deps.stripe.getInvoice(app, row.stripeInvoiceId)
    // Stripe may know more than we were told: what was paid meanwhile is not voided, and the next look books it.
    if (view.status === 'paid' || view.payment.kind === 'processing') {
      const state = view.status === 'paid' ? 'paid' : 'being paid'
      throw new DomainError('action_not_available', `it cannot be voided: at Stripe it is ${state}`)
    }
    if (view.status === 'draft') await deps.stripe.deleteDraft(app, row.stripeInvoiceId)
    else await deps.stripe.voidInvoice(app, invoiceRef(row))
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
  return await change(deps, row, { asOfMs, command, detail: `Voided: ${command.reason}`, patch })
}

async function leaveDraft(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  if (row.draftUntil === null || row.draftUntil.getTime() > asOfMs) return row
  return await change(deps, row, {
    asOfMs,
    detail: 'Draft period over',
    patch: { status: 'issuing', substatus: null },
  })
}

/** The first payment, or the e-mail. */
async function collectFirst(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  const app = await storedApp(deps.db, row.appId)
  if (invoiceSettings(row).workflow.payment.collectionMethod === 'send_invoice') {
    const view = await deps.stripe.sendInvoice(app, invoiceRef(row))
    const sent = await change(deps, row, {
      asOfMs,
      detail: 'Sent to the customer',
      patch: { sentAt: new Date(asOfMs) },
    })
    return await book(deps, sent, { view, asOfMs })
  }
  return await book(deps, row, { view: await pay(deps, row), asOfMs, attempt: row.attempts + 1 })
}

/** A new attempt has a new key; the same attempt repeated gets Stripe's first answer (rule 31). */
async function pay(deps: CollectDeps, row: InvoiceRow): Promise<StripeInvoiceView> {
  const { app, link } = await appAndLink(deps.db, row.appId, row.customerId)
  // The method that was set here comes before the default of its Stripe customer. Another's would only be refused.
  const isOfPayer = link?.stripeCustomerId === row.stripeCustomerId
  const paymentMethodId = isOfPayer ? link.stripeDefaultPaymentMethodId : null
  try {
    const view = await deps.stripe.payInvoice(app, {
      ...invoiceRef(row),
      attempt: row.attempts + 1,
      ...(paymentMethodId !== null && { paymentMethodId }),
    })
    deps.progress?.()
    return view
  } catch (error) {
    throw await namingWhatIsGone(deps, row, error)
  }
}

type FollowUpOptions = InvoiceStepOptions & { readonly isRetryAsked: boolean }

/** Looks at Stripe; pays again when a retry is due and it is still open. */
async function followUp(deps: CollectDeps, row: InvoiceRow, options: FollowUpOptions): Promise<InvoiceRow> {
  if (row.substatus === 'billed_by_stripe') return await settleItems(deps, row, options.asOfMs)
  if (row.stripeInvoiceId === null) return row
  const { asOfMs, look } = options
  const isDue = row.nextDueAt !== null && row.nextDueAt.getTime() <= asOfMs
  if (!isDue && !look && !options.command) return row
  const isRetryDue = row.substatus === 'payment_failed' && isDue
  // Another payment method came, or a person asked, after the last failure.
  const hasNewMethod = row.substatus === 'payment_method_needed' && !row.needsNewPaymentMethod
  const seen = await lookAt(deps, row, row.stripeInvoiceId)
  // Open there and not issued here: it is not what we would collect.
  if (seen.status === 'open' && !isCollecting(row.status as InvoiceStatus)) return row
  const settled = await book(deps, row, { view: seen, asOfMs })
  if (seen.status === 'open' && isUnsent(settled)) return await collectFirst(deps, settled, asOfMs)
  // A failure that was not booked yet is the answer to the attempt that an earlier run made.
  const isAnswered = settled.attempts > row.attempts
  const isAsked = options.isRetryAsked || hasNewMethod
  if (seen.status !== 'open' || isAnswered || !shouldPay(settled, { isAsked, isRetryDue })) return settled
  return await book(deps, settled, {
    view: await pay(deps, settled),
    asOfMs,
    attempt: settled.attempts + 1,
  })
}

async function lookAt(deps: CollectDeps, row: InvoiceRow, id: string): Promise<StripeInvoiceView> {
  try {
    return await deps.stripe.getInvoice(await storedApp(deps.db, row.appId), id)
  } catch (error) {
    throw await namingWhatIsGone(deps, row, error)
  }
}

/** Issued by a run that died before the e-mail was asked for. */
function isUnsent(row: InvoiceRow): boolean {
  return row.sentAt === null && invoiceSettings(row).workflow.payment.collectionMethod === 'send_invoice'
}

interface Asking {
  readonly isAsked: boolean
  readonly isRetryDue: boolean
}

/** Whether it is time to charge: a retry that is due, one asked for, or a first payment that never got through. */
function shouldPay(row: InvoiceRow, { isAsked, isRetryDue }: Asking): boolean {
  if (row.status === 'payment_processing') return false
  if (isAsked) return true
  if (invoiceSettings(row).workflow.payment.collectionMethod !== 'charge_automatically') return false
  if (row.attempts === 0 && row.substatus === null) return true
  return row.substatus === 'payment_failed' && isRetryDue
}

interface Seen extends Look {
  readonly view: StripeInvoiceView
}

/** Writes what Stripe says, and carries out the end of dunning when it has come. */
async function book(deps: CollectDeps, row: InvoiceRow, { view, ...look }: Seen): Promise<InvoiceRow> {
  const { asOfMs } = look
  const { patch, end, detail } = settle(row, view, look)
  if (Object.keys(patch).length === 0) return row
  const written = await change(deps, row, {
    asOfMs,
    detail,
    patch,
    cancels: end === 'cancel_subscription',
    balanceMinor: view.balanceAppliedMinor,
  })
  if (end !== 'mark_uncollectible') return written
  const app = await storedApp(deps.db, row.appId)
  const final = await deps.stripe.markUncollectible(app, invoiceRef(row))
  return await book(deps, written, { view: final, asOfMs })
}

interface Change {
  readonly asOfMs: number
  readonly detail: string | null
  readonly patch: InvoicePatch
  readonly cancels?: boolean
  /** A balance the Stripe customer already had, which paid a part of it (rule 21). */
  readonly balanceMinor?: bigint
  /** Recorded with what it changed. */
  readonly command?: InvoiceRequest
}

async function change(
  deps: CollectDeps,
  row: InvoiceRow,
  { asOfMs, detail, patch, cancels, balanceMinor, command }: Change,
): Promise<InvoiceRow> {
  return await deps.db.transaction().execute(async (trx) => {
    const written = await write(trx, row, patch)
    await openAccess(trx, { before: row, after: written, asOfMs })
    if (command)
      await recordInvoiceCommand(trx, { invoiceId: row.id, requestId: command.requestId, kind: command.kind })
    if (detail !== null) {
      await appendTimeline(trx, [
        { subjectType: 'invoice', subjectId: row.id, at: new Date(asOfMs), kind: written.status, detail },
      ])
    }
    if (balanceMinor !== undefined && balanceMinor !== 0n) {
      await insertLedgerEntryOnce(trx, {
        id: `${row.id}:balance`,
        subscriptionId: row.subscriptionId,
        customerId: row.customerId,
        currency: row.currency,
        amountMinor: balanceMinor,
        kind: 'customer_balance_payment',
        invoiceId: row.id,
      })
    }
    if (cancels === true) {
      const payload = { invoiceId: row.id, effectiveAtMs: asOfMs }
      await insertOutbox(trx, { kind: 'invoice_outcome', subjectId: row.subscriptionId, payload })
    }
    return written
  })
}
