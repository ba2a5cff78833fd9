import type { Currency } from './currency.ts'
import { toFraction, type Decimal } from './decimal.ts'
import { DomainError } from './errors.ts'
import { fractionToMinor } from './money.ts'
import type { Period } from './periods.ts'

/**
 * The price of the slice [a, b) of a full period, in minor units: `round(P·(b − start) / full) − round(P·(a − start) /
 * full)`, in milliseconds, multiplied before dividing (rules 19 and 24). Slices that cover the period add up to P,
 * however they are cut; a slice of nothing costs nothing.
 */
export function prorate(price: Decimal, slice: Period, full: Period, c: Currency): bigint {
  if (slice.from < full.from || slice.to > full.to || slice.from > slice.to || full.from >= full.to) {
    throw new DomainError('internal_error', 'A slice must lie inside its full service period')
  }
  const { numerator, denominator } = toFraction(price)
  const length = BigInt(full.to - full.from)
  const upTo = (ms: number) => fractionToMinor(numerator * BigInt(ms - full.from), denominator * length, c)
  return upTo(slice.to) - upTo(slice.from)
}

/**
 * The credit for the rest of a slice that was billed in advance and is cut short at an instant: never more than what
 * was really billed for it (rule 24). A cut at its start credits all of it, at its end nothing.
 */
export function unusedCredit(o: {
  readonly price: Decimal
  readonly service: Period
  readonly fullService: Period
  readonly cutMs: number
  /** What was billed for the slice, after discounts, in minor units. */
  readonly billedMinor: bigint
  readonly currency: Currency
}): bigint {
  const cut = Math.min(Math.max(o.cutMs, o.service.from), o.service.to)
  const rest = prorate(o.price, { from: cut, to: o.service.to }, o.fullService, o.currency)
  const listed = prorate(o.price, o.service, o.fullService, o.currency)
  if (o.billedMinor <= 0n || listed <= 0n || rest <= 0n) return 0n
  // Discounted slices are credited at the discounted price, rounded down: the remainder was used.
  const share = ((o.billedMinor * rest) / listed / o.currency.quantumMinor) * o.currency.quantumMinor
  return share < o.billedMinor ? share : o.billedMinor
}
