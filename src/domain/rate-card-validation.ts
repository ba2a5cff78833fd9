import { AMOUNT_MAX } from './amount-limit.ts'
import { parseCadence } from './calendar.ts'
import { parseDecimal, zero } from './decimal.ts'
import { DomainError } from './errors.ts'
import { groupThousands } from './money.ts'
import type { Discounts, Price, PriceTier, RateCard, TieredPrice, UsagePrice } from './rate-card.ts'
import { invalid, refusals, type Violation } from './violations.ts'

const maxTiers = 100

/** What is wrong with a rate card by itself. */
export function rateCardViolations(card: RateCard, field: string): readonly Violation[] {
  const { price, billingCadence } = card
  return [
    ...(billingCadence === null
      ? []
      : refusals(`${field}.billingCadence`, () => parseCadence(billingCadence))),
    ...(price === null ? [] : priceViolations(price, `${field}.price`)),
    ...featureViolations(card, field),
    ...discountViolations(card, `${field}.discounts`),
  ]
}

function featureViolations(card: RateCard, field: string): readonly Violation[] {
  const isMetered = card.price !== null && card.price.type !== 'flat'
  if (isMetered && card.featureKey === undefined) {
    return [invalid(`${field}.featureKey`, 'A price by usage needs the feature whose meter counts it')]
  }
  return card.entitlementTemplate !== undefined && card.featureKey === undefined
    ? [invalid(`${field}.featureKey`, 'An entitlement needs a feature')]
    : []
}

function discountViolations(card: RateCard, field: string): readonly Violation[] {
  const discounts: Discounts = card.discounts ?? {}
  const { percentage, usage } = discounts
  const isUsage = card.price !== null && card.price.type !== 'flat'
  return [
    ...(percentage === undefined
      ? []
      : percentageViolations(String(percentage.percentage), `${field}.percentage.percentage`)),
    ...(usage === undefined ? [] : nonNegative(usage.quantity, `${field}.usage.quantity`)),
    ...(usage !== undefined && !isUsage
      ? [invalid(`${field}.usage`, 'Free units need a price by usage')]
      : []),
  ]
}

function percentageViolations(text: string, field: string): readonly Violation[] {
  return refusals(field, () => {
    const value = parseDecimal(text)
    if (value.lt('0') || value.gt('100'))
      throw new DomainError('validation_failed', 'A percentage is from 0 to 100')
  })
}

function priceViolations(price: Price, field: string): readonly Violation[] {
  switch (price.type) {
    case 'flat':
      return amountViolations(price.amount, `${field}.amount`)
    case 'unit':
      return [...amountViolations(price.amount, `${field}.amount`), ...commitmentViolations(price, field)]
    case 'dynamic':
      return [
        ...nonNegative(price.multiplier ?? '1', `${field}.multiplier`),
        ...commitmentViolations(price, field),
      ]
    case 'package':
      return [
        ...amountViolations(price.amount, `${field}.amount`),
        ...positive(price.quantityPerPackage, `${field}.quantityPerPackage`),
        ...commitmentViolations(price, field),
      ]
    case 'tiered':
      return [...tiersViolations(price, `${field}.tiers`), ...commitmentViolations(price, field)]
  }
}

function commitmentViolations(price: UsagePrice, field: string): readonly Violation[] {
  const { minimumAmount: min, maximumAmount: max } = price
  const unreadable = [
    ...(min === undefined ? [] : amountViolations(min, `${field}.minimumAmount`)),
    ...(max === undefined ? [] : nonNegative(max, `${field}.maximumAmount`)),
  ]
  if (unreadable.length > 0 || min === undefined || max === undefined) return unreadable
  return parseDecimal(min).gt(parseDecimal(max))
    ? [invalid(`${field}.minimumAmount`, 'The minimum is above the maximum')]
    : []
}

/** Bounds increase strictly, and the last tier, and no other, is open (rule 12). */
function tiersViolations(price: TieredPrice, field: string): readonly Violation[] {
  const { tiers } = price
  if (tiers.length > maxTiers) return [invalid(field, `A price has at most ${maxTiers} tiers`)]
  const amounts = tiers.flatMap((tier, i) => tierViolations(tier, `${field}[${i}]`))
  if (amounts.length > 0) return amounts
  const open = tiers.findIndex((tier) => tier.upToAmount === undefined)
  if (tiers.length === 0 || open !== tiers.length - 1) {
    const where = open === -1 ? tiers.length - 1 : open
    const at = tiers.length === 0 ? field : `${field}[${where}].upToAmount`
    return [
      { field: at, code: 'tier_open_end_missing', message: 'The last tier, and no other, has no upToAmount' },
    ]
  }
  return boundViolations(tiers, field)
}

function boundViolations(tiers: readonly PriceTier[], field: string): readonly Violation[] {
  let previous = zero
  return tiers.flatMap(({ upToAmount }, i): readonly Violation[] => {
    if (upToAmount === undefined) return []
    const bound = parseDecimal(upToAmount)
    const increases = bound.gt(previous)
    previous = bound
    const message = 'Each bound is above the one before, the first above 0'
    return increases
      ? []
      : [{ field: `${field}[${i}].upToAmount`, code: 'tier_bounds_not_increasing', message }]
  })
}

function tierViolations(tier: PriceTier, field: string): readonly Violation[] {
  return [
    ...(tier.upToAmount === undefined
      ? []
      : refusals(`${field}.upToAmount`, () => parseDecimal(tier.upToAmount ?? ''))),
    ...(tier.flatPrice === null ? [] : amountViolations(tier.flatPrice.amount, `${field}.flatPrice.amount`)),
    ...(tier.unitPrice === null ? [] : amountViolations(tier.unitPrice.amount, `${field}.unitPrice.amount`)),
  ]
}

function nonNegative(text: string, field: string): readonly Violation[] {
  return refusals(field, () => {
    if (parseDecimal(text).lt('0')) throw new DomainError('validation_failed', 'It must not be negative')
  })
}

/** An amount that a line of an invoice can hold (rule 33). */
function amountViolations(text: string, field: string): readonly Violation[] {
  return refusals(field, () => {
    const amount = parseDecimal(text)
    if (amount.lt('0')) throw new DomainError('validation_failed', 'It must not be negative')
    if (amount.gt(AMOUNT_MAX)) {
      throw new DomainError('validation_failed', `It must be at most ${groupThousands(AMOUNT_MAX)}`)
    }
  })
}

function positive(text: string, field: string): readonly Violation[] {
  return refusals(field, () => {
    if (parseDecimal(text).lte('0')) throw new DomainError('validation_failed', 'It must be above 0')
  })
}
