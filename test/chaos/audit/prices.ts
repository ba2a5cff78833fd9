import { Big } from 'big.js'
import type { Span } from './calendar.ts'
import type { Price, RateCard, Tier } from './rows.ts'

/** Own copies of ours, so that one that strict arithmetic needs stays apart: quotients are exact enough to be rounded. */
const Decimal = Big()
Decimal.DP = 60
Decimal.RM = Big.roundHalfUp

const digitsOf: Readonly<Record<string, number>> = { USD: 2, EUR: 2, GBP: 2, CHF: 2, JPY: 0, KRW: 0 }
/** What Stripe charges at least, in minor units. */
const leastOf: Readonly<Record<string, bigint>> = {
  USD: 50n,
  EUR: 50n,
  GBP: 30n,
  CHF: 50n,
  JPY: 50n,
  KRW: 1n,
}

function known<T>(table: Readonly<Record<string, T>>, currency: string): T {
  const value = table[currency]
  if (value === undefined) throw new Error(`the audit does not know ${currency}`)
  return value
}

/** The least that is collected, in minor units: below it an amount is carried. */
export const leastCharge = (currency: string): bigint => known(leastOf, currency)

/** Minor units, half away from zero. */
function minor(amount: Big, currency: string): bigint {
  const scaled = amount.times(new Decimal(10).pow(known(digitsOf, currency)))
  return BigInt(scaled.round(0, Big.roundHalfUp).toFixed(0))
}

/** One stretch of a price. */
export interface Priced {
  readonly rateCard: RateCard
  readonly service: Span
  readonly full: Span
  readonly currency: string
  /** Whether a partial period costs its share. */
  readonly prorates: boolean
}

/** What a slice comes to after discounts and before tax, in minor units, for a metered quantity. */
export function priceOf(slice: Priced, metered: Big): bigint {
  const { rateCard, currency } = slice
  const { price, discounts } = rateCard
  if (price === null) return 0n
  const percentage = new Decimal(String(discounts?.percentage?.percentage ?? '0'))
  const off = (part: bigint): bigint =>
    part - roundRatio(new Decimal(part.toString()).times(percentage).div('100'))
  if (price.type === 'flat') return off(share(slice, price.amount ?? '0'))
  const free = new Decimal(discounts?.usage?.quantity ?? '0')
  const units = metered.gt(free) ? new Decimal(metered.toString()).minus(free) : new Decimal(0)
  const parts = partsOf(price, units).map((part) => off(minor(part, currency)))
  const sum = parts.reduce((total, part) => total + part, 0n)
  const capped =
    price.maximumAmount === undefined ? sum : least(sum, minor(new Decimal(price.maximumAmount), currency))
  return price.minimumAmount === undefined ? capped : most(capped, share(slice, price.minimumAmount))
}

const roundRatio = (value: Big): bigint => BigInt(value.round(0, Big.roundHalfUp).toFixed(0))
const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
const most = (a: bigint, b: bigint): bigint => (a > b ? a : b)

/** The share of a whole period's amount: the difference of two rounded sums, so that slices add up. */
function share({ service, full, currency, prorates }: Priced, amount: string): bigint {
  const whole = new Decimal(amount)
  const isWhole = service.from === full.from && service.to === full.to
  if (!prorates || isWhole) return minor(whole, currency)
  const upTo = (at: number): bigint => minor(whole.times(at - full.from).div(full.to - full.from), currency)
  return upTo(service.to) - upTo(service.from)
}

/** Each is rounded by itself. */
function partsOf(price: Price, units: Big): readonly Big[] {
  const amount = new Decimal(price.amount ?? '0')
  switch (price.type) {
    case 'unit':
      return [amount.times(units)]
    case 'dynamic':
      return [units.times(price.multiplier ?? '1')]
    case 'package': {
      const size = new Decimal(price.quantityPerPackage ?? '1')
      return [units.div(size).round(0, Big.roundUp).times(amount)]
    }
    case 'tiered':
      return price.mode === 'volume' ? volume(price.tiers ?? [], units) : graduated(price.tiers ?? [], units)
    case 'flat':
      return [amount]
  }
}

function volume(tiers: readonly Tier[], units: Big): readonly Big[] {
  const tier = tiers.find(({ upToAmount }) => upToAmount === undefined || units.lte(upToAmount))
  return tier === undefined ? [] : tierParts(tier, units)
}

function graduated(tiers: readonly Tier[], units: Big): readonly Big[] {
  let from = new Decimal(0)
  return tiers.flatMap((tier, index) => {
    const start = from
    if (tier.upToAmount !== undefined) from = new Decimal(tier.upToAmount)
    if (index > 0 && units.lte(start)) return []
    const upTo = tier.upToAmount !== undefined && units.gt(tier.upToAmount) ? from : units
    return tierParts(tier, upTo.minus(start))
  })
}

const tierParts = ({ flatPrice, unitPrice }: Tier, units: Big): readonly Big[] => [
  new Decimal(flatPrice?.amount ?? '0'),
  units.times(unitPrice?.amount ?? '0'),
]
