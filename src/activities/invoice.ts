import { Context } from '@temporalio/activity'
import { isOutageCode } from '../billing/invoice-outage.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import { currency } from '../domain/currency.ts'
import { isErrorCode } from '../domain/errors.ts'
import { displayMinor } from '../domain/money.ts'
import { isSettled } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import type { InvoiceActivities, InvoiceStep, Refusal } from './contracts.ts'
import type { ActivityDeps } from './deps.ts'
import { verdictOf } from './failures.ts'
import { withHeartbeat } from './heartbeat.ts'
import { advanceWithReason } from './invoice-advance.ts'
import { observePaid } from './observing.ts'

/** Activities of `invoice/{id}`. */
export function invoiceActivities(deps: ActivityDeps): InvoiceActivities {
  return {
    advanceInvoice: async ({ invoiceId, asOfMs, look, command }) =>
      await withHeartbeat(async () => {
        const { attempt } = Context.current().info
        try {
          const row = await advanceWithReason(deps, {
            invoiceId,
            asOfMs,
            look,
            attempt,
            ...(command && { command }),
          })
          observePaid(deps, row, asOfMs)
          deps.kickRelay()
          return toStep(row)
        } catch (error) {
          const refused = command ? refusalOf(error) : null
          if (refused === null) throw error
          // What was refused may be known better at Stripe than here.
          const row = await advanceWithReason(deps, { invoiceId, asOfMs, look: true, attempt })
          deps.kickRelay()
          return { ...toStep(row), refused }
        }
      }),
  }
}

/** A command that can never succeed is answered; one that cannot now is tried again. */
function refusalOf(error: unknown): Refusal | null {
  const verdict = verdictOf(error)
  if (verdict.kind !== 'final') return null
  const code = isErrorCode(verdict.code) ? verdict.code : 'stripe_refused'
  return { code, message: verdict.message }
}

function toStep(row: InvoiceRow): InvoiceStep {
  const final = isSettled({ status: row.status as InvoiceStatus, isDue: row.nextDueAt !== null })
  const state = row.substatus === null ? row.status : `${row.status} (${row.substatus})`
  const total = displayMinor(BigInt(row.totalMinor), currency(row.currency))
  const reason = row.statusReason === null ? '' : `: ${row.statusReason}`
  return {
    nextDueMs: row.nextDueAt?.getTime() ?? null,
    final,
    status: row.status,
    summary: `${row.number ?? row.draftNumber}, ${total}: ${state}${reason}`,
    waitingFor: waitingFor(row),
    refused: null,
  }
}

const until = (instant: Date | null): string => (instant === null ? '' : ` until ${instant.toISOString()}`)

function waitingFor(row: InvoiceRow): string {
  switch (row.substatus) {
    case 'waiting_approval':
      return 'approval'
    case 'waiting_draft_period':
      return `the draft period${until(row.draftUntil)}`
    case 'failed':
      return row.nextDueAt === null
        ? 'an operator: retry'
        : `an operator: retry; next look${until(row.nextDueAt)}`
    case 'action_required':
      return `the customer to confirm the payment${until(row.nextDueAt)}`
    case 'payment_failed':
      return `the next retry of the payment${until(row.nextDueAt)}`
    case 'payment_method_needed':
      return `a new payment method${until(row.nextDueAt)}`
    default:
      if (isOutageCode(row.statusCode)) return `Stripe; next try${until(row.nextDueAt)}`
      return `payment; next look${until(row.nextDueAt)}`
  }
}
