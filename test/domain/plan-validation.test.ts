import { describe, expect, test } from 'vitest'
import { validatePlan } from '../../src/domain/plan-validation.ts'
import type { Phase, PriceTier, RateCard, UsagePrice } from '../../src/domain/rate-card.ts'
import { fee, phase, usage } from './builders.ts'

const check = (phases: readonly Phase[], rest: { currency?: string; billingCadence?: string } = {}) =>
  validatePlan({ currency: 'USD', billingCadence: 'P1M', phases, ...rest }).map((v) => `${v.code} ${v.field}`)
const cards = (...rateCards: RateCard[]) => check([phase({ rateCards })])
const price = (p: UsagePrice) => cards(usage(p))
const tiered = (...bounds: (string | null)[]) =>
  price({
    type: 'tiered',
    mode: 'graduated',
    tiers: bounds.map((b): PriceTier => ({
      ...(b === null ? {} : { upToAmount: b }),
      flatPrice: null,
      unitPrice: { type: 'unit', amount: '1' },
    })),
  })
const unit = { type: 'unit', amount: '0.1' } as const

test('a plan with fees, usage and phases is fine', () => {
  const rateCards = [
    fee(),
    usage(unit),
    fee({ key: 'setup', billingCadence: null }),
    fee({ key: 'free', price: null }),
  ]
  expect(check([phase({ key: 'trial', duration: 'P14D' }), phase({ rateCards })])).toEqual([])
})

describe('cadences', () => {
  const withCadence = (...cadences: string[]) =>
    cards(...cadences.map((c, i) => fee({ key: `fee${i}`, billingCadence: c })))

  test('rule 4: months and quarters and years go together, also with days', () => {
    expect(withCadence('P1M', 'P3M', 'P1Y', 'P1D')).toEqual([])
  })

  test('rule 4: four weeks do not go with the month that the plan bills by', () => {
    expect(withCadence('P4W')).toEqual(['cadence_not_divisible phases[0].rateCards[0].billingCadence'])
  })

  test('rule 4: two months and three do not go together though both are months', () => {
    expect(withCadence('P2M', 'P3M')).toEqual(['cadence_not_divisible phases[0].rateCards[1].billingCadence'])
  })

  test('rule 4: cadences of different phases are compared too', () => {
    const phases = [
      phase({ key: 'a', duration: 'P2M', rateCards: [fee({ billingCadence: 'P2M' })] }),
      phase({ key: 'b', rateCards: [fee({ billingCadence: 'P3M' })] }),
    ]
    expect(check(phases)).toEqual(['cadence_not_divisible phases[1].rateCards[0].billingCadence'])
  })

  test('a cadence that cannot be read is reported where it stands', () => {
    expect(withCadence('PT1H')).toEqual(['invalid_duration phases[0].rateCards[0].billingCadence'])
    expect(check([phase()], { billingCadence: 'monthly' })).toEqual(['invalid_duration billingCadence'])
  })
})

describe('tiers', () => {
  const at = (i: number) => `phases[0].rateCards[0].price.tiers[${i}].upToAmount`

  test('rule 12: increasing bounds with an open end are fine', () => {
    expect(tiered('1000', '1000.001', null)).toEqual([])
    expect(tiered(null)).toEqual([])
  })

  test.each([
    ['equal bounds', ['1000', '1000', null], `tier_bounds_not_increasing ${at(1)}`],
    ['equal bounds written differently', ['1000', '1000.0', null], `tier_bounds_not_increasing ${at(1)}`],
    ['falling bounds', ['1000', '999', null], `tier_bounds_not_increasing ${at(1)}`],
    ['a first bound of 0', ['0', null], `tier_bounds_not_increasing ${at(0)}`],
    ['a closed end', ['1000'], `tier_open_end_missing ${at(0)}`],
    ['an open tier in the middle', ['1000', null, '2000'], `tier_open_end_missing ${at(1)}`],
    ['two open tiers', ['1000', null, null], `tier_open_end_missing ${at(1)}`],
    ['a bound that is no number', ['many', null], `invalid_decimal ${at(0)}`],
  ])('rule 12: %s are refused', (_, bounds, violation) => {
    expect(tiered(...bounds)).toEqual([violation])
  })

  test('rule 12: no tiers at all are refused', () => {
    expect(tiered()).toEqual(['tier_open_end_missing phases[0].rateCards[0].price.tiers'])
  })
})

test('rule 18: an unknown currency is refused', () => {
  expect(check([phase()], { currency: 'XXX' })).toEqual(['unknown_currency currency'])
})

describe('phases', () => {
  test('only the last phase goes on without an end', () => {
    expect(check([phase({ key: 'a' }), phase({ key: 'b', duration: 'P1M' })])).toEqual([
      'validation_failed phases[0].duration',
      'validation_failed phases[1].duration',
    ])
  })

  test('a phase of no length is refused', () => {
    expect(check([phase({ key: 'a', duration: 'P0D' }), phase()])).toEqual([
      'invalid_duration phases[0].duration',
    ])
  })

  test('keys are used once', () => {
    const duplicate = check([
      phase({ key: 'a', duration: 'P1M' }),
      phase({ key: 'a', rateCards: [fee(), fee()] }),
    ])
    expect(duplicate).toEqual(['duplicate_key phases[1].key', 'duplicate_key phases[1].rateCards[1].key'])
  })

  test('a plan without phases is refused', () => {
    expect(check([])).toEqual(['validation_failed phases'])
  })
})

describe('prices', () => {
  const field = 'phases[0].rateCards[0]'

  test('a price by usage needs a feature', () => {
    const { featureKey: _, ...card } = usage(unit)
    expect(cards(card)).toEqual([`validation_failed ${field}.featureKey`])
  })

  test.each([
    ['a negative price', { ...unit, amount: '-1' }, `validation_failed ${field}.price.amount`],
    [
      'rule 33: a price that no invoice could hold',
      { ...unit, amount: '10000000000.01' },
      `validation_failed ${field}.price.amount`,
    ],
    ['a price that is no number', { ...unit, amount: 'free' }, `invalid_decimal ${field}.price.amount`],
    [
      'a package of nothing',
      { type: 'package', amount: '1', quantityPerPackage: '0' },
      `validation_failed ${field}.price.quantityPerPackage`,
    ],
    [
      'a minimum above the maximum',
      { ...unit, minimumAmount: '2', maximumAmount: '1' },
      `validation_failed ${field}.price.minimumAmount`,
    ],
    [
      'a negative multiplier',
      { type: 'dynamic', multiplier: '-2' },
      `validation_failed ${field}.price.multiplier`,
    ],
  ] as const)('%s is refused', (_, p, violation) => {
    expect(price(p)).toEqual([violation])
  })

  test.each([[-1], [101], ['half']])('a discount of %s percent is refused', (percentage) => {
    expect(cards(fee({ discounts: { percentage: { percentage } } }))).toHaveLength(1)
  })

  test('free units of a fee are refused', () => {
    expect(cards(fee({ discounts: { usage: { quantity: '10' } } }))).toEqual([
      `validation_failed ${field}.discounts.usage`,
    ])
  })
})

test('everything that is wrong is said at once', () => {
  expect(
    check([phase({ rateCards: [usage({ ...unit, amount: 'x' }), fee({ billingCadence: 'P4W' })] })], {
      currency: 'ABC',
    }),
  ).toEqual([
    'unknown_currency currency',
    'invalid_decimal phases[0].rateCards[0].price.amount',
    'cadence_not_divisible phases[0].rateCards[1].billingCadence',
  ])
})
