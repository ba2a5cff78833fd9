import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { PriceTier, TieredPrice } from '../../src/domain/rate-card.ts'
import { rate } from './builders.ts'

const tier = (upToAmount: string | null, unit: string | null, flat: string | null = null): PriceTier => ({
  ...(upToAmount === null ? {} : { upToAmount }),
  unitPrice: unit === null ? null : { type: 'unit', amount: unit },
  flatPrice: flat === null ? null : { type: 'flat', amount: flat },
})
const tiered = (mode: TieredPrice['mode'], ...tiers: PriceTier[]): TieredPrice => ({
  type: 'tiered',
  mode,
  tiers,
})
const total = (price: Parameters<typeof rate>[0], quantity: string): bigint =>
  rate(price, quantity).totalMinor

const threeTiers = [tier('1000', '0.10', '5'), tier('5000', '0.05', '20'), tier(null, '0.01', '50')]
const graduated = tiered('graduated', ...threeTiers)
const volume = tiered('volume', ...threeTiers)

describe('tiers', () => {
  test.each([
    ['1000', 100_00n + 5_00n],
    ['1000.001', 100_00n + 5_00n + 20_00n],
    ['1001', 100_00n + 5_00n + 5n + 20_00n],
  ])('rule 12: graduated, %s units cost %s cents: the bound of 1000 is inclusive', (quantity, cents) => {
    expect(total(graduated, quantity)).toBe(cents)
  })

  test.each([
    ['1000', 100_00n + 5_00n],
    ['1000.001', 50_00n + 20_00n],
    ['5000', 250_00n + 20_00n],
    ['5001', 50_01n + 50_00n],
  ])('rule 12: volume, %s units cost %s cents: just above a bound is the next tier', (quantity, cents) => {
    expect(total(volume, quantity)).toBe(cents)
  })

  test('rule 13: graduated, each tier prices its own slice', () => {
    const rated = rate(graduated, '6000')
    expect(rated.details.map((d) => [d.name, d.description, d.totalMinor])).toEqual([
      ['Tokens: tier 1', '1,000 × $0.10', 100_00n],
      ['Tokens: tier 1 flat fee', '$5.00', 5_00n],
      ['Tokens: tier 2', '4,000 × $0.05', 200_00n],
      ['Tokens: tier 2 flat fee', '$20.00', 20_00n],
      ['Tokens: tier 3', '1,000 × $0.01', 10_00n],
      ['Tokens: tier 3 flat fee', '$50.00', 50_00n],
    ])
  })

  test('rule 13: the flat fee of the first tier is charged at zero usage, those of the others are not', () => {
    expect(total(graduated, '0')).toBe(5_00n)
    expect(total(volume, '0')).toBe(5_00n)
  })

  test('rule 13: a flat fee is charged once, however much of its tier is used', () => {
    expect(total(tiered('graduated', tier('10', null, '7'), tier(null, null, '9')), '9')).toBe(7_00n)
    expect(total(tiered('graduated', tier('10', null, '7'), tier(null, null, '9')), '99')).toBe(16_00n)
  })

  test('rule 13: volume, the tier of the total prices every unit', () => {
    expect(rate(volume, '2000').details.map((d) => d.description)).toEqual(['2,000 × $0.05', '$20.00'])
    expect(rate(volume, '2000').details[0]?.tierIndex).toBe(1)
  })

  test('rule 13: a volume price can fall when more is used', () => {
    expect(total(volume, '1000')).toBeGreaterThan(total(volume, '1000.01'))
  })

  test('rule 13: graduated never costs less when more is used, and equals its first tier below the bound', () => {
    const quantities = fc.integer({ min: 0, max: 20_000_000 })
    fc.assert(
      fc.property(quantities, quantities, (a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)].map((q) => total(graduated, `${q}e-3`))
        expect(low! <= high!).toBe(true)
      }),
    )
  })

  test('rule 13: the slices of a graduated price add up to the quantity', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000_000 }), (q) => {
        const units = rate(graduated, `${q}e-3`).details.filter((d) => !d.name.endsWith('flat fee'))
        const sum = units.reduce((s, d) => s + Math.round(Number(d.quantity) * 1000), 0)
        expect(sum).toBe(q)
      }),
    )
  })

  test('zero usage without a flat fee is one part of nothing', () => {
    const rated = rate(tiered('graduated', tier(null, '0.10')), '0')
    expect([rated.totalMinor, rated.description]).toEqual([0n, '0 × $0.10'])
  })
})

describe('packages', () => {
  const price = { type: 'package', amount: '5', quantityPerPackage: '1000' } as const

  test.each([
    ['0', 0n],
    ['0.001', 5_00n],
    ['1000', 5_00n],
    ['1000.0000000000000000000000001', 10_00n],
    ['1001', 10_00n],
    ['2500', 15_00n],
  ])('rule 14: %s units are %s cents in packages of 1000 at $5', (quantity, cents) => {
    expect(total(price, quantity)).toBe(cents)
  })

  test('rule 14: packages of a third count exactly', () => {
    expect(total({ type: 'package', amount: '1', quantityPerPackage: '0.3' }, '0.9')).toBe(3_00n)
  })

  test('rule 14: a package is explained by its size', () => {
    expect(rate(price, '2500').description).toBe('3 × $5.00 per 1,000')
  })
})

describe('dynamic', () => {
  test('rule 14: the usage value is multiplied', () => {
    const rated = rate({ type: 'dynamic', multiplier: '1.2' }, '123.456')
    expect([rated.totalMinor, rated.description]).toEqual([148_15n, '$123.456 × 1.2'])
  })

  test('rule 14: without a multiplier the value is billed as it is', () => {
    expect(total({ type: 'dynamic' }, '9.99')).toBe(9_99n)
  })
})
