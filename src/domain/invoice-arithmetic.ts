import type { Currency } from './currency.ts'

/** The amounts of a line, in minor units. */
export interface LineAmounts {
  readonly amountMinor: bigint
  readonly discountMinor: bigint
  readonly totalMinor: bigint
}

/**
 * What becomes of an invoice (rule 21):
 * - nothing: no lines, so no invoice; what was carried stays carried
 * - settled_zero: settled at once, without a payment or the processor
 * - collect: sent to the processor
 * - carried: too small or negative for the processor: it stays in our ledger for the next invoice, or after the last
 *   one as the remainder that is reported
 */
type Disposition = 'nothing' | 'settled_zero' | 'collect' | 'carried'

export interface TotalsInput<L extends LineAmounts> {
  readonly lines: readonly L[]
  readonly currency: Currency
  /** What earlier invoices carried: positive is owed by the customer, negative to the customer. */
  readonly carriedInMinor: bigint
  /** No invoice comes after this one. */
  readonly isLast: boolean
}

export interface Totals<L extends LineAmounts> {
  readonly lines: readonly L[]
  /** The carried balance as a line of its own; null when nothing was carried or there is no invoice. */
  readonly carriedLine: LineAmounts | null
  /** Before discounts, the carried line included. */
  readonly subtotalMinor: bigint
  readonly discountMinor: bigint
  /** Net, before tax: subtotal − discounts. The sum of the rounded lines (rule 17). */
  readonly totalMinor: bigint
  readonly disposition: Disposition
  /** What the ledger holds after this invoice. */
  readonly carriedOutMinor: bigint
  /** Whether carriedOutMinor is the remainder after the last invoice, to be reported or written off. */
  readonly isRemainder: boolean
}

/** The totals of an invoice and what becomes of it (rules 17, 20 and 21). */
export function planTotals<L extends LineAmounts>(input: TotalsInput<L>): Totals<L> {
  const { lines, currency, carriedInMinor, isLast } = input
  const isWorthAnInvoice = lines.length > 0 || (isLast && isCollectable(carriedInMinor, currency))
  const carriedLine = isWorthAnInvoice && carriedInMinor !== 0n ? carried(carriedInMinor) : null
  const all: readonly LineAmounts[] = carriedLine === null ? lines : [...lines, carriedLine]
  const subtotalMinor = all.reduce((sum, l) => sum + l.amountMinor, 0n)
  const discountMinor = all.reduce((sum, l) => sum + l.discountMinor, 0n)
  const totalMinor = subtotalMinor - discountMinor
  const disposition = isWorthAnInvoice ? dispositionOf(totalMinor, currency) : 'nothing'
  const carriedOutMinor = { nothing: carriedInMinor, carried: totalMinor, settled_zero: 0n, collect: 0n }[
    disposition
  ]
  return {
    lines,
    carriedLine,
    subtotalMinor,
    discountMinor,
    totalMinor,
    disposition,
    carriedOutMinor,
    isRemainder: isLast && carriedOutMinor !== 0n,
  }
}

const carried = (minor: bigint): LineAmounts => ({ amountMinor: minor, discountMinor: 0n, totalMinor: minor })

function dispositionOf(totalMinor: bigint, c: Currency): Disposition {
  if (totalMinor === 0n) return 'settled_zero'
  return isCollectable(totalMinor, c) ? 'collect' : 'carried'
}

/** Whether the processor charges an amount: at least its minimum (rule 21). */
function isCollectable(totalMinor: bigint, c: Currency): boolean {
  return totalMinor >= (c.processorMinimumMinor ?? 1n)
}
