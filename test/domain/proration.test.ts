import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allocate } from '../../src/domain/allocate.ts'
import { currency, currencyCodes } from '../../src/domain/currency.ts'
import { Decimal, parseDecimal } from '../../src/domain/decimal.ts'
import { roundToMinor } from '../../src/domain/money.ts'
import { prorate, unusedCredit } from '../../src/domain/proration.ts'
import { at, usd } from './builders.ts'

const full = { from: at('2026-01-01'), to: at('2026-02-01') }
const cuts = fc.array(fc.integer({ min: full.from, max: full.to }), { maxLength: 8 })
const prices = fc
  .tuple(fc.integer({ min: 0, max: 10 ** 9 }), fc.integer({ min: 0, max: 6 }))
  .map(([p, s]) => new Decimal(`${p}e-${s}`))
const codes = fc.constantFrom(...currencyCodes)

describe('slices of a period', () => {
  test('rule 19: slices add up to the price, however the period is cut and whatever the currency', () => {
    fc.assert(
      fc.property(prices, cuts, codes, (price, inner, code) => {
        const c = currency(code)
        const edges = [full.from, ...inner, full.to].toSorted((a, b) => a - b)
        const slices = edges.slice(1).map((to, i) => prorate(price, { from: edges[i]!, to }, full, c))
        expect(slices.reduce((a, b) => a + b, 0n)).toBe(roundToMinor(price, c))
      }),
    )
  })

  test('rule 19: thirds of ten dollars are 3.33, 3.34 and 3.33', () => {
    const third = (k: number) => full.from + (k * (full.to - full.from)) / 3
    const slice = (k: number) => prorate(parseDecimal('10'), { from: third(k), to: third(k + 1) }, full, usd)
    expect([slice(0), slice(1), slice(2)]).toEqual([3_33n, 3_34n, 3_33n])
  })

  test('rule 19: the price is multiplied before it is divided', () => {
    const tiny = { from: 0, to: 3 }
    expect(prorate(parseDecimal('0.03'), { from: 0, to: 1 }, tiny, usd)).toBe(1n)
    expect(prorate(parseDecimal('900719925474099.30'), { from: 0, to: 1 }, tiny, usd)).toBe(
      30_023_997_515_803_310n,
    )
  })

  test('rule 24: a change at the start of a period costs all of it, at its end nothing', () => {
    const rest = (ms: number) => prorate(parseDecimal('31'), { from: ms, to: full.to }, full, usd)
    expect([rest(full.from), rest(at('2026-01-02')), rest(full.to)]).toEqual([31_00n, 30_00n, 0n])
  })

  test('rule 24: proration counts milliseconds, so an hour more of winter time is charged', () => {
    const october = { from: at('2026-09-30T22:00Z'), to: at('2026-10-31T23:00Z') }
    const half = { from: october.from, to: at('2026-10-16T10:30Z') }
    expect(prorate(parseDecimal('100'), half, october, usd)).toBe(50_00n)
  })

  test('a slice outside its period is refused', () => {
    expect(() => prorate(parseDecimal('1'), { from: full.from - 1, to: full.to }, full, usd)).toThrow(
      /inside/,
    )
    expect(() => prorate(parseDecimal('1'), { from: 5, to: 5 }, { from: 5, to: 5 }, usd)).toThrow(/inside/)
  })
})

describe('credits', () => {
  const credit = (cut: string, billedMinor: bigint) =>
    unusedCredit({
      price: parseDecimal('31'),
      service: full,
      fullService: full,
      cutMs: at(cut),
      billedMinor,
      currency: usd,
    })

  test('rule 24: what is left of a period is credited: all at its start, nothing at its end', () => {
    expect([
      credit('2026-01-01', 31_00n),
      credit('2026-01-11', 31_00n),
      credit('2026-02-01', 31_00n),
    ]).toEqual([31_00n, 21_00n, 0n])
  })

  test('rule 24: a credit is at the price that was really billed', () => {
    expect([credit('2026-01-11', 15_50n), credit('2026-01-01', 15_50n), credit('2026-01-11', 0n)]).toEqual([
      10_50n,
      15_50n,
      0n,
    ])
  })

  test('rule 24: a credit never exceeds what was billed and is never negative', () => {
    const cutsOutside = fc.integer({ min: full.from - 1e6, max: full.to + 1e6 })
    fc.assert(
      fc.property(
        prices,
        cutsOutside,
        fc.bigInt({ min: 0n, max: 10n ** 9n }),
        (price, cutMs, billedMinor) => {
          const value = unusedCredit({
            price,
            service: full,
            fullService: full,
            cutMs,
            billedMinor,
            currency: usd,
          })
          expect(value >= 0n && value <= billedMinor).toBe(true)
        },
      ),
    )
  })
})

describe('known parts', () => {
  const weights = fc.array(fc.bigInt({ min: 0n, max: 10n ** 12n }), { minLength: 1, maxLength: 20 })
  const totals = fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n })

  test('rule 19: allocated parts always add up to the total', () => {
    fc.assert(
      fc.property(totals, weights, (total, w) => {
        fc.pre(w.some((x) => x > 0n))
        expect(allocate(total, w).reduce((a, b) => a + b, 0n)).toBe(total)
      }),
    )
  })

  test('rule 19: every part is within one unit of its exact share', () => {
    fc.assert(
      fc.property(totals, weights, (total, w) => {
        fc.pre(w.some((x) => x > 0n))
        const sum = w.reduce((a, b) => a + b, 0n)
        allocate(total, w).forEach((part, i) => {
          const off = part * sum - total * w[i]!
          expect(off < sum && off > -sum).toBe(true)
        })
      }),
    )
  })

  test.each([
    [100n, [1n, 1n, 1n], [34n, 33n, 33n]],
    [-100n, [1n, 1n, 1n], [-34n, -33n, -33n]],
    [5n, [0n, 3n, 1n], [0n, 4n, 1n]],
    [2n, [1n, 1n, 1n, 1n], [1n, 1n, 0n, 0n]],
    [0n, [1n, 2n], [0n, 0n]],
  ])('rule 19: %s over %s is %s: the largest remainder, a tie to the earlier part', (total, w, parts) => {
    expect(allocate(total, w)).toEqual(parts)
  })
})
