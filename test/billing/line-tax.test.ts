import { array, assert, bigInt, property } from 'fast-check'
import { expect, test } from 'vitest'
import { nextTryMs } from '../../src/billing/invoice-outage.ts'
import { spreadTax, taxConfigOf } from '../../src/billing/line-tax.ts'

const sum = (parts: readonly bigint[]): bigint => parts.reduce((total, part) => total + part, 0n)

test('the tax of a line at Stripe is split over our lines in it, credits included, and the parts add up', () => {
  const amounts = array(bigInt({ min: -1_000_000n, max: 1_000_000n }), { minLength: 1, maxLength: 20 })
  const tax = bigInt({ min: 0n, max: 10_000_000n })
  assert(
    property(amounts, tax, tax, (parts, taxMinor, includedMinor) => {
      const split = spreadTax(
        { taxMinor, includedMinor },
        parts.map((amountMinor, index) => ({ lineId: `line-${index}`, amountMinor })),
      )
      expect(split).toHaveLength(parts.length)
      expect(sum(split.map((each) => each.taxMinor))).toBe(taxMinor)
      expect(sum(split.map((each) => each.includedMinor))).toBe(includedMinor)
    }),
  )
})

test('tax is split by the amounts, and a credit takes tax back', () => {
  const split = spreadTax({ taxMinor: 800n, includedMinor: 0n }, [
    { lineId: 'fee', amountMinor: 5000n },
    { lineId: 'credit', amountMinor: -1000n },
  ])
  expect(split.map(({ lineId, taxMinor }) => [lineId, taxMinor])).toEqual([
    ['fee', 1000n],
    ['credit', -200n],
  ])
})

test('what a rate card leaves open of its tax, the profile says', () => {
  const fallback = { behavior: 'exclusive', stripe: { code: 'txcd_a' } }
  expect(taxConfigOf({ stripe: { code: 'txcd_b' } }, fallback)).toEqual({
    behavior: 'exclusive',
    stripe: { code: 'txcd_b' },
  })
  expect(taxConfigOf(undefined, undefined)).toBeNull()
})

test('Stripe is asked again after a minute, then after as long again as it has been, at most four hours', () => {
  const minute = 60_000
  expect(nextTryMs(0, 0)).toBe(minute)
  expect(nextTryMs(30 * minute, 0)).toBe(60 * minute)
  expect(nextTryMs(100 * 60 * minute, 0)).toBe(104 * 60 * minute)
})
