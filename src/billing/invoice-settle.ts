import type { InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import { decideRetry } from '../domain/dunning.ts'
import type { DunningEnd } from '../domain/dunning.ts'
import { assertNever } from '../domain/errors.ts'
import { nextStatus } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import type { StripeInvoiceView } from '../stripe/types.ts'
import { nextLookMs } from './invoice-look.ts'
import { invoiceSettings } from './invoice-settings.ts'

/** What a look at Stripe changes, and whether dunning has come to its end with it. */
export interface Settlement {
  readonly patch: InvoicePatch
  readonly end: DunningEnd | null
  /** For the invoice's timeline; null when nothing that people care about changed. */
  readonly detail: string | null
}

/**
 * What the invoice is, given what it is at Stripe: idempotent on Stripe's present state (rule 30). A payment that is
 * processing is neither paid nor failed; a failure counts once, by its payment id (rule 32).
 */
export function settle(row: InvoiceRow, view: StripeInvoiceView, asOfMs: number): Settlement {
  const asOf = new Date(asOfMs)
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
      return settleOpen(row, view, asOfMs)
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

function settleOpen(row: InvoiceRow, view: StripeInvoiceView, asOfMs: number): Settlement {
  const { payment } = view
  switch (payment.kind) {
    case 'processing':
      return waiting(row, asOfMs, {
        status: 'payment_processing',
        substatus: null,
        reason: 'the payment is processing',
      })
    case 'requires_action':
      return waiting(row, asOfMs, {
        status: openStatus(row, asOfMs),
        substatus: 'action_required',
        reason: 'the customer has to confirm the payment (3-D Secure)',
      })
    case 'failed':
      return settleFailed(row, view, asOfMs)
    case 'succeeded':
    case 'none':
      return waiting(row, asOfMs, {
        status: openStatus(row, asOfMs),
        substatus: row.substatus,
        reason: row.statusReason,
      })
    default:
      return assertNever(payment.kind)
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
}

function waiting(row: InvoiceRow, asOfMs: number, now: Waiting): Settlement {
  const lookMs = nextLookMs(asOfMs, (row.issuedAt ?? row.createdAt).getTime())
  const dueMs = row.dueAt?.getTime() ?? null
  const nextMs = dueMs !== null && dueMs > asOfMs ? Math.min(lookMs, dueMs) : lookMs
  const changed = now.status !== row.status || now.substatus !== row.substatus
  return {
    patch: {
      status: now.status,
      substatus: now.substatus,
      statusReason: now.reason,
      nextLookAt: new Date(lookMs),
      nextDueAt: new Date(nextMs),
    },
    end: null,
    detail: changed ? `Now ${now.status}${now.reason === null ? '' : `: ${now.reason}`}` : null,
  }
}

function settleFailed(row: InvoiceRow, view: StripeInvoiceView, asOfMs: number): Settlement {
  const { payment } = view
  const isNew = payment.paymentId === null ? row.attempts === 0 : payment.paymentId !== row.lastPaymentId
  const attempts = isNew ? row.attempts + 1 : Math.max(row.attempts, 1)
  const firstFailedMs = row.firstFailedAt?.getTime() ?? asOfMs
  const reason = payment.message ?? payment.declineCode ?? payment.code ?? 'the payment failed'
  const facts: InvoicePatch = {
    attempts,
    firstFailedAt: new Date(firstFailedMs),
    lastPaymentId: payment.paymentId ?? row.lastPaymentId,
    needsNewPaymentMethod: payment.hard,
    statusReason: reason,
    statusCode: payment.declineCode ?? payment.code,
  }
  const { dunning } = invoiceSettings(row)
  const decision = decideRetry({
    policy: dunning,
    firstFailedMs,
    attempts,
    hard: payment.hard,
    nowMs: asOfMs,
  })
  const status = openStatus(row, asOfMs)
  const base = waiting(row, asOfMs, { status, substatus: 'payment_failed', reason })
  const detail = isNew ? `Payment ${attempts} failed: ${reason}` : null
  switch (decision.kind) {
    case 'retry':
      return { patch: { ...base.patch, ...facts, nextDueAt: new Date(decision.atMs) }, end: null, detail }
    case 'wait_new_payment_method':
      return {
        patch: {
          ...base.patch,
          ...facts,
          substatus: 'payment_method_needed',
          nextDueAt: new Date(decision.untilMs),
        },
        end: null,
        detail,
      }
    case 'end': {
      const hasEnded = row.substatus === 'dunning_ended'
      // Writing off takes a call to Stripe after this is written: it stays due until that has happened.
      const isWrittenOff = decision.end === 'mark_uncollectible'
      return {
        patch: {
          ...base.patch,
          ...facts,
          status: 'overdue',
          substatus: 'dunning_ended',
          ...(isWrittenOff && { nextDueAt: new Date(asOfMs) }),
        },
        end: hasEnded && !isWrittenOff ? null : decision.end,
        detail: hasEnded ? null : `${detail ?? reason}; dunning ended: ${decision.end}`,
      }
    }
    default:
      return assertNever(decision)
  }
}
