import type { InvoiceRow } from '../db/stores/invoices.ts'
import { ACCRUING } from '../db/stores/running-invoices.ts'
import type { DunningPolicy } from '../domain/dunning.ts'
import type { StripeBilling, WorkflowSettings } from './settings.ts'

/** What an invoice snapshot when it was made: later edits of profile or customer never change it (rule 23). */
export interface InvoiceSettings {
  readonly workflow: WorkflowSettings
  readonly dunning: DunningPolicy
  readonly stripe: StripeBilling
  readonly timeZone: string
  /** Its Stripe time is not ours: due dates are sent as days. */
  readonly onTestClock: boolean
  readonly supplierKey: string
}

/** Reads the snapshots of an invoice row; they are written by closing-execute.ts. */
export function invoiceSettings(row: InvoiceRow): InvoiceSettings {
  const customer = row.customerSnapshot as { readonly timezone?: string; readonly onTestClock?: boolean }
  const supplier = row.supplierSnapshot as { readonly id?: string }
  return {
    workflow: row.workflowSnapshot as unknown as WorkflowSettings,
    dunning: row.dunningSnapshot as unknown as DunningPolicy,
    stripe: row.stripeSnapshot as unknown as StripeBilling,
    timeZone: customer.timezone ?? 'UTC',
    onTestClock: customer.onTestClock ?? false,
    supplierKey: supplier.id ?? 'default',
  }
}

/** The state of a running invoice: whether it still has to be approved before Stripe is sent it. */
export function runningState(row: Pick<InvoiceRow, 'substatus' | 'stripeSnapshot' | 'approvedAt'>) {
  const { send } = row.stripeSnapshot as unknown as StripeBilling
  const waitsToBeSent = row.substatus === ACCRUING && send === 'approved_bills' && row.approvedAt === null
  return { status: 'draft', substatus: row.substatus, waitsToBeSent } as const
}
