import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { addDuration, cadenceDivides, parseCadence, subtractDuration } from '../../src/domain/calendar.ts'
import { boundaryAt, periodContaining } from '../../src/domain/periods.ts'
import { at } from './builders.ts'
import { runs } from '../support/properties.ts'

test.each([
  ['P1M', 'P3M', true],
  ['P1M', 'P1Y', true],
  ['P3M', 'P1Y', true],
  ['P12M', 'P1Y', true],
  ['P1Y', 'P12M', true],
  ['P1W', 'P4W', true],
  ['P7D', 'P1W', true],
  ['P1D', 'P1M', true],
  ['P1D', 'P1W', true],
  ['P4W', 'P1M', false],
  ['P1M', 'P4W', false],
  ['P1W', 'P1M', false],
  ['P1W', 'P1Y', false],
  ['P2M', 'P3M', false],
  ['P3M', 'P1M', false],
  ['P30D', 'P1M', false],
])('rule 4: %s divides %s: %s', (small, large, divides) => {
  expect(cadenceDivides(small, large)).toBe(divides)
})

test('rule 4: where a cadence divides another, every boundary of the large one is a boundary of the small one', () => {
  const cadences = fc.constantFrom('P1D', 'P1W', 'P2W', 'P4W', 'P1M', 'P2M', 'P3M', 'P6M', 'P1Y')
  const anchors = fc.integer({ min: at('2020-01-01'), max: at('2030-01-01') })
  fc.assert(
    fc.property(cadences, cadences, anchors, fc.integer({ min: 0, max: 12 }), (small, large, anchorMs, k) => {
      fc.pre(cadenceDivides(small, large))
      const boundary = boundaryAt({ anchorMs, timeZone: 'Europe/Berlin', cadence: large }, k)
      expect(periodContaining({ anchorMs, timeZone: 'Europe/Berlin', cadence: small }, boundary).from).toBe(
        boundary,
      )
    }),
    { numRuns: runs(200) },
  )
})

test.each(['P1M1D', 'PT1H', 'P1DT1H', 'P0D', 'P100Y', 'month'])('%s is not a cadence', (iso) => {
  expect(() => parseCadence(iso)).toThrow(expect.objectContaining({ code: 'invalid_duration' }))
})

test('years are counted in months and weeks in days', () => {
  expect(parseCadence('P1Y')).toEqual({ unit: 'month', count: 12 })
  expect(parseCadence('P2W')).toEqual({ unit: 'day', count: 14 })
})

test('rule 3: what is added and taken away in UTC is what the calendar of a zone without changes says', () => {
  const part = (letter: string, max: number) =>
    fc.option(fc.integer({ min: 0, max }), { nil: null }).map((n) => (n === null ? '' : `${n}${letter}`))
  const date = fc.tuple(part('Y', 2), part('M', 30), part('W', 9), part('D', 800)).map((one) => one.join(''))
  const seconds = fc.constantFrom('', '0S', '59S', '86401S', '0.001S', '1.999S', '0.0015S', '1.000000001S')
  const time = fc.tuple(part('H', 100), part('M', 3000), seconds).map((one) => one.join(''))
  const durations = fc
    .tuple(date, time)
    .filter(([days, hours]) => days + hours !== '')
    .map(([days, hours]) => `P${days}${hours === '' ? '' : `T${hours}`}`)
  const instants = fc.oneof(
    fc.integer({ min: Date.UTC(1960, 0), max: Date.UTC(2060, 0) }),
    fc.constantFrom(0, Date.UTC(2024, 1, 29), Date.UTC(2026, 0, 31, 23, 59, 59, 999)),
  )
  fc.assert(
    fc.property(instants, durations, (ms, iso) => {
      expect(addDuration(ms, iso, 'UTC')).toBe(addDuration(ms, iso, 'Africa/Abidjan'))
      expect(subtractDuration(ms, iso, 'UTC')).toBe(subtractDuration(ms, iso, 'Africa/Abidjan'))
    }),
    { numRuns: runs(500) },
  )
  expect(() => addDuration(0, 'P999999999D', 'UTC')).toThrow(RangeError)
})
