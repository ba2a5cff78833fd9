import { createHash } from 'node:crypto'
import type { Stripe } from 'stripe'
import { currency } from '../domain/currency.ts'
import { DomainError } from '../domain/errors.ts'
import { toProcessorMinor } from '../domain/money.ts'
import { metadataKeys } from './metadata.ts'
import type { InvoiceToSync, LineToSync } from './types.ts'

/** Stripe takes 250 lines an invoice; what is more becomes one line, explained by our own statement. */
const maxLines = 250
/** Lines in one request: what systems in production found safe; Stripe documents no number. */
const linesPerCall = 100
const maxDescription = 5000

/** A line as Stripe is sent it: a net integer amount and no quantity (billing rule 17). */
export interface ProcessorLine {
  readonly lineId: string
  readonly amount: number
  readonly description: string
  readonly fromMs: number
  readonly toMs: number
}

/** The lines of an invoice for Stripe, in its minor units (billing rule 18). */
export function processorLines(
  invoice: Pick<InvoiceToSync, 'currency' | 'lines' | 'invoiceId'>,
): readonly ProcessorLine[] {
  const c = currency(invoice.currency)
  return foldTail(invoice).map((line) => ({
    lineId: line.lineId,
    amount: safeInteger(toProcessorMinor(line.amountMinor, c)),
    description: line.description.slice(0, maxDescription),
    fromMs: line.fromMs,
    toMs: line.toMs,
  }))
}

function foldTail({ lines, invoiceId }: Pick<InvoiceToSync, 'lines' | 'invoiceId'>): readonly LineToSync[] {
  if (lines.length <= maxLines) return lines
  const tail = lines.slice(maxLines - 1)
  const folded: LineToSync = {
    lineId: `rest:${invoiceId}`,
    amountMinor: tail.reduce((sum, line) => sum + line.amountMinor, 0n),
    description: `${tail.length} further lines, listed in the statement`,
    fromMs: Math.min(...tail.map((line) => line.fromMs)),
    toMs: Math.max(...tail.map((line) => line.toMs)),
  }
  return [...lines.slice(0, maxLines - 1), folded]
}

function safeInteger(amount: bigint): number {
  const number = Number(amount)
  if (!Number.isSafeInteger(number))
    throw new DomainError('internal_error', `${amount} is beyond any invoice`)
  return number
}

export interface LineChunk {
  readonly lines: readonly ProcessorLine[]
  /** Same content, same key: what a repeated call after an unclear one must be. */
  readonly fingerprint: string
}

/**
 * The lines that are not there yet, in chunks cut at fixed positions: a repeat after a lost reply sends the chunk that
 * was lost and not another cut of it.
 */
export function missingChunks(
  lines: readonly ProcessorLine[],
  present: ReadonlySet<string>,
): readonly LineChunk[] {
  const chunks: LineChunk[] = []
  for (let start = 0; start < lines.length; start += linesPerCall) {
    const missing = lines.slice(start, start + linesPerCall).filter((line) => !present.has(line.lineId))
    if (missing.length > 0) chunks.push({ lines: missing, fingerprint: fingerprint(missing) })
  }
  return chunks
}

function fingerprint(lines: readonly ProcessorLine[]): string {
  return createHash('sha256').update(JSON.stringify(lines)).digest('hex').slice(0, 24)
}

export function lineParams(line: ProcessorLine): Stripe.InvoiceAddLinesParams.Line {
  return {
    amount: line.amount,
    description: line.description,
    discountable: false,
    metadata: { [metadataKeys.line]: line.lineId },
    // Stripe counts whole seconds, and refuses a period that ends before it starts.
    period: { start: Math.floor(line.fromMs / 1000), end: Math.floor(line.toMs / 1000) },
  }
}

/**
 * Currency, lines and net subtotal at Stripe must equal ours before anything is final (billing rule 17).
 * Errors: stripe_totals_differ, with both numbers.
 */
export function compareWithStripe(
  invoice: Pick<InvoiceToSync, 'currency'> & { readonly lines: readonly ProcessorLine[] },
  theirs: Pick<Stripe.Invoice, 'id' | 'currency' | 'subtotal'>,
  theirLines: readonly Stripe.InvoiceLineItem[],
): void {
  const ours = {
    currency: invoice.currency,
    lines: invoice.lines.length,
    subtotal: invoice.lines.reduce((sum, line) => sum + line.amount, 0),
  }
  const stripe = {
    currency: theirs.currency.toUpperCase(),
    lines: theirLines.length,
    subtotal: theirs.subtotal,
  }
  const amounts = new Map(theirLines.map((line) => [line.metadata[metadataKeys.line], line.amount]))
  const differing = invoice.lines.filter((line) => amounts.get(line.lineId) !== line.amount)
  const same =
    ours.currency === stripe.currency &&
    ours.lines === stripe.lines &&
    ours.subtotal === stripe.subtotal &&
    differing.length === 0
  if (same) return
  throw new DomainError('stripe_totals_differ', `ours: ${describe(ours)}; at Stripe: ${describe(stripe)}`, {
    details: {
      stripeInvoiceId: theirs.id,
      ours,
      stripe,
      differingLines: differing.slice(0, 10).map((line) => line.lineId),
    },
  })
}

function describe(side: {
  readonly currency: string
  readonly lines: number
  readonly subtotal: number
}): string {
  return `${side.subtotal} ${side.currency} in ${side.lines} lines`
}
