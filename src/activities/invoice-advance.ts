import { nextLookMs } from '../billing/invoice-look.ts'
import { stepInvoice } from '../billing/invoice-step.ts'
import type { InvoiceStepOptions } from '../billing/invoice-step.ts'
import { getInvoiceRow, updateInvoice } from '../db/stores/invoices.ts'
import type { InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import { isCollecting } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import type { ActivityDeps } from './deps.ts'
import { verdictOf } from './failures.ts'

const MAX_GENERATIONS_A_STEP = 3

/**
 * Takes the invoice one step and, where that fails, leaves the reason on the row: a final failure waits there for
 * `retry`, any other is thrown so that Temporal tries again. Commands' refusals are thrown as they are.
 */
export async function advanceWithReason(
  deps: ActivityDeps,
  options: InvoiceStepOptions,
): Promise<InvoiceRow> {
  for (let generation = 1; ; generation++) {
    try {
      return await stepInvoice(deps, options)
    } catch (error) {
      const row = await getInvoiceRow(deps.db, options.invoiceId)
      const verdict = verdictOf(error)
      if (!row) throw error
      if (verdict.kind === 'pinned' && generation < MAX_GENERATIONS_A_STEP) {
        await updateInvoice(deps.db, row, { syncGeneration: row.syncGeneration + 1 })
        continue
      }
      if (verdict.kind === 'final' && row.status === 'issuing') {
        return await fail(deps, row, { ...verdict, asOfMs: options.asOfMs })
      }
      if (
        verdict.kind === 'final' &&
        options.command === undefined &&
        isCollecting(row.status as InvoiceStatus)
      ) {
        return await lookLater(deps, row, { ...verdict, asOfMs: options.asOfMs })
      }
      // A look at what is settled, or not begun, changed nothing: trying again would not either.
      if (verdict.kind === 'final' && options.command === undefined) return row
      if (verdict.kind !== 'final') await noteReason(deps, row, error)
      throw verdict.kind === 'retry' ? verdict.error : error
    }
  }
}

interface Failure {
  readonly code: string
  readonly message: string
  readonly asOfMs: number
}

/** Visible on the row, in the timeline and in the Temporal UI; `retry` goes on from here. */
async function fail(
  deps: ActivityDeps,
  row: InvoiceRow,
  { code, message, asOfMs }: Failure,
): Promise<InvoiceRow> {
  const patch: InvoicePatch = {
    substatus: 'failed',
    statusCode: code,
    statusReason: message,
    nextDueAt: null,
  }
  const written = await updateInvoice(deps.db, row, patch)
  await appendTimeline(deps.db, [
    {
      subjectType: 'invoice',
      subjectId: row.id,
      at: new Date(asOfMs),
      kind: 'failed',
      detail: `Issuing failed: ${message}`,
    },
  ])
  deps.log.warn({ invoiceId: row.id, code }, 'issuing failed')
  return written ?? row
}

/** What is issued cannot fail any more: the reason is shown, and the next look tries again. */
async function lookLater(
  deps: ActivityDeps,
  row: InvoiceRow,
  { code, message, asOfMs }: Failure,
): Promise<InvoiceRow> {
  const nextLookAt = new Date(nextLookMs(asOfMs, (row.issuedAt ?? row.createdAt).getTime()))
  deps.log.warn({ invoiceId: row.id, code }, 'looking at Stripe failed')
  const patch: InvoicePatch = { statusCode: code, statusReason: message, nextLookAt, nextDueAt: nextLookAt }
  return (await updateInvoice(deps.db, row, patch)) ?? row
}

/** It will be tried again; until then the row says what is in the way. */
async function noteReason(deps: ActivityDeps, row: InvoiceRow, error: unknown): Promise<void> {
  const statusReason = error instanceof Error ? error.message : String(error)
  if (row.statusReason !== statusReason) await updateInvoice(deps.db, row, { statusReason })
}
