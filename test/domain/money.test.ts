import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { currency, currencyCodes } from '../../src/domain/currency.ts'
import { ceilDivide, Decimal, divideRounded, formatDecimal, parseDecimal } from '../../src/domain/decimal.ts'
import {
  displayAmount,
  displayMinor,
  formatMinor,
  fromProcessorMinor,
  minorToDecimal,
  roundToMinor,
  toProcessorMinor,
} from '../../src/domain/money.ts'

const decimals = fc
  .tuple(fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }), fc.integer({ min: 0, max: 12 }))
  .map(([digits, scale]) => new Decimal(`${digits}e-${scale}`))
const codes = fc.constantFrom(...currencyCodes)

describe('decimals', () => {
  test('rule 17: a float cannot become an amount', () => {
    expect(() => new Decimal(0.1 as unknown as string)).toThrow(TypeError)
    expect(() => parseDecimal('1').times(2)).toThrow(TypeError)
  })

  test('rule 17: products keep all their digits', () => {
    const product = parseDecimal('12345678901.123456789').times(parseDecimal('0.000000123456789'))
    expect(formatDecimal(product)).toBe('1524.157875157750467750190521')
  })

  test('rule 17: a decimal is written plainly and read back the same', () => {
    fc.assert(
      fc.property(decimals, (value) => {
        expect(formatDecimal(value)).toMatch(/^-?\d+(\.\d+)?$/)
        expect(parseDecimal(formatDecimal(value)).eq(value)).toBe(true)
      }),
    )
    expect(formatDecimal(parseDecimal('3e-6'))).toBe('0.000003')
    expect(formatDecimal(parseDecimal('-0'))).toBe('0')
  })

  test.each([
    '',
    ' 1',
    '1,5',
    '0x10',
    'NaN',
    'Infinity',
    '1e41',
    '1e-41',
    '1e999',
    '9'.repeat(65),
    '--1',
    '1.2.3',
  ])('%j is not a decimal', (text) => {
    expect(() => parseDecimal(text)).toThrow(expect.objectContaining({ code: 'invalid_decimal' }))
  })

  test('a decimal of 64 digits is read', () => {
    expect(formatDecimal(parseDecimal('9'.repeat(40) + '.' + '9'.repeat(24)))).toHaveLength(65)
  })

  test('a quotient is rounded up exactly, also where it has no end', () => {
    expect(ceilDivide(parseDecimal('1'), parseDecimal('3'))).toBe(1n)
    expect(ceilDivide(parseDecimal('3'), parseDecimal('3'))).toBe(1n)
    expect(ceilDivide(parseDecimal('3.0000000000000000000000001'), parseDecimal('3'))).toBe(2n)
    expect(ceilDivide(parseDecimal('0'), parseDecimal('3'))).toBe(0n)
  })
})

describe('rounding', () => {
  test.each([
    ['0.005', 1n],
    ['-0.005', -1n],
    ['0.004999999999999999', 0n],
    ['1.005', 101n],
    ['2.675', 268n],
    ['0.015', 2n],
    ['0.025', 3n],
    ['-1.005', -101n],
  ])('rule 17: %s dollars are %s cents, half away from zero', (amount, minor) => {
    expect(roundToMinor(parseDecimal(amount), currency('USD'))).toBe(minor)
  })

  test('rule 17: rounding is symmetric and never off by more than half a quantum', () => {
    fc.assert(
      fc.property(decimals, codes, (amount, code) => {
        const c = currency(code)
        const minor = roundToMinor(amount, c)
        expect(roundToMinor(amount.times('-1'), c)).toBe(-minor)
        const half = minorToDecimal(c.quantumMinor, c).times('0.5')
        expect(minorToDecimal(minor, c).minus(amount).abs().lte(half)).toBe(true)
      }),
    )
  })

  test('rule 17: division rounds half away from zero for either sign', () => {
    expect([
      divideRounded(5n, 2n),
      divideRounded(-5n, 2n),
      divideRounded(5n, -2n),
      divideRounded(4n, 3n),
    ]).toEqual([3n, -3n, -3n, 1n])
  })
})

describe('currencies', () => {
  test.each([
    ['USD', '12.345', 1235n, '12.35'],
    ['JPY', '12.5', 13n, '13'],
    ['KWD', '0.014', 10n, '0.010'],
    ['KWD', '0.015', 20n, '0.020'],
    ['BHD', '1.2345', 1230n, '1.230'],
    ['IQD', '1.2345', 1235n, '1.235'],
    ['ISK', '99.5', 100n, '100'],
    ['MGA', '12.50', 1300n, '13.00'],
    ['CLF', '1.00005', 10001n, '1.0001'],
  ])('rule 18: %s %s is %s minor units', (code, amount, minor, text) => {
    expect(roundToMinor(parseDecimal(amount), currency(code))).toBe(minor)
    expect(formatMinor(minor, currency(code))).toBe(text)
  })

  test('rule 18: rounding goes straight to the quantum, not over the minor unit first', () => {
    expect(roundToMinor(parseDecimal('0.0149'), currency('KWD'))).toBe(10n)
  })

  test('rule 18: every rounded amount is a multiple of the quantum', () => {
    fc.assert(
      fc.property(decimals, codes, (amount, code) => {
        expect(roundToMinor(amount, currency(code)) % currency(code).quantumMinor).toBe(0n)
      }),
    )
  })

  test.each([
    ['ISK', 100n, 10_000n],
    ['UGX', 5n, 500n],
    ['USD', 1235n, 1235n],
    ['JPY', 13n, 13n],
    ['KWD', 20n, 20n],
    ['MGA', 1300n, 13n],
  ])('rule 18: %s %s is sent as %s', (code, minor, sent) => {
    expect(toProcessorMinor(minor, currency(code))).toBe(sent)
    expect(fromProcessorMinor(sent, currency(code))).toBe(minor)
  })

  test('rule 18: what is sent for a rounded amount is read back the same, in every currency', () => {
    fc.assert(
      fc.property(decimals, codes, (amount, code) => {
        const minor = roundToMinor(amount, currency(code))
        expect(fromProcessorMinor(toProcessorMinor(minor, currency(code)), currency(code))).toBe(minor)
      }),
    )
  })

  test('rule 18: an amount that the processor cannot have charged is refused', () => {
    expect(() => fromProcessorMinor(150n, currency('ISK'))).toThrow(/ISK/)
  })

  test.each(['XXX', 'XAU', 'usd', 'US', '', 'BTC', 'HRK', '__proto__'])(
    'rule 18: %j is refused, not defaulted to two decimals',
    (code) => {
      expect(() => currency(code)).toThrow(expect.objectContaining({ code: 'unknown_currency' }))
    },
  )

  test('rule 18: the processor has no decimals where it says so, and two or three elsewhere', () => {
    const zeroDecimal = 'BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF'.split(' ')
    for (const code of zeroDecimal)
      expect(toProcessorMinor(roundToMinor(parseDecimal('7'), currency(code)), currency(code))).toBe(7n)
    for (const code of ['BHD', 'JOD', 'KWD', 'OMR', 'TND']) {
      expect(toProcessorMinor(roundToMinor(parseDecimal('7'), currency(code)), currency(code))).toBe(7000n)
    }
    for (const code of ['ISK', 'UGX', 'HUF', 'TWD', 'USD']) {
      expect(toProcessorMinor(roundToMinor(parseDecimal('7'), currency(code)), currency(code))).toBe(700n)
    }
  })

  test('the minimum charge is in our minor units', () => {
    expect(['USD', 'GBP', 'JPY', 'HUF', 'DKK', 'ISK'].map((c) => currency(c).processorMinimumMinor)).toEqual([
      50n,
      30n,
      50n,
      17_500n,
      250n,
      null,
    ])
  })
})

describe('display', () => {
  test.each([
    ['0.000003', 'USD', '$0.000003'],
    ['10', 'USD', '$10.00'],
    ['1234567.5', 'EUR', '€1,234,567.50'],
    ['1500', 'JPY', '¥1,500'],
    ['-3', 'USD', '-$3.00'],
    ['2', 'CHF', 'CHF 2.00'],
  ])('%s %s is shown as %s', (amount, code, text) => {
    expect(displayAmount(parseDecimal(amount), currency(code))).toBe(text)
  })

  test('minor units are shown with the digits of their currency', () => {
    expect([
      formatMinor(5n, currency('USD')),
      formatMinor(-1234n, currency('USD')),
      formatMinor(0n, currency('JPY')),
    ]).toEqual(['0.05', '-12.34', '0'])
    expect(displayMinor(123_456n, currency('USD'))).toBe('$1,234.56')
  })
})
