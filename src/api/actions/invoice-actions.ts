import { nowForCustomer } from '../../billing/clock.ts'
import { findInvoice } from '../../db/stores/invoice-reads.ts'
import { wasInvoiceCommandAccepted } from '../../db/stores/invoices.ts'
import type { InvoiceRow } from '../../db/stores/invoices.ts'
import { findCustomerByIdOrKey } from '../../db/stores/subscription-reads.ts'
import { DomainError } from '../../domain/errors.ts'
import { availableActions, requireAction } from '../../domain/invoice-state.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import { stateOf } from '../presenters/invoice-status.ts'
import { approveBill, isRunning } from './invoice-now.ts'
import { startedLater } from './started-later.ts'

export type InvoiceCommand =
  | { readonly kind: 'approve'; readonly requestId: string }
  | { readonly kind: 'retry'; readonly requestId: string }
  | { readonly kind: 'void'; readonly requestId: string; readonly reason: string }

/** Carries out what a person asks of an invoice. Errors: not_found, action_not_available and the step's own. */
export async function commandInvoice(
  deps: ApiDeps,
  id: string,
  command: InvoiceCommand,
): Promise<InvoiceRow> {
  const row = await invoiceOf(deps, id)
  if (isRunning(row) && command.kind === 'approve') return await approveBill(deps, row, command.requestId)
  const isAccepted = async (): Promise<boolean> =>
    await wasInvoiceCommandAccepted(deps.db, { invoiceId: id, requestId: command.requestId })
  // Carried out already, although its caller was not told: the answer is what came of it, read anew, not a refusal.
  if (await isAccepted()) return await invoiceOf(deps, id)
  requireAction(stateOf(row), command.kind)
  await ensureStarted(deps, row)
  try {
    await deps.temporal.updateInvoice(id, command)
  } catch (error) {
    // A workflow that completed by carrying the command out may be gone before it could answer.
    if (!(await isAccepted())) throw error
  }
  return await invoiceOf(deps, id)
}

/** Actions of the contract that an invoice never offers, since it goes on by itself. */
export async function refuseAction(deps: ApiDeps, id: string, why: string): Promise<never> {
  const row = await invoiceOf(deps, id)
  const available = Object.keys(availableActions(stateOf(row)))
  throw new DomainError('action_not_available', why, { details: { status: row.status, available } })
}

/** One that was made a moment ago, or has ended, gets a run to carry the command out; what the row forbids stays so. */
async function ensureStarted(deps: ApiDeps, row: InvoiceRow): Promise<void> {
  const customer = await findCustomerByIdOrKey(deps.db, { id: row.customerId })
  const nowMs = await nowForCustomer(deps.db, row.customerId, deps.now())
  const request = {
    invoiceId: row.id,
    customerKey: customer?.key ?? row.customerId,
    status: row.status,
    testNowMs: (customer?.testClockId ?? null) === null ? null : nowMs,
    nextDueMs: row.nextDueAt?.getTime() ?? null,
  }
  await startedLater(deps, deps.temporal.startInvoice(request))
}

/** The invoice, or a 404. */
export async function invoiceOf(deps: ApiDeps, id: string): Promise<InvoiceRow> {
  return found((await findInvoice(deps.db, id)) ?? null, 'invoice', id)
}
