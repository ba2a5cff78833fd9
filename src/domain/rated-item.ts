/** A part of a line that explains its share of the amount: rounded once, then only added up (rule 17). */
export interface DetailedLine {
  readonly name: string
  /** The arithmetic in words: `22,361,870 × $0.000003`. */
  readonly description: string
  readonly quantity: string
  /** In major units, with all its digits. */
  readonly perUnitAmount: string
  readonly amountMinor: bigint
  readonly discountMinor: bigint
  /** amountMinor − discountMinor */
  readonly totalMinor: bigint
  readonly category: 'regular' | 'commitment'
  readonly tierIndex?: number
}

/** A line with its amounts in minor units and what explains them. */
export interface RatedItem {
  /** What the meter counted; null for fixed fees and for a meter without a value (rule 11). */
  readonly meteredQuantity: string | null
  /** What was priced: after free units, 1 for a fixed fee. */
  readonly quantity: string | null
  readonly details: readonly DetailedLine[]
  readonly amountMinor: bigint
  readonly discountMinor: bigint
  readonly totalMinor: bigint
  readonly description: string
}
