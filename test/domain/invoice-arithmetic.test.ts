import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { currency } from '../../src/domain/currency.ts'
import { planTotals, type TotalsInput } from '../../src/domain/invoice-arithmetic.ts'
import { usd } from './builders.ts'

const line = (amountMinor: bigint, discountMinor = 0n) => ({
  amountMinor,
  discountMinor,
  totalMinor: amountMinor - discountMinor,
})
const plan = (amounts: readonly bigint[], rest: Partial<TotalsInput<ReturnType<typeof line>>> = {}) =>
  planTotals({
    lines: amounts.map((a) => line(a)),
    currency: usd,
    carriedInMinor: 0n,
    isLast: false,
    ...rest,
  })

test('rule 17: the total is the sum of the rounded lines', () => {
  const totals = planTotals({
    lines: [line(10_00n, 1_00n), line(5n)],
    currency: usd,
    carriedInMinor: 0n,
    isLast: false,
  })
  expect(totals).toMatchObject({
    subtotalMinor: 10_05n,
    discountMinor: 1_00n,
    totalMinor: 9_05n,
    disposition: 'collect',
  })
})

test('rule 20: discounts come off before the total that tax is computed on and that is compared with the minimum', () => {
  const discounted = [line(100n, 60n)]
  expect(planTotals({ lines: discounted, currency: usd, carriedInMinor: 0n, isLast: false })).toMatchObject({
    subtotalMinor: 100n,
    discountMinor: 60n,
    totalMinor: 40n,
    disposition: 'carried',
  })
})

test.each([
  [[], 0n, 'nothing', 0n],
  [[], 20n, 'nothing', 20n],
  [[], -20n, 'nothing', -20n],
  [[0n], 0n, 'settled_zero', 0n],
  [[50n], 0n, 'collect', 0n],
  [[49n], 0n, 'carried', 49n],
  [[-1n], 0n, 'carried', -1n],
  [[49n], 1n, 'collect', 0n],
  [[100n], -51n, 'carried', 49n],
  [[100n], -100n, 'settled_zero', 0n],
  [[100n], -250n, 'carried', -150n],
])(
  'rule 21: lines of %s cents with %s carried in: %s, %s carried out',
  (amounts, carriedInMinor, disposition, carriedOutMinor) => {
    expect(plan(amounts, { carriedInMinor })).toMatchObject({ disposition, carriedOutMinor })
  },
)

test('rule 21: what was carried is a line of the next invoice', () => {
  expect(plan([10_00n], { carriedInMinor: 45n })).toMatchObject({
    carriedLine: { amountMinor: 45n, totalMinor: 45n },
    totalMinor: 10_45n,
  })
  expect(plan([10_00n]).carriedLine).toBeNull()
})

test('rule 21: what is left after the last invoice is the remainder', () => {
  expect(plan([20n], { isLast: true })).toMatchObject({
    disposition: 'carried',
    carriedOutMinor: 20n,
    isRemainder: true,
  })
  expect(plan([], { carriedInMinor: -30n, isLast: true })).toMatchObject({
    disposition: 'nothing',
    isRemainder: true,
  })
  expect(plan([20n])).toMatchObject({ isRemainder: false })
  expect(plan([60n], { isLast: true })).toMatchObject({ disposition: 'collect', isRemainder: false })
})

test('rule 21: where the processor publishes no minimum, every positive amount is collected', () => {
  expect(plan([1n], { currency: currency('ISK') })).toMatchObject({ disposition: 'collect' })
  expect(plan([49n], { currency: currency('JPY') })).toMatchObject({ disposition: 'carried' })
})

test('rule 21: over any run of invoices, what was collected and what is carried add up to what was billed', () => {
  const invoices = fc.array(fc.array(fc.bigInt({ min: -500n, max: 500n }), { maxLength: 4 }), {
    maxLength: 10,
  })
  fc.assert(
    fc.property(invoices, (all) => {
      let carriedInMinor = 0n
      let collected = 0n
      for (const amounts of all) {
        const totals = plan(amounts, { carriedInMinor })
        if (totals.disposition === 'collect') collected += totals.totalMinor
        carriedInMinor = totals.carriedOutMinor
      }
      expect(collected + carriedInMinor).toBe(all.flat().reduce((a, b) => a + b, 0n))
    }),
  )
})
