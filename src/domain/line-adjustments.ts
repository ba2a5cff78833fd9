import type { Currency } from './currency.ts'
import { divideRounded, parseDecimal, toFraction } from './decimal.ts'
import { displayMinor, formatMinor, roundToMinor } from './money.ts'
import type { Discounts } from './rate-card.ts'
import type { DetailedLine } from './rated-item.ts'

/** What a line comes to after discounts, in minor units. */
export function sumTotals(details: readonly DetailedLine[]): bigint {
  return details.reduce((sum, d) => sum + d.totalMinor, 0n)
}

function withDiscount(detail: DetailedLine, discountMinor: bigint): DetailedLine {
  return { ...detail, discountMinor, totalMinor: detail.amountMinor - discountMinor }
}

/** The percentage discount, on each rounded part: what people can check with the amounts they see (rule 15). */
export function discounted(
  details: readonly DetailedLine[],
  discounts: Discounts | undefined,
  c: Currency,
): readonly DetailedLine[] {
  const percentage = discounts?.percentage
  if (percentage === undefined) return details
  const { numerator, denominator } = toFraction(parseDecimal(String(percentage.percentage)))
  const quantum = c.quantumMinor
  return details.map((d) => {
    const share = divideRounded(d.amountMinor * numerator, denominator * 100n * quantum) * quantum
    return withDiscount(d, d.discountMinor + share)
  })
}

/** The maximum: what is beyond it is a discount of the parts that cross it, so that each part stays explained. */
export function capped(
  details: readonly DetailedLine[],
  maximumAmount: string | undefined,
  c: Currency,
): readonly DetailedLine[] {
  if (maximumAmount === undefined) return details
  let room = roundToMinor(parseDecimal(maximumAmount), c)
  return details.map((d) => {
    const kept = d.totalMinor < room ? d.totalMinor : room
    room -= kept
    return withDiscount(d, d.amountMinor - kept)
  })
}

/** The minimum: what is missing to it is a part of its own, after everything else (rule 15). */
export function commitment(
  details: readonly DetailedLine[],
  o: { readonly minimumMinor: bigint; readonly name: string; readonly currency: Currency },
): readonly DetailedLine[] {
  const missing = o.minimumMinor - sumTotals(details)
  if (missing <= 0n) return details
  const topUp: DetailedLine = {
    name: `${o.name}: minimum spend`,
    description: `${displayMinor(missing, o.currency)} to the minimum of ${displayMinor(o.minimumMinor, o.currency)}`,
    quantity: '1',
    perUnitAmount: formatMinor(missing, o.currency),
    amountMinor: missing,
    discountMinor: 0n,
    totalMinor: missing,
    category: 'commitment',
  }
  return [...details, topUp]
}
