import { Big } from 'big.js'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { currency } from '../../../src/domain/currency.ts'
import type { RateCard } from '../../../src/domain/rate-card.ts'
import { rateItem } from '../../../src/domain/rating.ts'
import { closingAfter, itemsAt } from '../../../src/domain/schedule.ts'
import type { BillableItem, Terms } from '../../../src/domain/schedule.ts'
import { parseDecimal } from '../../../src/domain/decimal.ts'
import { closingInstants, slices } from './calendar.ts'
import { priceOf } from './prices.ts'
import type { SubscriptionRow } from './rows.ts'
import { isVisible } from './usage.ts'
import { runs } from '../../support/properties.ts'

// Two computations that share no code: where they differ, one of them is wrong.

const DAY_MS = 86_400_000
const amount = fc.integer({ min: 0, max: 99_999 }).map((n) => new Big(n).div(1000).toFixed())
const count = fc.integer({ min: 0, max: 5_000_000 }).map((n) => new Big(n).div(1000).toFixed())
const bounds = fc.uniqueArray(fc.integer({ min: 1, max: 4000 }), { minLength: 0, maxLength: 3 })
const tier = fc.record({
  flatPrice: fc.option(amount.map((of) => ({ type: 'flat' as const, amount: of }))),
  unitPrice: fc.option(amount.map((of) => ({ type: 'unit' as const, amount: of }))),
})
const tiers = fc.tuple(bounds, fc.array(tier, { minLength: 4, maxLength: 4 })).map(([uppers, some]) => {
  const sorted = uppers.toSorted((a, b) => a - b)
  return some.slice(0, sorted.length + 1).map((each, index) => {
    const upper = sorted[index]
    return upper === undefined ? each : { ...each, upToAmount: String(upper) }
  })
})
const limits = fc.record({ minimumAmount: amount, maximumAmount: amount }, { requiredKeys: [] })
const price = fc.oneof(
  fc.record({ type: fc.constant('flat' as const), amount }),
  fc.tuple(fc.record({ type: fc.constant('unit' as const), amount }), limits),
  fc.tuple(
    fc.record({
      type: fc.constant('package' as const),
      amount,
      quantityPerPackage: fc.integer({ min: 1, max: 900 }).map(String),
    }),
    limits,
  ),
  fc.tuple(
    fc.record({
      type: fc.constant('tiered' as const),
      mode: fc.constantFrom('graduated' as const, 'volume' as const),
      tiers,
    }),
    limits,
  ),
)
const discounts = fc.record(
  {
    percentage: fc.record({ percentage: fc.integer({ min: 0, max: 100 }) }),
    usage: fc.record({ quantity: count }),
  },
  { requiredKeys: [] },
)
const rateCard = fc.tuple(price, discounts).map(([given, some]): RateCard => {
  const drawn = Array.isArray(given) ? { ...given[0], ...given[1] } : given
  return {
    type: 'usage_based',
    key: 'card',
    name: 'Card',
    billingCadence: 'P1M',
    price: drawn,
    discounts: some,
  }
})

test('the audit prices as the product does, by other code', () => {
  const share = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 11 }))
  fc.assert(
    fc.property(rateCard, count, share, fc.constantFrom('USD', 'JPY'), (card, used, [from, days], code) => {
      const full = { from: 0, to: 31 * DAY_MS }
      const service = { from: from * DAY_MS, to: (from + days) * DAY_MS }
      const item = { rateCard: card, service, fullService: full } as BillableItem
      const c = currency(code)
      const rated = rateItem(item, { meteredQuantity: parseDecimal(used), currency: c, proRating: true })
      const priced = { rateCard: card, service, full, currency: code, prorates: true }
      expect(priceOf(priced, new Big(used))).toBe(rated.totalMinor)
    }),
    { numRuns: runs(300) },
  )
})

const instant = fc
  .integer({ min: Date.UTC(2026, 0, 1) / 60_000, max: Date.UTC(2028, 0, 1) / 60_000 })
  .map((minutes) => minutes * 60_000)
const cadence = fc.constantFrom('P1M', 'P3M', 'P1Y')
const terms = fc
  .record({
    start: instant,
    anchorDays: fc.integer({ min: -400, max: 40 }),
    days: fc.option(fc.integer({ min: 1, max: 500 })),
    zone: fc.constantFrom('UTC', 'America/New_York', 'Asia/Kathmandu'),
    trial: fc.option(fc.constantFrom('P1M', 'P14D', 'P2M')),
    cadences: fc.tuple(cadence, cadence, fc.boolean()),
  })
  .map(({ start, anchorDays, days, zone, trial, cadences: [fee, usage, isOnce] }): Terms => {
    const rateCards = [
      {
        type: 'flat_fee',
        key: 'fee',
        name: 'Fee',
        billingCadence: isOnce ? null : fee,
        price: { type: 'flat', amount: '1' },
      },
      {
        type: 'usage_based',
        key: 'use',
        name: 'Use',
        billingCadence: usage,
        price: { type: 'unit', amount: '1' },
      },
    ] satisfies readonly RateCard[]
    const first = trial === null ? [] : [{ key: 'trial', name: 'Trial', duration: trial, rateCards }]
    return {
      activeFromMs: start,
      activeToMs: days === null ? null : start + days * DAY_MS,
      anchorMs: start + anchorDays * DAY_MS,
      timeZone: zone,
      billingCadence: 'P1M',
      proRating: true,
      phases: [...first, { key: 'main', name: 'Main', duration: null, rateCards }],
    }
  })

test('the audit finds the closings and periods of the product, by other code', () => {
  fc.assert(
    fc.property(terms, fc.integer({ min: 0, max: 800 }), (of, days) => {
      const until = of.activeFromMs + days * DAY_MS
      const row = {
        billing_anchor: of.anchorMs,
        timezone: of.timeZone,
        billing_cadence: of.billingCadence,
        phases: of.phases,
        active_from: of.activeFromMs,
        active_to: of.activeToMs,
      } as unknown as SubscriptionRow
      const instants: number[] = []
      const items: (readonly [string, number, number, number])[] = []
      let closing = closingAfter(of, null)
      while (closing !== null && closing.atMs <= until) {
        instants.push(closing.atMs)
        for (const item of itemsAt(of, closing))
          items.push([item.lineKey, item.service.to, item.fullService.from, closing.atMs])
        closing = closingAfter(of, closing.atMs)
      }
      const found = closingInstants(row, until)
      expect(found).toEqual(instants)
      const own = slices(row, found).map(
        ({ lineKey, service, full, closesAt }) => [lineKey, service.to, full.from, closesAt] as const,
      )
      const sorted = (list: typeof items) => list.toSorted(([a], [b]) => (a < b ? -1 : 1))
      expect(sorted([...own])).toEqual(sorted(items))
    }),
    { numRuns: runs(60) },
  )
})

test('a transaction is visible in a snapshot when it had been committed', () => {
  const cutoff = '100:110:103,105'
  const seen = ['99', '100', '103', '104', '105', '109', '110', '111'].filter((id) => isVisible(id, cutoff))
  expect(seen).toEqual(['99', '100', '104', '109'])
})
