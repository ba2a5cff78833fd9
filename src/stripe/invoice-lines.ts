import type { Stripe } from 'stripe'
import { currency } from '../domain/currency.ts'
import { DomainError } from '../domain/errors.ts'
import { toProcessorMinor } from '../domain/money.ts'
import { fingerprintOf } from './fingerprint.ts'
import { foldLines, treatmentOf } from './line-folding.ts'
import { cutDescription, periodParams, taxParams } from './line-params.ts'
import { metadataKeys } from './metadata.ts'
import type { InvoiceToSync, LinePart } from './invoice-types.ts'

/** Lines in one request: what systems in production found safe; Stripe documents no number. */
const linesPerCall = 100

/** A line as Stripe is sent it: a net integer amount and no quantity (billing rule 17). */
export interface ProcessorLine {
  readonly lineId: string
  readonly amount: number
  readonly description: string
  readonly fromMs: number
  readonly toMs: number
  readonly taxCode?: string
  readonly taxBehavior?: 'inclusive' | 'exclusive'
  /** Our lines in it, with their amounts. */
  readonly parts: readonly LinePart[]
}

/** The lines of an invoice for Stripe, in its minor units (billing rule 18). */
export function processorLines(
  invoice: Pick<InvoiceToSync, 'currency' | 'lines' | 'invoiceId' | 'automaticTax'>,
): readonly ProcessorLine[] {
  const c = currency(invoice.currency)
  return foldLines(invoice).map(({ amountMinor, ...line }) => ({
    ...line,
    amount: safeInteger(toProcessorMinor(amountMinor, c)),
    description: cutDescription(line.description),
  }))
}

function safeInteger(amount: bigint): number {
  const number = Number(amount)
  if (!Number.isSafeInteger(number))
    throw new DomainError('internal_error', `${amount} is beyond any invoice`)
  return number
}

export interface LineChunk {
  readonly lines: readonly ProcessorLine[]
  /** Only an invoice item takes a tax code: such a line goes by itself. */
  readonly way: 'batch' | 'item'
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
  return runsOf(lines).flatMap(({ way, run }) => {
    const missing = run.filter((line) => !present.has(line.lineId))
    return missing.length === 0 ? [] : [{ lines: missing, way, fingerprint: fingerprint(missing) }]
  })
}

interface Run {
  readonly way: LineChunk['way']
  readonly run: ProcessorLine[]
}

function runsOf(lines: readonly ProcessorLine[]): readonly Run[] {
  const runs: Run[] = []
  for (const [index, line] of lines.entries()) {
    const way = line.taxCode === undefined && line.taxBehavior === undefined ? 'batch' : 'item'
    const last = runs.at(-1)
    const goesOn = way === 'batch' && last?.way === 'batch' && index % linesPerCall !== 0
    if (goesOn) last.run.push(line)
    else runs.push({ way, run: [line] })
  }
  return runs
}

const fingerprint = (lines: readonly ProcessorLine[]): string =>
  fingerprintOf(lines.map((line) => ({ ...lineParams(line), ...taxParams(line) })))

export function lineParams(line: ProcessorLine) {
  const treatment = treatmentOf(line)
  return {
    amount: line.amount,
    description: line.description,
    discountable: false,
    metadata: {
      [metadataKeys.line]: line.lineId,
      ...(treatment !== '' && { [metadataKeys.tax]: treatment }),
    },
    period: periodParams(line),
  } satisfies Stripe.InvoiceAddLinesParams.Line
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
  const known = new Set(invoice.lines.map((line) => line.lineId))
  const foreign = theirLines.filter((line) => !known.has(line.metadata[metadataKeys.line] ?? ''))
  const numbers = `ours: ${describe(ours)}; at Stripe: ${describe(stripe)}`
  throw new DomainError('stripe_totals_differ', `${numbers}${describeForeign(foreign)}`, {
    details: {
      stripeInvoiceId: theirs.id,
      ours,
      stripe,
      differingLines: differing.slice(0, 10).map((line) => line.lineId),
      foreignLines: foreign.slice(0, 10).map(({ id, amount, description }) => ({ id, amount, description })),
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

/** Lines that somebody added at Stripe: named, so that a person finds them. */
function describeForeign(lines: readonly Stripe.InvoiceLineItem[]): string {
  if (lines.length === 0) return ''
  const named = lines
    .slice(0, 3)
    .map(({ id, amount, description }) => `${id} (${description ?? ''}, ${amount})`)
  return `; not ours: ${named.join(', ')}${lines.length > 3 ? ' and more' : ''}`
}
