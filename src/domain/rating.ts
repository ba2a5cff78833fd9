import type { Currency } from './currency.ts'
import { formatDecimal, parseDecimal, zero, type Decimal } from './decimal.ts'
import { displayAmount, displayMinor, formatMinor, groupThousands, roundToMinor } from './money.ts'
import { commitment, discounted, capped, sumTotals } from './line-adjustments.ts'
import { priceUsage, type PricePart } from './pricing.ts'
import { prorate } from './proration.ts'
import type { Period } from './periods.ts'
import type { FlatPrice, UsagePrice } from './rate-card.ts'
import type { DetailedLine, RatedItem } from './rated-item.ts'
import type { BillableItem } from './schedule.ts'

export type { RatedItem } from './rated-item.ts'

export interface RatingInput {
  /** Usage of the whole service period; null for fixed fees and for a meter without a value, which is 0 units. */
  readonly meteredQuantity: Decimal | null
  readonly currency: Currency
  /** Whether a partial period prorates fixed fees and the minimum. */
  readonly proRating: boolean
  /** The period goes on (threshold billing): its minimum is not applied yet (rules 10 and 15). */
  readonly isPrefix?: boolean
}

/** Rates an item in the order of rule 15: free units, price, percentage discount, maximum, minimum. */
export function rateItem(item: BillableItem, input: RatingInput): RatedItem {
  const price = item.rateCard.price
  if (price === null) return summarize([], { metered: null, quantity: null, words: 'free' })
  return price.type === 'flat' ? rateFlat(item, price, input) : rateUsage(item, price, input)
}

function rateFlat(item: BillableItem, price: FlatPrice, { currency: c, proRating }: RatingInput): RatedItem {
  const amount = parseDecimal(price.amount)
  const isPartial = proRating && !samePeriod(item.service, item.fullService)
  const amountMinor = isPartial ? prorate(amount, item.service, item.fullService, c) : roundToMinor(amount, c)
  const listed = displayAmount(amount, c)
  const detail: DetailedLine = {
    name: item.rateCard.name,
    description: isPartial ? `${listed} × ${shareInWords(item.service, item.fullService)}` : listed,
    quantity: '1',
    perUnitAmount: isPartial ? formatMinor(amountMinor, c) : price.amount,
    amountMinor,
    discountMinor: 0n,
    totalMinor: amountMinor,
    category: 'regular',
  }
  return summarize(discounted([detail], item.rateCard.discounts, c), {
    metered: null,
    quantity: '1',
    currency: c,
  })
}

function rateUsage(item: BillableItem, price: UsagePrice, input: RatingInput): RatedItem {
  const { currency: c, meteredQuantity } = input
  const { quantity, words: freeWords } = withoutFreeUnits(item, meteredQuantity ?? zero)
  const parts = priceUsage(price, quantity, c).map((part) => toDetail(item.rateCard.name, part, c))
  const afterDiscount = discounted(parts, item.rateCard.discounts, c)
  const afterMaximum = capped(afterDiscount, price.maximumAmount, c)
  const minimumMinor = input.isPrefix === true ? 0n : minimumOf(item, price, input)
  const details = commitment(afterMaximum, { minimumMinor, name: item.rateCard.name, currency: c })
  return summarize(details, {
    metered: meteredQuantity === null ? null : formatDecimal(meteredQuantity),
    quantity: formatDecimal(quantity),
    currency: c,
    ...(freeWords === '' ? {} : { suffix: freeWords }),
  })
}

/** Free units come off before the price; usage below zero is billed as none. */
function withoutFreeUnits(item: BillableItem, metered: Decimal): { quantity: Decimal; words: string } {
  const free =
    item.rateCard.discounts?.usage === undefined ? zero : parseDecimal(item.rateCard.discounts.usage.quantity)
  const rest = metered.minus(free)
  const words = free.gt(zero)
    ? ` (${groupThousands(formatDecimal(metered))} used, ${groupThousands(formatDecimal(free))} free)`
    : ''
  return { quantity: rest.gt(zero) ? rest : zero, words }
}

/** The minimum of a partial period is its share, by the slice formula (rules 15 and 19). */
function minimumOf(item: BillableItem, price: UsagePrice, input: RatingInput): bigint {
  if (price.minimumAmount === undefined) return 0n
  const minimum = parseDecimal(price.minimumAmount)
  const isPartial = input.proRating && !samePeriod(item.service, item.fullService)
  return isPartial
    ? prorate(minimum, item.service, item.fullService, input.currency)
    : roundToMinor(minimum, input.currency)
}

function toDetail(name: string, part: PricePart, c: Currency): DetailedLine {
  const amountMinor = roundToMinor(part.quantity.times(part.perUnit), c)
  return {
    name: part.label === '' ? name : `${name}: ${part.label}`,
    description: part.words,
    quantity: formatDecimal(part.quantity),
    perUnitAmount: formatDecimal(part.perUnit),
    amountMinor,
    discountMinor: 0n,
    totalMinor: amountMinor,
    category: 'regular',
    ...(part.tierIndex === undefined ? {} : { tierIndex: part.tierIndex }),
  }
}

interface SummaryInput {
  readonly metered: string | null
  readonly quantity: string | null
  readonly currency?: Currency
  readonly words?: string
  readonly suffix?: string
}

/** Longer arithmetic is cut: the detailed lines have all of it. */
const maxWords = 480

function summarize(details: readonly DetailedLine[], s: SummaryInput): RatedItem {
  const amountMinor = details.reduce((sum, d) => sum + d.amountMinor, 0n)
  const discountMinor = details.reduce((sum, d) => sum + d.discountMinor, 0n)
  const off =
    discountMinor === 0n || s.currency === undefined
      ? ''
      : ` − ${displayMinor(discountMinor, s.currency)} off`
  const all = s.words ?? details.map((d) => d.description).join(' + ') + off + (s.suffix ?? '')
  return {
    meteredQuantity: s.metered,
    quantity: s.quantity,
    details,
    amountMinor,
    discountMinor,
    totalMinor: sumTotals(details),
    description: all.length > maxWords ? `${all.slice(0, maxWords)}…` : all,
  }
}

export interface LateInput {
  readonly item: Pick<BillableItem, 'rateCard'>
  /** The whole period rated again with everything that is visible now. */
  readonly now: RatedItem
  /** What all invoices so far billed for the slice, in minor units. */
  readonly billedMinor: bigint
  /** The metered quantity that was billed. */
  readonly billedQuantity: Decimal
  readonly currency: Currency
}

/**
 * The correction of a closed period: `rate(all) − already billed`, never the late units rated alone; it can be negative
 * (rule 9). null when there is nothing to correct.
 */
export function lateDifference(input: LateInput): RatedItem | null {
  const { item, now, billedMinor, currency: c } = input
  const difference = now.totalMinor - billedMinor
  if (difference === 0n) return null
  const metered = now.meteredQuantity === null ? zero : parseDecimal(now.meteredQuantity)
  const lateUnits = formatDecimal(metered.minus(input.billedQuantity))
  const detail: DetailedLine = {
    name: `${item.rateCard.name}: late usage`,
    description: `${now.description} = ${displayMinor(now.totalMinor, c)}, less ${displayMinor(billedMinor, c)} billed before`,
    quantity: '1',
    perUnitAmount: formatMinor(difference, c),
    amountMinor: difference,
    discountMinor: 0n,
    totalMinor: difference,
    category: 'regular',
  }
  return summarize([detail], { metered: lateUnits, quantity: lateUnits, currency: c })
}

const samePeriod = (a: Period, b: Period): boolean => a.from === b.from && a.to === b.to

const units: readonly (readonly [string, number])[] = [
  ['days', 86_400_000],
  ['hours', 3_600_000],
  ['minutes', 60_000],
  ['seconds', 1_000],
]

/** `16/31 days`: in the largest unit that both are whole numbers of. */
function shareInWords(slice: Period, full: Period): string {
  const part = slice.to - slice.from
  const whole = full.to - full.from
  const [name, size] = units.find(([, ms]) => part % ms === 0 && whole % ms === 0) ?? ['milliseconds', 1]
  return `${part / size}/${whole / size} ${name}`
}
