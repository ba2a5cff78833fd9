import { upcomingClosing } from '../../billing/next-due.ts'
import { findInvoice, latestInvoice } from '../../db/stores/invoice-reads.ts'
import type { InvoiceRow } from '../../db/stores/invoices.ts'
import { ACCRUING, runningInvoice } from '../../db/stores/running-invoices.ts'
import { wasCommandAccepted } from '../../db/stores/subscriptions.ts'
import { DomainError } from '../../domain/errors.ts'
import { requireAction } from '../../domain/invoice-state.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { stateOf } from '../presenters/invoice-status.ts'
import { ensureStarted, subscriptionOf } from './cancel-subscription.ts'
import type { SubscriptionAction } from './cancel-subscription.ts'

/**
 * Bills the open period of a subscription with what is known now: its running invoice is rated anew and sent to Stripe, as
 * often as asked. Errors: not_found, action_not_available (nothing is to come, or it is parked).
 */
export async function invoiceNow(
  deps: ApiDeps,
  { id, requestId, approve }: SubscriptionAction & { readonly approve: boolean },
): Promise<InvoiceRow> {
  const row = await subscriptionOf(deps, id)
  if (!(await wasCommandAccepted(deps.db, { subscriptionId: id, requestId }))) {
    if (row.lifecycle === 'parked') {
      throw new DomainError('action_not_available', 'The subscription is parked; release it first.')
    }
    if (upcomingClosing(row) === null) {
      throw new DomainError('action_not_available', 'The subscription has ended: nothing is to be billed.')
    }
    await ensureStarted(deps, row)
    await deps.temporal.updateSubscription(id, { kind: 'invoice_now', requestId, approve })
  }
  // Its period may have been closed since: then it is the invoice of that closing.
  const invoice = (await runningInvoice(deps.db, id)) ?? (await latestInvoice(deps.db, id))
  return found(invoice ?? null, 'invoice of the subscription', id)
}

/** Lets Stripe be sent what a running invoice is now. It is its subscription that writes it. */
export async function approveBill(deps: ApiDeps, row: InvoiceRow, requestId: string): Promise<InvoiceRow> {
  const { id, subscriptionId } = row
  if (!(await wasCommandAccepted(deps.db, { subscriptionId, requestId }))) {
    requireAction(stateOf(row), 'approve')
    await deps.temporal.updateSubscription(subscriptionId, { kind: 'approve_bill', requestId, invoiceId: id })
  }
  return found((await findInvoice(deps.db, id)) ?? null, 'invoice', id)
}

/** Whether the invoice grows with its period, and is its subscription's to write. */
export const isRunning = ({ substatus }: InvoiceRow): boolean => substatus === ACCRUING
