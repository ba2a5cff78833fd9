import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { currency } from '../../src/domain/currency.ts'
import { parseDecimal, zero } from '../../src/domain/decimal.ts'
import type { Discounts, UsagePrice } from '../../src/domain/rate-card.ts'
import { lateDifference, rateItem } from '../../src/domain/rating.ts'
import { canBillBeforePeriodEnd } from '../../src/domain/threshold.ts'
import { at, fee, item, rate, usage, usd } from './builders.ts'

const unit: UsagePrice = { type: 'unit', amount: '0.10' }
const off = (percentage: number | string): Discounts => ({ percentage: { percentage } })
const firstHalf = { from: at('2026-01-01'), to: at('2026-01-16T12:00Z') }
const input = { meteredQuantity: null, currency: usd, proRating: true }

describe('quantities', () => {
  test('rule 11: no value is billed as 0 units, and stays apart from a count of 0', () => {
    expect(rate(unit, null)).toMatchObject({ meteredQuantity: null, quantity: '0', totalMinor: 0n })
    expect(rate(unit, '0')).toMatchObject({ meteredQuantity: '0', quantity: '0', totalMinor: 0n })
  })

  test('rule 11: no value still owes the minimum and the first flat fee', () => {
    expect(rate({ ...unit, minimumAmount: '7' }, null).totalMinor).toBe(7_00n)
  })

  test('usage below zero is billed as none', () => {
    expect(rate(unit, '-5')).toMatchObject({ meteredQuantity: '-5', quantity: '0', totalMinor: 0n })
  })
})

describe('the order inside a line', () => {
  const price: UsagePrice = { type: 'unit', amount: '1', minimumAmount: '20', maximumAmount: '50' }

  test('rule 15: free units come off before the price, the percentage after it', () => {
    const rated = rate(unit, '1500', { discounts: { usage: { quantity: '500' }, ...off(10) } })
    expect(rated).toMatchObject({
      meteredQuantity: '1500',
      quantity: '1000',
      amountMinor: 100_00n,
      discountMinor: 10_00n,
    })
    expect(rated.description).toBe('1,000 × $0.10 − $10.00 off (1,500 used, 500 free)')
  })

  test('rule 15: free units start the tiers anew', () => {
    const tiers: UsagePrice = {
      type: 'tiered',
      mode: 'graduated',
      tiers: [
        { upToAmount: '100', flatPrice: null, unitPrice: { type: 'unit', amount: '1' } },
        { flatPrice: null, unitPrice: { type: 'unit', amount: '0.5' } },
      ],
    }
    expect(rate(tiers, '150', { discounts: { usage: { quantity: '50' } } }).totalMinor).toBe(100_00n)
  })

  test('rule 15: fewer units than are free cost nothing', () => {
    expect(rate(unit, '300', { discounts: { usage: { quantity: '500' } } })).toMatchObject({
      quantity: '0',
      totalMinor: 0n,
    })
  })

  test.each([
    ['60', 50, 30_00n], // 60 − 50 % = 30, within both bounds: a maximum applied first would give 25
    ['200', 50, 50_00n], // 200 − 50 % = 100, capped: a discount applied last would give 25
    ['30', 50, 20_00n], // 30 − 50 % = 15, raised: a discount applied last would give 10
    ['10', 0, 20_00n],
  ])(
    'rule 15: %s units with %s%% off cost %s cents: percentage, maximum, minimum',
    (quantity, percent, cents) => {
      expect(rate(price, quantity, { discounts: off(percent) }).totalMinor).toBe(cents)
    },
  )

  test('rule 15: what is beyond the maximum is a discount, what is missing to the minimum a part of its own', () => {
    expect(rate(price, '80')).toMatchObject({
      amountMinor: 80_00n,
      discountMinor: 30_00n,
      totalMinor: 50_00n,
    })
    const raised = rate(price, '5')
    expect(raised.details.map((d) => [d.category, d.totalMinor])).toEqual([
      ['regular', 5_00n],
      ['commitment', 15_00n],
    ])
    expect(raised.description).toBe('5 × $1.00 + $15.00 to the minimum of $20.00')
  })

  test('rule 15: the maximum holds over all tiers', () => {
    const tiers: UsagePrice = {
      type: 'tiered',
      mode: 'graduated',
      maximumAmount: '120',
      tiers: [
        { upToAmount: '100', flatPrice: null, unitPrice: { type: 'unit', amount: '1' } },
        { flatPrice: { type: 'flat', amount: '10' }, unitPrice: { type: 'unit', amount: '0.5' } },
      ],
    }
    expect(rate(tiers, '200').details.map((d) => d.totalMinor)).toEqual([100_00n, 20_00n, 0n])
  })

  test('rule 15: the minimum of a partial period is its share, unless nothing is prorated', () => {
    const partial = item(usage(price), firstHalf)
    const metered = { meteredQuantity: parseDecimal('5'), currency: usd }
    expect(rateItem(partial, { ...metered, proRating: true }).totalMinor).toBe(10_00n)
    expect(rateItem(partial, { ...metered, proRating: false }).totalMinor).toBe(20_00n)
  })

  test('rule 15: units, free units and the maximum of a partial period are not prorated', () => {
    const card = usage(
      { type: 'unit', amount: '1', maximumAmount: '50' },
      { discounts: { usage: { quantity: '10' } } },
    )
    const rated = rateItem(item(card, firstHalf), { ...input, meteredQuantity: parseDecimal('200') })
    expect(rated).toMatchObject({ quantity: '190', totalMinor: 50_00n })
  })

  test('rule 15: a line is never below its minimum nor above its maximum', () => {
    const percents = fc.integer({ min: 0, max: 100 })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1_000_000 }), percents, (q, percent) => {
        const { totalMinor } = rate(price, `${q}e-3`, { discounts: off(percent) })
        expect(totalMinor >= 20_00n && totalMinor <= 50_00n).toBe(true)
      }),
    )
  })
})

describe('rounding of a line', () => {
  test('rule 17: a line is rounded once, not per unit', () => {
    const rated = rate({ type: 'unit', amount: '0.000003' }, '22361870')
    expect([rated.totalMinor, rated.description]).toEqual([67_09n, '22,361,870 × $0.000003'])
  })

  test('rule 17: a line is the sum of its rounded parts', () => {
    const prices = fc.array(fc.integer({ min: 0, max: 99_999 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(
        prices,
        fc.integer({ min: 0, max: 10_000_000 }),
        fc.integer({ min: 0, max: 100 }),
        (units, q, percent) => {
          const tiers = units.map((u, i) => ({
            ...(i < units.length - 1 ? { upToAmount: `${(i + 1) * 1000}` } : {}),
            flatPrice: null,
            unitPrice: { type: 'unit' as const, amount: `${u}e-6` },
          }))
          const r = rate({ type: 'tiered', mode: 'graduated', tiers }, `${q}e-3`, { discounts: off(percent) })
          expect(r.details.reduce((s, d) => s + d.amountMinor - d.discountMinor, 0n)).toBe(r.totalMinor)
          expect(r.amountMinor - r.discountMinor).toBe(r.totalMinor)
          expect(r.totalMinor >= 0n).toBe(true)
        },
      ),
    )
  })

  test('rule 17: two parts of half a cent are two cents, since each is rounded', () => {
    const tiers = [
      { upToAmount: '1', flatPrice: null, unitPrice: { type: 'unit' as const, amount: '0.005' } },
      { flatPrice: null, unitPrice: { type: 'unit' as const, amount: '0.005' } },
    ]
    expect(rate({ type: 'tiered', mode: 'graduated', tiers }, '2').totalMinor).toBe(2n)
  })

  test('rule 18: a discounted line in dinars is a multiple of ten fils', () => {
    const rated = rateItem(item(usage({ type: 'unit', amount: '0.123' }, { discounts: off(33.3) })), {
      meteredQuantity: parseDecimal('7'),
      currency: currency('KWD'),
      proRating: true,
    })
    expect([rated.amountMinor, rated.discountMinor, rated.totalMinor]).toEqual([860n, 290n, 570n])
  })
})

describe('fixed fees', () => {
  test('rule 24: a fee of a partial period is its share, in words too', () => {
    const rated = rateItem(
      item(fee({ price: { type: 'flat', amount: '31' } }), { from: at('2026-01-17'), to: at('2026-02-01') }),
      input,
    )
    expect([rated.totalMinor, rated.description]).toEqual([15_00n, '$31.00 × 15/31 days'])
  })

  test('rule 24: without proration a partial period costs the whole fee', () => {
    expect(rateItem(item(fee(), firstHalf), { ...input, proRating: false }).totalMinor).toBe(30_00n)
  })

  test('a percentage comes off a fee', () => {
    expect(rateItem(item(fee({ discounts: off('12.5') })), input)).toMatchObject({
      discountMinor: 3_75n,
      totalMinor: 26_25n,
    })
  })
})

describe('late usage', () => {
  const tiers: UsagePrice = {
    type: 'tiered',
    mode: 'volume',
    tiers: [
      { upToAmount: '1000', flatPrice: null, unitPrice: { type: 'unit', amount: '0.10' } },
      { flatPrice: null, unitPrice: { type: 'unit', amount: '0.05' } },
    ],
  }
  const late = (price: UsagePrice, before: string, after: string, discounts: Discounts = {}) => {
    const card = { discounts }
    const billedMinor = rate(price, before, card).totalMinor
    const now = rate(price, after, card)
    return lateDifference({
      item: item(usage(price, card)),
      now,
      billedMinor,
      billedQuantity: parseDecimal(before),
      currency: usd,
    })
  }

  test('rule 9: late usage is the difference to what was billed, not the late units rated alone', () => {
    const free = { usage: { quantity: '100' } }
    expect(late(unit, '50', '120', free)).toMatchObject({ quantity: '70', totalMinor: 2_00n })
  })

  test('rule 9: the difference is negative where more usage costs less', () => {
    expect(late(tiers, '1000', '1100')).toMatchObject({ quantity: '100', totalMinor: -45_00n })
  })

  test('rule 9: usage within the minimum changes nothing', () => {
    expect(late({ ...unit, minimumAmount: '50' }, '100', '400')).toBeNull()
    expect(late({ ...unit, minimumAmount: '50' }, '100', '510')).toMatchObject({ totalMinor: 1_00n })
  })

  test('rule 9: a difference says how it came to be', () => {
    expect(late(unit, '100', '150')?.description).toBe('150 × $0.10 = $15.00, less $10.00 billed before')
  })

  test('rule 9: whatever arrives in however many pieces, all invoices add up to the whole rated once', () => {
    const minimum: UsagePrice = { ...tiers, minimumAmount: '20' }
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 6 }), (pieces) => {
        let quantity = zero
        let billedMinor = rate(minimum, '0').totalMinor
        for (const piece of pieces) {
          const billedQuantity = quantity
          quantity = quantity.plus(`${piece}`)
          const now = rate(minimum, quantity.toFixed())
          const base = { item: item(usage(minimum)), now, billedMinor, billedQuantity, currency: usd }
          billedMinor += lateDifference(base)?.totalMinor ?? 0n
        }
        expect(billedMinor).toBe(rate(minimum, quantity.toFixed()).totalMinor)
      }),
    )
  })
})

describe('billing before the end of a period', () => {
  test.each([
    ['SUM', true, true],
    ['SUM', false, false],
    ['COUNT', false, true],
    ['MAX', false, true],
    ['UNIQUE_COUNT', false, true],
    ['LATEST', true, false],
    ['AVG', true, false],
    ['MIN', true, false],
  ] as const)('rule 10: %s (non-negative: %s) can be billed early: %s', (aggregation, isNonNegative, can) => {
    expect(canBillBeforePeriodEnd(aggregation, isNonNegative)).toBe(can)
  })

  test('rule 10: prefixes of a period add up to the period, tiers do not restart, the minimum comes last', () => {
    const price: UsagePrice = {
      type: 'tiered',
      mode: 'graduated',
      minimumAmount: '200',
      tiers: [
        {
          upToAmount: '1000',
          flatPrice: { type: 'flat', amount: '5' },
          unitPrice: { type: 'unit', amount: '0.10' },
        },
        { flatPrice: null, unitPrice: { type: 'unit', amount: '0.05' } },
      ],
    }
    const prefix = (q: string) =>
      rateItem(item(usage(price)), { ...input, meteredQuantity: parseDecimal(q), isPrefix: true }).totalMinor
    expect([prefix('600'), prefix('1200'), rate(price, '1200').totalMinor]).toEqual([
      65_00n,
      115_00n,
      200_00n,
    ])
  })
})
