import { expect, test } from 'vitest'
import { keyRate } from '../../src/api/key-rate.ts'

test('a clock that is set back by hours refuses nobody for hours', () => {
  let now = Date.UTC(2026, 0, 1, 12)
  const waitMs = keyRate(2, () => now)
  expect([waitMs('a'), waitMs('a'), waitMs('a')]).toEqual([0, 0, 500])
  now -= 3 * 3_600_000
  expect(waitMs('a')).toBe(500)
  now += 1_000
  expect([waitMs('a'), waitMs('a'), waitMs('a')]).toEqual([0, 0, 500])
})
