import { Big } from 'big.js'
import { DomainError } from './errors.ts'

/** Strict: numbers and implicit coercion throw, so a float cannot reach an amount (rule 17). */
export const Decimal = Big()
Decimal.strict = true
export type Decimal = Big

export const zero: Decimal = new Decimal('0')

const maxDigits = 64
const maxExponent = 40
const maxLength = 130
const shape = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/i

/**
 * Parses a decimal. Bounded, so that no caller can make an amount of a million digits: at most 64 significant digits
 * and an exponent within ±40.
 * @throws DomainError invalid_decimal
 */
export function parseDecimal(text: string, field?: string): Decimal {
  const refuse = (why: string): never => {
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text
    throw new DomainError('invalid_decimal', `"${shown}" ${why}`, field === undefined ? {} : { field })
  }
  if (text.length > maxLength || !shape.test(text)) return refuse('is not a decimal number')
  // big.js knows no plus sign.
  const value = new Decimal(text.replace(/^\+/, ''))
  if (value.c.length > maxDigits) return refuse(`has more than ${maxDigits} significant digits`)
  if (Math.abs(value.e) > maxExponent) return refuse(`has an exponent beyond ±${maxExponent}`)
  return value
}

/** Plain notation without an exponent: `0.000003`, never `3e-6`; zero has no sign. */
export function formatDecimal(value: Decimal): string {
  return value.eq(zero) ? '0' : value.toFixed()
}

/** A decimal as an exact fraction of integers, for arithmetic that multiplies before it divides. */
export function toFraction(value: Decimal): { readonly numerator: bigint; readonly denominator: bigint } {
  const [whole = '0', decimals = ''] = value.toFixed().split('.')
  return { numerator: BigInt(whole + decimals), denominator: 10n ** BigInt(decimals.length) }
}

/** The quotient rounded half away from zero: the one rounding mode of the product (rule 17). */
export function divideRounded(numerator: bigint, denominator: bigint): bigint {
  const negative = numerator < 0n !== denominator < 0n
  const n = numerator < 0n ? -numerator : numerator
  const d = denominator < 0n ? -denominator : denominator
  const quotient = (2n * n + d) / (2n * d)
  return negative ? -quotient : quotient
}

/** `ceil(dividend / divisor)` of non-negative decimals, exactly: big.js would round the quotient first (rule 14). */
export function ceilDivide(dividend: Decimal, divisor: Decimal): bigint {
  const a = toFraction(dividend)
  const b = toFraction(divisor)
  const n = a.numerator * b.denominator
  const d = a.denominator * b.numerator
  return n <= 0n ? n / d : (n + d - 1n) / d
}
