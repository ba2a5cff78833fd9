import type { ToSend } from '../db/stores/invoice-to-send.ts'
import { getInvoiceRow, wasInvoiceCommandAccepted } from '../db/stores/invoices.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
import { ACCRUING } from '../db/stores/running-invoices.ts'
import { DomainError } from '../domain/errors.ts'
import { isCollecting } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import type { CollectDeps } from './collect-deps.ts'
import { book, collectFirst, followUp } from './invoice-collection.ts'
import { applyCommand } from './invoice-commands.ts'
import type { InvoiceRequest } from './invoice-commands.ts'
import { issueInvoice } from './invoice-issue.ts'
import { waitsForLook } from './invoice-look.ts'
import { goesOnByItself, goOn } from './invoice-recovery.ts'
import { changeInvoice, write } from './invoice-write.ts'
import { finishWithdrawal, isBeingWithdrawn } from './withdraw-bill.ts'

export interface InvoiceStepOptions {
  readonly invoiceId: string
  readonly asOfMs: number
  readonly command?: InvoiceRequest
  /** Something happened at Stripe: fetch and act on what it is now. */
  readonly look: boolean
  readonly known?: KnownInvoice | undefined
}

/** An invoice that was read, or made, just now. */
export interface KnownInvoice {
  readonly row: InvoiceRow
  /** What it was made with. */
  readonly toSend?: ToSend
  /** Whether Stripe may have it already; left out: it may. */
  readonly mayExist?: boolean
}

/**
 * Takes an invoice as far as it can go now. Every effect depends on the row's and on Stripe's present state, so a second
 * run finds what the first did. Errors: not_found, action_not_available; StripeFailure when a call did not get through.
 */
export async function stepInvoice(deps: CollectDeps, options: InvoiceStepOptions): Promise<InvoiceRow> {
  const start = options.known?.row ?? (await getInvoiceRow(deps.db, options.invoiceId))
  if (!start) throw new DomainError('not_found', `invoice ${options.invoiceId} does not exist`)
  const { asOfMs, command, look } = options
  // A step that is run again finds its command done; what is left to do is due anyway.
  const isNew =
    command !== undefined &&
    !(await wasInvoiceCommandAccepted(deps.db, { invoiceId: start.id, requestId: command.requestId }))
  let row = isNew ? await applyCommand(deps, start, { asOfMs, command }) : start
  if (isBeingWithdrawn(row)) return await finishWithdrawal(deps, row, asOfMs)
  // Its period is open: its subscription runs it.
  if (row.substatus === ACCRUING) return row
  if (row.status === 'draft') row = await leaveDraft(deps, row, asOfMs)
  if (goesOnByItself(row, options)) row = await goOn(deps, row)
  if (row.status === 'issuing' && row.substatus !== 'failed') {
    const { toSend, mayExist } = options.known ?? {}
    const issued = await issueInvoice(deps, row, { asOfMs, toSend, mayExist })
    // Stripe's own invoices collect it.
    if (issued.view === null) return issued.row
    // Paid by a balance, or settled by a person meanwhile: there is nothing to collect.
    if (issued.view.status !== 'open') return await book(deps, issued.row, { view: issued.view, asOfMs })
    return await collectFirst(deps, issued.row, { asOfMs, linked: issued.linked })
  }
  if (isCollecting(row.status as InvoiceStatus) || look || waitsForLook(row)) {
    const seen = await followUp(deps, row, {
      asOfMs,
      look: look || waitsForLook(row),
      hasCommand: command !== undefined,
      isRetryAsked: isNew && command.kind === 'retry',
    })
    if (!waitsForLook(seen)) return seen
    // Stripe was asked, and it was not paid.
    return await write(deps.db, seen, { statusReason: null, statusCode: null, nextDueAt: null })
  }
  return row
}

async function leaveDraft(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  if (row.draftUntil === null || row.draftUntil.getTime() > asOfMs) return row
  return await changeInvoice(deps.db, row, {
    asOfMs,
    detail: 'Draft period over',
    patch: { status: 'issuing', substatus: null },
  })
}
