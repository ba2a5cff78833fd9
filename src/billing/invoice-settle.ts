import type { InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import { decideRetry } from '../domain/dunning.ts'
import type { DunningEnd } from '../domain/dunning.ts'
import { assertNever } from '../domain/errors.ts'
import { nextStatus } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import type { PaymentOutcome, StripeInvoiceView } from '../stripe/invoice-types.ts'
import { nextLookMs } from './invoice-look.ts'
import { isOutageCode } from './invoice-outage.ts'
import { invoiceSettings } from './invoice-settings.ts'

/** What a look at Stripe changes, and whether dunning has come to its end with it. */
export interface Settlement {
  readonly patch: InvoicePatch
  readonly end: DunningEnd | null
  /** For the invoice's timeline; null when nothing that people care about changed. */
  readonly detail: string | null
}

/** When Stripe was asked, and why. */
export interface Look {
  readonly asOfMs: number
  /** The attempt to which this is the reply; left out where Stripe was only looked at. */
  readonly attempt?: number
}

/**
 * What the invoice is, given what it is at Stripe: idempotent on Stripe's present state (rule 30). A payment that is
 * processing is neither paid nor failed; a failure counts once, by its payment id (rule 32).
 */
export function settle(row: InvoiceRow, view: StripeInvoiceView, look: Look): Settlement {
  const asOf = new Date(look.asOfMs)
  switch (view.status) {
    case 'paid':
      return finished(row, 'paid', {
        patch: { paidAt: row.paidAt ?? asOf, paidMinor: view.amountPaidMinor },
        detail: 'Paid',
      })
    case 'void':
      return finished(row, 'voided', { patch: { voidedAt: row.voidedAt ?? asOf }, detail: 'Voided' })
    case 'uncollectible':
      return finished(row, 'uncollectible', {
        patch: { uncollectibleAt: row.uncollectibleAt ?? asOf },
        detail: 'Written off',
      })
    case 'open':
      return settleOpen(row, view, look)
    case 'draft':
      // Issuing is not through; the issuing step goes on with it.
      return { patch: {}, end: null, detail: null }
    default:
      return assertNever(view.status)
  }
}

interface Outcome {
  readonly patch: InvoicePatch
  readonly detail: string
}

function finished(
  row: InvoiceRow,
  status: 'paid' | 'voided' | 'uncollectible',
  { patch, detail }: Outcome,
): Settlement {
  if (row.status === status) return { patch: {}, end: null, detail: null }
  return {
    patch: {
      ...patch,
      status,
      substatus: null,
      statusReason: null,
      statusCode: null,
      nextDueAt: null,
      nextLookAt: null,
    },
    end: null,
    detail,
  }
}

function settleOpen(row: InvoiceRow, view: StripeInvoiceView, look: Look): Settlement {
  const { payment } = view
  const { asOfMs } = look
  switch (payment.kind) {
    case 'processing':
      return waiting(row, asOfMs, {
        status: 'payment_processing',
        substatus: null,
        reason: 'the payment is processing',
      })
    case 'requires_action':
    case 'failed':
      return settleFailed(row, view, look)
    case 'unknown':
      return settleOpen(row, { ...view, payment: asLastKnown(row, payment) }, look)
    case 'succeeded':
    case 'none':
      return waiting(row, asOfMs, {
        status: openStatus(row, asOfMs),
        substatus: row.substatus,
        ...lastingReason(row),
      })
    default:
      return assertNever(payment.kind)
  }
}

/** Where the key may not read payments, the latest is what it was when we last heard of it. */
function asLastKnown(row: InvoiceRow, payment: PaymentOutcome): PaymentOutcome {
  if (row.status === 'payment_processing') return { ...payment, kind: 'processing' }
  if (row.firstFailedAt === null) return { ...payment, kind: 'none' }
  return {
    kind: row.substatus === 'action_required' ? 'requires_action' : 'failed',
    paymentId: row.lastPaymentId,
    code: row.statusCode,
    declineCode: null,
    hard: row.needsNewPaymentMethod,
    message: row.statusReason,
  }
}

/** Open and unpaid: issued, or overdue once its due date has passed. */
function openStatus(row: InvoiceRow, asOfMs: number): InvoiceStatus {
  const current = row.status === 'payment_processing' ? 'issued' : (row.status as InvoiceStatus)
  const isPastDue = row.dueAt !== null && asOfMs >= row.dueAt.getTime()
  return (isPastDue ? nextStatus(current, 'due_passed') : null) ?? current
}

interface Waiting {
  readonly status: InvoiceStatus
  readonly substatus: string | null
  readonly reason: string | null
  readonly code?: string | null
}

/** Why it waits, as long as that holds: an outage is over when Stripe answers. */
function lastingReason({
  substatus,
  statusReason,
  statusCode,
}: InvoiceRow): Pick<Waiting, 'reason' | 'code'> {
  const isSettledFact = statusCode === 'stripe_customer_deleted'
  const isOver = !isSettledFact && (substatus === null || isOutageCode(statusCode))
  return isOver ? { reason: null, code: null } : { reason: statusReason, code: statusCode }
}

function waiting(row: InvoiceRow, asOfMs: number, now: Waiting) {
  const lookMs = nextLookMs(asOfMs, (row.issuedAt ?? row.createdAt).getTime())
  const dueMs = row.dueAt?.getTime() ?? null
  const nextMs = dueMs !== null && dueMs > asOfMs ? Math.min(lookMs, dueMs) : lookMs
  const changed = now.status !== row.status || now.substatus !== row.substatus
  return {
    patch: {
      status: now.status,
      substatus: now.substatus,
      statusReason: now.reason,
      statusCode: now.code ?? null,
      nextLookAt: new Date(lookMs),
      nextDueAt: new Date(nextMs),
    },
    end: null,
    detail: changed ? `Now ${now.status}${now.reason === null ? '' : `: ${now.reason}`}` : null,
  }
}

/** What is counted of a payment that did not come through: once by its id, and each attempt of ours (rules 30, 32). */
function failureOf(row: InvoiceRow, { payment }: StripeInvoiceView, { asOfMs, attempt = 0 }: Look) {
  // Refusals without a charge have one id over many attempts: the attempt's number counts them.
  const isNew =
    attempt > row.attempts ||
    (payment.paymentId === null ? row.attempts === 0 : payment.paymentId !== row.lastPaymentId)
  const waitsForCustomer = payment.kind === 'requires_action'
  const reason = waitsForCustomer
    ? 'the customer has to confirm the payment (3-D Secure)'
    : (payment.message ?? payment.declineCode ?? payment.code ?? 'the payment failed')
  const facts = {
    attempts: isNew ? row.attempts + 1 : Math.max(row.attempts, 1),
    firstFailedAt: row.firstFailedAt ?? new Date(asOfMs),
    lastFailedAt: isNew ? new Date(asOfMs) : row.lastFailedAt,
    lastPaymentId: payment.paymentId ?? row.lastPaymentId,
    // A method that came since the failure is worth a try.
    needsNewPaymentMethod: !waitsForCustomer && (isNew ? payment.hard : row.needsNewPaymentMethod),
    statusReason: reason,
    statusCode: waitsForCustomer ? null : (payment.declineCode ?? payment.code),
  } satisfies InvoicePatch
  return { isNew, waitsForCustomer, reason, facts }
}

function settleFailed(row: InvoiceRow, view: StripeInvoiceView, look: Look): Settlement {
  const { asOfMs } = look
  const { isNew, waitsForCustomer, reason, facts } = failureOf(row, view, look)
  const { dunning, workflow } = invoiceSettings(row)
  const substatus = waitsForCustomer ? 'action_required' : 'payment_failed'
  const base = waiting(row, asOfMs, { status: openStatus(row, asOfMs), substatus, reason })
  const patch = { ...base.patch, ...facts }
  const failed = isNew ? `Payment ${facts.attempts} failed: ${reason}` : null
  const detail = waitsForCustomer ? base.detail : failed
  // An e-mailed invoice is paid by its customer: there is nothing of ours to retry.
  if (workflow.payment.collectionMethod === 'send_invoice') return { patch, end: null, detail }
  const decision = decideRetry({
    policy: dunning,
    firstFailedMs: facts.firstFailedAt.getTime(),
    attempts: facts.attempts,
    hard: waitsForCustomer || facts.needsNewPaymentMethod,
    nowMs: asOfMs,
    // One of before this was noted had mostly no retry that was missed.
    lastFailedMs: (facts.lastFailedAt ?? facts.firstFailedAt).getTime(),
  })
  switch (decision.kind) {
    case 'retry':
      return { patch: { ...patch, nextDueAt: new Date(decision.atMs) }, end: null, detail }
    case 'wait_new_payment_method': {
      const untilMs = decision.untilMs
      const lookMs = base.patch.nextLookAt.getTime()
      const wait = waitsForCustomer
        ? { nextDueAt: new Date(Math.min(lookMs, untilMs)) }
        : { substatus: 'payment_method_needed', nextDueAt: new Date(untilMs) }
      return { patch: { ...patch, ...wait }, end: null, detail }
    }
    case 'end':
      return ended(row, { patch, asOfMs, end: decision.end, detail: detail ?? reason })
    default:
      return assertNever(decision)
  }
}

interface Ended {
  readonly patch: InvoicePatch
  readonly asOfMs: number
  readonly end: DunningEnd
  readonly detail: string
}

function ended(row: InvoiceRow, { patch, asOfMs, end, detail }: Ended): Settlement {
  const hasEnded = row.substatus === 'dunning_ended'
  // Writing off takes a call to Stripe after this is written: it stays due until that has happened.
  const isWrittenOff = end === 'mark_uncollectible'
  return {
    patch: {
      ...patch,
      status: 'overdue',
      substatus: 'dunning_ended',
      ...(isWrittenOff && { nextDueAt: new Date(asOfMs) }),
    },
    end: hasEnded && !isWrittenOff ? null : end,
    detail: hasEnded ? null : `${detail}; dunning ended: ${end}`,
  }
}
