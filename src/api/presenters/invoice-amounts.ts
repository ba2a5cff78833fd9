import { allocate } from '../../domain/allocate.ts'
import type { Currency } from '../../domain/currency.ts'
import { formatMinor } from '../../domain/money.ts'
import type { InvoiceTotals } from '../schemas/invoices.ts'

/** A detailed line as it is stored: minor units are text, since JSON has no big integers. */
export interface StoredDetail {
  readonly name: string
  readonly description: string
  readonly quantity: string
  readonly perUnitAmount: string
  readonly amountMinor: string
  readonly discountMinor: string
  readonly totalMinor: string
  readonly category: 'regular' | 'commitment'
  readonly tierIndex?: number
}

/** What totals are made of, in minor units. */
export interface Amounts {
  /** Before discounts and tax, charges included. */
  readonly amountMinor: bigint
  /** The part of it that only a commitment (minimum spend) added. */
  readonly chargesMinor: bigint
  readonly discountMinor: bigint
  readonly taxMinor: bigint
  /** The part of the tax that the amount holds and that is not added to it. */
  readonly includedTaxMinor: bigint
}

/** The contract's totals: amount + charges − discounts + tax that is added = total. */
export function presentTotals(amounts: Amounts, currency: Currency): InvoiceTotals {
  const format = (minor: bigint): string => formatMinor(minor, currency)
  const inclusive = amounts.includedTaxMinor
  const exclusive = amounts.taxMinor - inclusive
  return {
    amount: format(amounts.amountMinor - amounts.chargesMinor),
    chargesTotal: format(amounts.chargesMinor),
    discountsTotal: format(amounts.discountMinor),
    creditsTotal: format(0n),
    taxesInclusiveTotal: format(inclusive),
    taxesExclusiveTotal: format(exclusive),
    taxesTotal: format(amounts.taxMinor),
    total: format(amounts.amountMinor - amounts.discountMinor + exclusive),
  }
}

/** The sum of what commitments added to a line. */
export function chargesOf(details: readonly StoredDetail[]): bigint {
  return details
    .filter((detail) => detail.category === 'commitment')
    .reduce((sum, detail) => sum + BigInt(detail.amountMinor), 0n)
}

/** A line's tax, split over what explains it, so that the parts add up to the line (billing rule 19). */
export function taxOfDetails(taxMinor: bigint, details: readonly StoredDetail[]): readonly bigint[] {
  const weights = details.map((detail) => absolute(BigInt(detail.totalMinor)))
  const total = weights.reduce((sum, weight) => sum + weight, 0n)
  return allocate(taxMinor, total === 0n ? details.map(() => 1n) : weights)
}

const absolute = (value: bigint): bigint => (value < 0n ? -value : value)
