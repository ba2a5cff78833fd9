import { isDueBy, isOnlyLookDue, nextLookMs, waitsForLook } from '../billing/invoice-look.ts'
import { nextTryMs } from '../billing/invoice-outage.ts'
import { triedAgainMs } from '../billing/invoice-recovery.ts'
import { stepInvoice } from '../billing/invoice-step.ts'
import type { InvoiceStepOptions } from '../billing/invoice-step.ts'
import { getInvoiceRow, updateInvoice, wasInvoiceCommandAccepted } from '../db/stores/invoices.ts'
import type { InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import { appendTimeline, newestSince } from '../db/stores/timeline.ts'
import { DomainError } from '../domain/errors.ts'
import { isCollecting, isFinal, settledStatuses } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import type { ActivityDeps } from './deps.ts'
import { verdictOf } from './failures.ts'
import type { Away } from './failures.ts'

const MAX_GENERATIONS_A_STEP = 3
/** Temporal's tries before the customer's clock is waited for: 15 seconds of them. */
const TRIES_A_STEP = 6

interface AdvanceOptions extends InvoiceStepOptions {
  /** Which try of Temporal's this is, from 1; left out: whatever fails is somebody else's to try again. */
  readonly attempt?: number
}

/**
 * Takes the invoice one step and, where that fails, leaves the reason on the row: a final failure waits there for
 * `retry`, any other is thrown so that Temporal tries again. Where Stripe stays away for longer, the next try is put on
 * the customer's clock instead. Commands' refusals are thrown as they are.
 */
export async function advanceWithReason(deps: ActivityDeps, options: AdvanceOptions): Promise<InvoiceRow> {
  for (let generation = 1; ; generation++) {
    try {
      return await stepInvoice(deps, generation === 1 ? options : { ...options, known: undefined })
    } catch (error) {
      const row = await getInvoiceRow(deps.db, options.invoiceId)
      const verdict = verdictOf(error)
      if (!row) throw error
      if (verdict.kind === 'pinned' && generation < MAX_GENERATIONS_A_STEP) {
        await updateInvoice(deps.db, row, { syncGeneration: row.syncGeneration + 1 })
        continue
      }
      if (verdict.kind === 'away') return await whileAway(deps, row, { ...options, verdict })
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
      if (verdict.kind === 'final' && options.command === undefined)
        return await lookedInVain(deps, row, verdict)
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
  const told = {
    subjectType: 'invoice' as const,
    subjectId: row.id,
    at: new Date(asOfMs),
    kind: 'failed',
    detail: `Issuing failed: ${message}`,
  }
  // Not by the row: a request that did not get through in between says its own there, and one that dies here tells nothing.
  const since = await newestSince(deps.db, told)
  const againMs = triedAgainMs({
    code,
    asOfMs,
    createdMs: row.createdAt.getTime(),
    sinceMs: since?.getTime() ?? asOfMs,
  })
  const patch: InvoicePatch = {
    substatus: 'failed',
    statusCode: code,
    statusReason: message,
    nextDueAt: againMs === null ? null : new Date(againMs),
  }
  const written = await updateInvoice(deps.db, row, patch)
  if (since !== null) return written ?? row
  await appendTimeline(deps.db, [told])
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

/** Nothing is waited for any more: Stripe will not say what became of it. */
async function lookedInVain(
  deps: ActivityDeps,
  row: InvoiceRow,
  { code, message }: Pick<Failure, 'code' | 'message'>,
): Promise<InvoiceRow> {
  if (!waitsForLook(row)) return row
  const patch: InvoicePatch = { statusCode: code, statusReason: message, nextDueAt: null }
  return (await updateInvoice(deps.db, row, patch)) ?? row
}

type AwayOptions = AdvanceOptions & { readonly verdict: Away }

/**
 * A failure that may pass in a moment is thrown, for Temporal to try again. One that does not is written on the row with
 * its next try, in the customer's time: a test clock goes on through it, and so does everything else of the customer.
 */
async function whileAway(deps: ActivityDeps, row: InvoiceRow, options: AwayOptions): Promise<InvoiceRow> {
  const { verdict, attempt, asOfMs, command } = options
  const { code, message } = verdict
  const isAccepted =
    command === undefined ||
    (await wasInvoiceCommandAccepted(deps.db, { invoiceId: row.id, requestId: command.requestId }))
  // It has nothing to wait for. What was written off has: it may have been paid all the same.
  if (isAccepted && isFinal(row.status as InvoiceStatus)) return row
  const isKnown = row.statusCode === code
  const tries = verdict.lasts || isKnown ? 1 : (deps.stripeTries ?? TRIES_A_STEP)
  if (attempt === undefined || attempt < tries) {
    await noteReason(deps, row, verdict.error)
    throw verdict.error
  }
  if (!isAccepted) throw new DomainError('service_unavailable', `Stripe cannot be asked now: ${message}`)
  const nextDueAt = new Date(nextTryMs(asOfMs, (row.issuedAt ?? row.createdAt).getTime()))
  deps.log.warn({ invoiceId: row.id, code }, 'Stripe is away; it is tried again')
  const shown = row.status === 'issuing' ? { substatus: 'waiting_for_stripe' } : {}
  const isMoreDue = isDueBy(row, asOfMs) && !isOnlyLookDue(row)
  const due = isMoreDue ? { nextDueAt } : { nextDueAt, nextLookAt: nextDueAt }
  const patch: InvoicePatch = { ...shown, statusCode: code, statusReason: message, ...due }
  const written = await updateInvoice(deps.db, row, patch)
  if (!isKnown) {
    const entry = {
      subjectType: 'invoice' as const,
      subjectId: row.id,
      at: new Date(asOfMs),
      kind: 'waiting',
    }
    await appendTimeline(deps.db, [{ ...entry, detail: `Waits for Stripe: ${message}` }])
  }
  return written ?? row
}

/** It will be tried again; until then the row says what is in the way. */
async function noteReason(deps: ActivityDeps, row: InvoiceRow, error: unknown): Promise<void> {
  if (settledStatuses.includes(row.status as InvoiceStatus)) return
  const statusReason = error instanceof Error ? error.message : String(error)
  if (row.statusReason !== statusReason) await updateInvoice(deps.db, row, { statusReason })
}
