import type { Currency } from './currency.ts'
import { Decimal, divideRounded, formatDecimal, toFraction } from './decimal.ts'
import { DomainError } from './errors.ts'

/** Rounds `numerator / denominator` major units to minor units: half away from zero, once, on the quantum (17, 18). */
export function fractionToMinor(numerator: bigint, denominator: bigint, c: Currency): bigint {
  const minorPerMajor = 10n ** BigInt(c.digits)
  return divideRounded(numerator * minorPerMajor, denominator * c.quantumMinor) * c.quantumMinor
}

/**
 * The only place a decimal amount becomes minor units: half away from zero, once a detailed line, never per unit
 * (rule 17). It rounds straight to the quantum: rounding to the minor unit first would round twice (rule 18).
 */
export function roundToMinor(amount: Decimal, c: Currency): bigint {
  const { numerator, denominator } = toFraction(amount)
  return fractionToMinor(numerator, denominator, c)
}

/** Minor units as a decimal string of the currency's digits: 1234n USD is `12.34`. */
export function formatMinor(minor: bigint, c: Currency): string {
  const sign = minor < 0n ? '-' : ''
  const text = (minor < 0n ? -minor : minor).toString().padStart(c.digits + 1, '0')
  if (c.digits === 0) return sign + text
  return `${sign}${text.slice(0, -c.digits)}.${text.slice(-c.digits)}`
}

/** Minor units as an exact decimal of major units. */
export function minorToDecimal(minor: bigint, c: Currency): Decimal {
  return new Decimal(formatMinor(minor, c))
}

/** What the processor is sent for an amount: ISK and UGX × 100, ariary without decimals (rule 18). */
export function toProcessorMinor(minor: bigint, c: Currency): bigint {
  const scaled = minor * c.processorFactor
  if (scaled % c.processorDivisor !== 0n) {
    throw new DomainError('internal_error', `${minor} is not a multiple of the quantum of ${c.code}`)
  }
  return scaled / c.processorDivisor
}

/** Our minor units of an amount that the processor reports; what it cannot have charged is refused. */
export function fromProcessorMinor(processorMinor: bigint, c: Currency): bigint {
  const scaled = processorMinor * c.processorDivisor
  if (scaled % c.processorFactor !== 0n) {
    throw new DomainError(
      'internal_error',
      `${processorMinor} is not an amount of ${c.code} at the processor`,
    )
  }
  return scaled / c.processorFactor
}

/**
 * The same for what the processor computes, such as tax: it has hundredths of a króna, which nobody can pay. Half away
 * from zero (rule 18).
 */
export function roundProcessorMinor(processorMinor: bigint, c: Currency): bigint {
  return divideRounded(processorMinor * c.processorDivisor, c.processorFactor)
}

const symbols: Readonly<Record<string, string>> = {
  USD: '$',
  EUR: '€',
  GBP: '£',
  JPY: '¥',
  INR: '₹',
  KRW: '₩',
}

/** A decimal for people, with thousands grouped: `22,361,870`. */
export function groupThousands(text: string): string {
  const [whole = '', decimals] = text.split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return decimals === undefined ? grouped : `${grouped}.${decimals}`
}

/** A price for people, with at least the currency's digits and as many more as it has: `$0.000003`, `$10.00`. */
export function displayAmount(amount: Decimal, c: Currency): string {
  const exact = formatDecimal(amount.abs())
  const decimals = exact.split('.')[1]?.length ?? 0
  const text = groupThousands(decimals >= c.digits ? exact : amount.abs().toFixed(c.digits))
  const sign = amount.lt('0') ? '-' : ''
  const symbol = symbols[c.code]
  return symbol === undefined ? `${sign}${c.code} ${text}` : `${sign}${symbol}${text}`
}

/** Minor units for people: `$12.34`. */
export function displayMinor(minor: bigint, c: Currency): string {
  return displayAmount(minorToDecimal(minor, c), c)
}
