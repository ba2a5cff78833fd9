import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addDuration, isTimeZone, parseCadence, parseDuration, zoned } from '../../src/domain/calendar.ts'
import {
  boundaryAfter,
  boundaryAt,
  contains,
  intersect,
  periodContaining,
  type Grid,
} from '../../src/domain/periods.ts'
import { at, show } from './builders.ts'
import { runs } from '../support/properties.ts'

const grid = (anchor: string, cadence: string, timeZone = 'UTC'): Grid => ({
  anchorMs: at(anchor),
  cadence,
  timeZone,
})
const boundaries = (g: Grid, count: number): string[] =>
  Array.from({ length: count }, (_, k) => show(boundaryAt(g, k)))

const grids = fc.record({
  anchorMs: fc.integer({ min: at('2000-01-01'), max: at('2040-01-01') }),
  cadence: fc.constantFrom('P1D', 'P1W', 'P2W', 'P1M', 'P3M', 'P1Y'),
  timeZone: fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kathmandu',
    'Australia/Lord_Howe',
  ),
})

describe('boundaries', () => {
  test('rule 1: a period on the 31st returns to the 31st after February', () => {
    expect(boundaries(grid('2026-01-31', 'P1M'), 5)).toEqual([
      '2026-01-31',
      '2026-02-28',
      '2026-03-31',
      '2026-04-30',
      '2026-05-31',
    ])
  })

  test('rule 1: a leap year ends February on the 29th', () => {
    expect(boundaries(grid('2028-01-31', 'P1M'), 3)).toEqual(['2028-01-31', '2028-02-29', '2028-03-31'])
  })

  test('rule 1: an annual anchor on Feb 29 bills on Feb 28 and returns to Feb 29', () => {
    expect(boundaries(grid('2024-02-29', 'P1Y'), 5)).toEqual([
      '2024-02-29',
      '2025-02-28',
      '2026-02-28',
      '2027-02-28',
      '2028-02-29',
    ])
  })

  test('rule 1: boundaries before the anchor are counted from it too', () => {
    expect(show(boundaryAt(grid('2026-03-31', 'P1M'), -1))).toBe('2026-02-28')
  })

  test('rule 1: a quarter from the 31st falls on the boundaries of its months', () => {
    const monthly = boundaries(grid('2026-01-31', 'P1M'), 13)
    for (const boundary of boundaries(grid('2026-01-31', 'P3M'), 5)) expect(monthly).toContain(boundary)
  })

  test('rule 1: boundaries are the calendar’s, also in UTC and where they were asked for before', () => {
    const steps = fc.integer({ min: -300, max: 300 })
    fc.assert(
      fc.property(grids, steps, (g, k) => {
        const { unit, count } = parseCadence(g.cadence)
        const step = unit === 'month' ? { months: k * count } : { days: k * count }
        const boundary = zoned(g.anchorMs, g.timeZone).add(step).epochMilliseconds
        expect([boundaryAt(g, k), boundaryAt(g, k)]).toEqual([boundary, boundary])
      }),
      { numRuns: runs(1000) },
    )
  })

  test('rule 1: every instant is in exactly the period that its index names', () => {
    fc.assert(
      fc.property(grids, fc.integer({ min: at('2000-01-01'), max: at('2060-01-01') }), (g, ms) => {
        const { index, from, to } = periodContaining(g, ms)
        expect(from <= ms && ms < to).toBe(true)
        expect([from, to]).toEqual([boundaryAt(g, index), boundaryAt(g, index + 1)])
      }),
      { numRuns: runs(300) },
    )
  })
})

describe('intervals', () => {
  test('rule 2: an instant at a boundary belongs to the period that starts there', () => {
    const g = grid('2026-01-01', 'P1M')
    expect(periodContaining(g, at('2026-02-01')).index).toBe(1)
    expect(periodContaining(g, at('2026-02-01') - 1).index).toBe(0)
    expect(show(boundaryAfter(g, at('2026-02-01')))).toBe('2026-03-01')
  })

  test('rule 2: an event at exactly `to` is not in the period', () => {
    const period = { from: 1_000, to: 2_000 }
    expect([999, 1_000, 1_999, 2_000].map((ms) => contains(period, ms))).toEqual([false, true, true, false])
  })

  test('rule 2: intervals that only touch share nothing', () => {
    expect(intersect({ from: 0, to: 10 }, { from: 10, to: 20 })).toBeNull()
    expect(intersect({ from: 0, to: 11 }, { from: 10, to: 20 })).toEqual({ from: 10, to: 11 })
  })

  test('rule 2: periods follow each other without a gap or an overlap', () => {
    fc.assert(
      fc.property(grids, fc.integer({ min: -50, max: 50 }), (g, k) => {
        expect(periodContaining(g, boundaryAt(g, k)).from).toBe(boundaryAt(g, k))
        expect(periodContaining(g, boundaryAt(g, k + 1) - 1).to).toBe(boundaryAt(g, k + 1))
      }),
      { numRuns: runs(200) },
    )
  })
})

describe('time zones', () => {
  const hours = (g: Grid, k: number): number => (boundaryAt(g, k + 1) - boundaryAt(g, k)) / 3_600_000

  test('rule 3: a month that crosses the change to summer time is an hour shorter, to winter time an hour longer', () => {
    const g = grid('2025-12-31T23:00Z', 'P1M', 'Europe/Berlin')
    expect([0, 2, 9].map((k) => hours(g, k))).toEqual([31 * 24, 31 * 24 - 1, 31 * 24 + 1])
  })

  test('rule 3: the days of a daily cadence start at local midnight on both sides of the change', () => {
    const g = grid('2026-03-27T23:00Z', 'P1D', 'Europe/Berlin')
    expect(boundaries(g, 4)).toEqual([
      '2026-03-27T23:00Z',
      '2026-03-28T23:00Z',
      '2026-03-29T22:00Z',
      '2026-03-30T22:00Z',
    ])
  })

  test('rule 3: the same anchor has other boundaries in another zone', () => {
    const anchor = '2026-01-30T20:00Z'
    expect(show(boundaryAt(grid(anchor, 'P1M', 'UTC'), 1))).toBe('2026-02-28T20:00Z')
    expect(show(boundaryAt(grid(anchor, 'P1M', 'Asia/Tokyo'), 1))).toBe('2026-02-27T20:00Z')
  })

  test('rule 3: a local time that does not exist moves to the next one that does, and only that day', () => {
    const g = grid('2026-01-29T01:30Z', 'P1M', 'Europe/Berlin')
    expect(show(boundaryAt(g, 2))).toBe('2026-03-29T01:30Z')
    expect(show(boundaryAt(g, 3))).toBe('2026-04-29T00:30Z')
  })

  test('rule 3: durations are added by the calendar', () => {
    expect(show(addDuration(at('2026-01-31'), 'P1M', 'UTC'))).toBe('2026-02-28')
    expect(show(addDuration(at('2026-03-28T12:00Z'), 'P1D', 'Europe/Berlin'))).toBe('2026-03-29T11:00Z')
  })

  test('rule 3: only names of zones are taken, offsets and inventions are not', () => {
    expect(['UTC', 'Europe/Berlin', '+01:00', 'Mars/Olympus', ''].map(isTimeZone)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ])
    expect(() => boundaryAt(grid('2026-01-01', 'P1M', 'Mars/Olympus'), 0)).toThrow(/time zone/)
  })

  test.each(['', '1M', 'P', '-P1M', 'P-1M', 'P1X', 'PT'])('%j is not a duration', (iso) => {
    expect(() => parseDuration(iso)).toThrow(/ISO 8601/)
  })
})
