import type { InvoiceRow } from '../../db/stores/invoices.ts'
import { runningState } from '../../billing/invoice-settings.ts'
import { DomainError } from '../../domain/errors.ts'
import { availableActions, invoiceStatuses, isImmutable } from '../../domain/invoice-state.ts'
import type { InvoiceState, InvoiceStatus } from '../../domain/invoice-state.ts'
import type { Invoice } from '../schemas/invoices.ts'

/** Finer states in which a person should look: a step or a payment did not succeed. */
const failedSubstates: ReadonlySet<string> = new Set([
  'failed',
  'sync_failed',
  'payment_failed',
  'payment_method_needed',
  'dunning_ended',
])

/** The state of an invoice's row, as the domain's table of actions reads it. */
export function stateOf(
  row: Pick<InvoiceRow, 'status' | 'substatus' | 'stripeSnapshot' | 'approvedAt'>,
): InvoiceState {
  const status = invoiceStatuses.find((known) => known === row.status)
  if (status === undefined) throw new DomainError('internal_error', `the status ${row.status} is not known`)
  return { ...runningState(row), status }
}

/** Status, its details, and what can be done about it now: what is not offered here is refused. */
export function presentStatus(row: InvoiceRow): Pick<Invoice, 'status' | 'statusDetails'> {
  const state = stateOf(row)
  return {
    status: state.status,
    statusDetails: {
      immutable: isImmutable(state.status),
      failed: isFailed(row, state.status),
      extendedStatus: row.substatus === null ? row.status : `${row.status}.${row.substatus}`,
      availableActions: availableActions(state),
    },
  }
}

function isFailed(row: InvoiceRow, status: InvoiceStatus): boolean {
  if (status === 'paid' || status === 'voided') return false
  return status === 'uncollectible' || (row.substatus !== null && failedSubstates.has(row.substatus))
}
