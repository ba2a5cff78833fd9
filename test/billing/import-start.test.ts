import { expect, test } from 'vitest'
import { importFrom, importStart } from '../../src/billing/import-start.ts'

const ms = (instant: string): number => Date.parse(instant)
const there = {
  createdMs: ms('2026-03-10T12:00:00Z'),
  startMs: ms('2026-03-01T00:00:00Z'),
  currentPeriodStartMs: ms('2026-05-01T00:00:00Z'),
  billingAnchorMs: ms('2026-03-01T00:00:00Z'),
  isOnTestClock: false,
}

test('a subscription that was made after the app was installed counts from its start, in the same second too', () => {
  expect(importFrom(there, new Date('2026-03-09T00:00:00Z'))).toBe('start')
  expect(importFrom(there, new Date('2026-03-10T12:00:00.999Z'))).toBe('start')
})

test('one that was there before the app counts with the period that runs', () => {
  expect(importFrom(there, new Date('2026-03-10T12:00:01Z'))).toBe('current_period')
})

test('one on a test clock of Stripe counts from its start, whatever that clock shows', () => {
  expect(importFrom({ ...there, isOnTestClock: true }, new Date('2027-01-01T00:00:00Z'))).toBe('start')
})

test('its periods are counted from the anchor that Stripe has', () => {
  const billingAnchor = new Date('2026-03-01T00:00:00Z')
  expect(importStart(there, 'start')).toEqual({ activeFrom: billingAnchor, billingAnchor })
  const activeFrom = new Date('2026-05-01T00:00:00Z')
  expect(importStart(there, 'current_period')).toEqual({ activeFrom, billingAnchor })
  expect(importStart({ ...there, currentPeriodStartMs: Infinity }, 'current_period')).toEqual({
    activeFrom: billingAnchor,
    billingAnchor,
  })
})
