import type { Currency } from './currency.ts'
import { ceilDivide, Decimal, formatDecimal, parseDecimal, zero } from './decimal.ts'
import { assertNever, DomainError } from './errors.ts'
import { displayAmount, groupThousands } from './money.ts'
import type { PackagePrice, PriceTier, TieredPrice, UsagePrice } from './rate-card.ts'

/** One priced part of a quantity, exact: `amount` is `quantity × perUnit` and not rounded yet. */
export interface PricePart {
  /** What it is, e.g. `tier 2`; empty for the only part of a price. */
  readonly label: string
  readonly quantity: Decimal
  readonly perUnit: Decimal
  /** The arithmetic in words: `22,361,870 × $0.000003`. */
  readonly words: string
  readonly tierIndex?: number
}

/** Prices a quantity (rules 12 to 14). Every price has at least one part, also at zero usage. */
export function priceUsage(price: UsagePrice, quantity: Decimal, c: Currency): readonly PricePart[] {
  switch (price.type) {
    case 'unit':
      return [unitPart({ label: '', quantity, perUnit: parseDecimal(price.amount), c })]
    case 'package':
      return [packagePart(price, quantity, c)]
    case 'dynamic':
      return [dynamicPart(parseDecimal(price.multiplier ?? '1'), quantity, c)]
    case 'tiered':
      return price.mode === 'graduated' ? graduated(price, quantity, c) : volume(price, quantity, c)
    default:
      return assertNever(price)
  }
}

interface UnitInput {
  readonly label: string
  readonly quantity: Decimal
  readonly perUnit: Decimal
  readonly c: Currency
  readonly tierIndex?: number
}

function unitPart({ c, ...part }: UnitInput): PricePart {
  const words = `${groupThousands(formatDecimal(part.quantity))} × ${displayAmount(part.perUnit, c)}`
  return { ...part, words }
}

function packagePart(price: PackagePrice, quantity: Decimal, c: Currency): PricePart {
  const size = parseDecimal(price.quantityPerPackage)
  const perUnit = parseDecimal(price.amount)
  const packages = new Decimal(ceilDivide(quantity, size).toString())
  const per = groupThousands(formatDecimal(size))
  const count = groupThousands(formatDecimal(packages))
  return {
    label: '',
    quantity: packages,
    perUnit,
    words: `${count} × ${displayAmount(perUnit, c)} per ${per}`,
  }
}

/** The metered value is money already: it is multiplied, not counted. */
function dynamicPart(multiplier: Decimal, value: Decimal, c: Currency): PricePart {
  const words = `${displayAmount(value, c)} × ${groupThousands(formatDecimal(multiplier))}`
  return { label: '', quantity: value, perUnit: multiplier, words }
}

/** Each tier prices its own slice; a tier's flat fee is charged once it is entered, the first one's always (13). */
function graduated(price: TieredPrice, quantity: Decimal, c: Currency): readonly PricePart[] {
  let from = zero
  const parts: PricePart[] = []
  for (const [index, tier] of price.tiers.entries()) {
    const entered = index === 0 || quantity.gt(from)
    if (!entered) break
    const bound = tier.upToAmount === undefined ? quantity : parseDecimal(tier.upToAmount)
    const slice = (quantity.lt(bound) ? quantity : bound).minus(from)
    parts.push(...tierParts({ tier, index, slice, c }))
    from = bound
  }
  return parts
}

/** The tier that the total falls in prices every unit (13); its bound is inclusive (12). */
function volume(price: TieredPrice, quantity: Decimal, c: Currency): readonly PricePart[] {
  const index = price.tiers.findIndex(
    (t) => t.upToAmount === undefined || quantity.lte(parseDecimal(t.upToAmount)),
  )
  const tier = price.tiers[index]
  if (tier === undefined) throw new DomainError('tier_open_end_missing')
  return tierParts({ tier, index, slice: quantity, c })
}

function tierParts(o: { tier: PriceTier; index: number; slice: Decimal; c: Currency }): readonly PricePart[] {
  const { tier, index, slice, c } = o
  const label = `tier ${index + 1}`
  const flat =
    tier.flatPrice === null ? null : flatPart(parseDecimal(tier.flatPrice.amount), `${label} flat fee`, c)
  const perUnit = tier.unitPrice === null ? zero : parseDecimal(tier.unitPrice.amount)
  const hasUnits = (tier.unitPrice !== null && slice.gt(zero)) || flat === null
  const units = hasUnits ? [unitPart({ label, quantity: slice, perUnit, c, tierIndex: index })] : []
  return flat === null ? units : [...units, { ...flat, tierIndex: index }]
}

function flatPart(amount: Decimal, label: string, c: Currency): PricePart {
  return { label, quantity: new Decimal('1'), perUnit: amount, words: displayAmount(amount, c) }
}
