import type { Currency } from '../../domain/currency.ts'
import { divideRounded, formatDecimal, parseDecimal, toFraction, zero } from '../../domain/decimal.ts'
import { formatMinor } from '../../domain/money.ts'
import type { RateCard } from '../../domain/rate-card.ts'
import type { LineDiscounts } from '../schemas/invoices.ts'
import type { StoredDetail } from './invoice-amounts.ts'
import { derivedId } from './derived-id.ts'

interface DiscountContext {
  /** The line or detailed line that was discounted. */
  readonly ownerId: string
  readonly rateCard: RateCard | null
  readonly currency: Currency
  readonly stamps: { createdAt: string; updatedAt: string }
}

/** What of the parts' discounts is the rate card's percentage; the rest is beyond its maximum spend (billing rule 15). */
function split(details: readonly StoredDetail[], context: DiscountContext) {
  const percentage = context.rateCard?.discounts?.percentage
  const total = details.reduce((sum, detail) => sum + BigInt(detail.discountMinor), 0n)
  if (percentage === undefined) return { byPercentage: 0n, byMaximum: total }
  const { numerator, denominator } = toFraction(parseDecimal(String(percentage.percentage)))
  const quantum = context.currency.quantumMinor
  const byPercentage = details.reduce((sum, detail) => {
    if (detail.category === 'commitment') return sum
    return sum + divideRounded(BigInt(detail.amountMinor) * numerator, denominator * 100n * quantum) * quantum
  }, 0n)
  const capped = byPercentage > total ? total : byPercentage
  return { byPercentage: capped, byMaximum: total - capped }
}

/** The discounts of amounts, by their reason; undefined when there are none. */
export function presentAmountDiscounts(
  details: readonly StoredDetail[],
  context: DiscountContext,
): NonNullable<LineDiscounts['amount']> | undefined {
  const { byPercentage, byMaximum } = split(details, context)
  const found: NonNullable<LineDiscounts['amount']> = []
  const percentage = context.rateCard?.discounts?.percentage?.percentage
  if (byPercentage !== 0n && percentage !== undefined) {
    found.push({
      id: derivedId(context.ownerId, 'discount/percentage'),
      ...context.stamps,
      reason: { type: 'ratecard_percentage', percentage: Number(percentage) },
      amount: formatMinor(byPercentage, context.currency),
    })
  }
  if (byMaximum !== 0n) {
    found.push({
      id: derivedId(context.ownerId, 'discount/maximum'),
      ...context.stamps,
      reason: { type: 'maximum_spend' },
      amount: formatMinor(byMaximum, context.currency),
    })
  }
  return found.length === 0 ? undefined : found
}

/** Free units that were used; undefined when there are none. */
export function presentUsageDiscounts(
  meteredQuantity: string | null,
  context: DiscountContext,
): NonNullable<LineDiscounts['usage']> | undefined {
  const free = context.rateCard?.discounts?.usage?.quantity
  if (free === undefined || meteredQuantity === null) return undefined
  const metered = parseDecimal(meteredQuantity)
  const offered = parseDecimal(free)
  const used = metered.lt(offered) ? metered : offered
  if (used.lte(zero)) return undefined
  return [
    {
      id: derivedId(context.ownerId, 'discount/usage'),
      ...context.stamps,
      reason: { type: 'ratecard_usage', quantity: free },
      quantity: formatDecimal(used),
    },
  ]
}
