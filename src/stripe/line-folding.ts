import type { InvoiceToSync, LinePart, LineToSync } from './invoice-types.ts'

/** Stripe takes 250 lines an invoice; what is more becomes one line a tax treatment, explained by our own statement. */
const maxLines = 250

/** A line for Stripe, made of one or more of ours. */
export interface FoldedLine extends LineToSync {
  /** Ours, with their amounts: its tax is theirs by these. */
  readonly parts: readonly LinePart[]
}

/**
 * Our lines as Stripe can take them. With automatic tax no line may be negative (Stripe Tax refuses them): a credit is
 * taken off a line that is taxed alike, and only where those do not suffice off another.
 */
export function foldLines(
  invoice: Pick<InvoiceToSync, 'lines' | 'invoiceId' | 'automaticTax'>,
): readonly FoldedLine[] {
  const isTaxed = invoice.automaticTax === true
  const single = invoice.lines.map((line) => ({
    ...(isTaxed ? line : withoutTax(line)),
    parts: [{ lineId: line.lineId, amountMinor: line.amountMinor }],
  }))
  const folded = foldTail(single, invoice.invoiceId)
  return isTaxed ? netCredits(folded) : folded
}

function withoutTax({ taxCode: _code, taxBehavior: _behavior, ...line }: LineToSync): LineToSync {
  return line
}

/** How a line is taxed, as one word; empty: as the account does. */
export const treatmentOf = ({ taxCode, taxBehavior }: Pick<LineToSync, 'taxCode' | 'taxBehavior'>): string =>
  [taxCode, taxBehavior].filter((part) => part !== undefined).join(':')

function foldTail(lines: readonly FoldedLine[], invoiceId: string): readonly FoldedLine[] {
  if (lines.length <= maxLines) return lines
  const treatments = new Set(lines.map(treatmentOf))
  const kept = lines.slice(0, maxLines - treatments.size)
  const tail = lines.slice(kept.length)
  const rests = [...treatments].flatMap((treatment) => {
    const alike = tail.filter((line) => treatmentOf(line) === treatment)
    return alike.length === 0 ? [] : [restOf(alike, ['rest', invoiceId, treatment])]
  })
  return [...kept, ...rests]
}

function restOf(lines: readonly FoldedLine[], id: readonly string[]): FoldedLine {
  return merge(lines, {
    lineId: id.filter((part) => part !== '').join(':'),
    description: `${lines.length} further lines, listed in the statement`,
  })
}

/** Lines as one, taxed as the first is. */
function merge(
  lines: readonly FoldedLine[],
  as: { readonly lineId: string; readonly description: string },
): FoldedLine {
  const [first] = lines
  if (first === undefined) throw new Error('nothing to merge')
  return {
    ...first,
    ...as,
    amountMinor: lines.reduce((sum, line) => sum + line.amountMinor, 0n),
    fromMs: Math.min(...lines.map((line) => line.fromMs)),
    toMs: Math.max(...lines.map((line) => line.toMs)),
    parts: lines.flatMap((line) => line.parts),
  }
}

/** Each credit goes into the largest line that is taxed alike, else into the largest of all, until none is negative. */
function netCredits(lines: readonly FoldedLine[]): readonly FoldedLine[] {
  let all = lines
  for (;;) {
    const credit = all.find((line) => line.amountMinor < 0n)
    if (credit === undefined) return all
    const positive = all.filter((line) => line.amountMinor > 0n)
    const alike = positive.filter((line) => treatmentOf(line) === treatmentOf(credit))
    const target = largest(alike.length > 0 ? alike : positive)
    // The whole invoice is a credit: no such invoice is sent, and Stripe says no if one is.
    if (target === undefined) return all
    const net = merge([target, credit], {
      lineId: target.lineId.startsWith('net:') ? target.lineId : `net:${target.lineId}`,
      description: `${target.description}; less ${credit.description}`,
    })
    all = all.filter((line) => line !== credit).map((line) => (line === target ? net : line))
  }
}

function largest(lines: readonly FoldedLine[]): FoldedLine | undefined {
  return lines.reduce<FoldedLine | undefined>(
    (best, line) => (best === undefined || line.amountMinor > best.amountMinor ? line : best),
    undefined,
  )
}
