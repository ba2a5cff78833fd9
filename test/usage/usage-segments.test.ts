import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { bucketMinutes, segmentsOf } from '../../src/db/stores/usage-segments.ts'

const MINUTE_MS = 60_000
const instants = fc.integer({ min: 0, max: 10 * 1440 * MINUTE_MS }).map((ms) => Date.UTC(2024, 11, 28) + ms)

test('an interval is cut into whole buckets and ragged ends, without gap or overlap', () => {
  fc.assert(
    fc.property(
      fc.option(instants),
      fc.option(instants),
      fc.constantFrom(...bucketMinutes),
      instants,
      (from, to, longest, since) => {
        fc.pre(from === null || to === null || from < to)
        const segments = segmentsOf({ from, to }, { longest, since })
        expect(segments[0]?.from).toBe(from)
        expect(segments.at(-1)?.to).toBe(to)
        for (const [index, { minutes, from: begin, to: end }] of segments.entries()) {
          if (index > 0) expect(begin).toBe(segments[index - 1]?.to)
          if (minutes === null) continue
          expect(minutes).toBeLessThanOrEqual(longest)
          expect(begin).toBeGreaterThanOrEqual(since)
          expect((begin ?? Number.NaN) % (minutes * MINUTE_MS)).toBe(0)
          expect((end ?? 0) % (minutes * MINUTE_MS)).toBe(0)
        }
        // Events are read for less than a bucket at each end, and for what is before the first bucket.
        for (const { minutes, from: begin, to: end } of segments) {
          if (minutes !== null || begin === null || end === null || begin < since) continue
          expect(end - begin).toBeLessThan(2 * bucketMinutes[0] * MINUTE_MS)
        }
      },
    ),
  )
})

test('days in the middle, shorter buckets towards the edges', () => {
  const at = (text: string): number => Date.parse(`2025-01-${text}Z`)
  const interval = { from: at('01T22:40:00'), to: at('04T01:20:00') }
  expect(segmentsOf(interval, { longest: 1440, since: 0 })).toEqual([
    { minutes: null, from: at('01T22:40:00'), to: at('01T22:45:00') },
    { minutes: 15, from: at('01T22:45:00'), to: at('01T23:00:00') },
    { minutes: 60, from: at('01T23:00:00'), to: at('02T00:00:00') },
    { minutes: 1440, from: at('02T00:00:00'), to: at('04T00:00:00') },
    { minutes: 60, from: at('04T00:00:00'), to: at('04T01:00:00') },
    { minutes: 15, from: at('04T01:00:00'), to: at('04T01:15:00') },
    { minutes: null, from: at('04T01:15:00'), to: at('04T01:20:00') },
  ])
})
