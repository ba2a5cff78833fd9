import { decodeTime } from 'ulid'
import { expect, test } from 'vitest'
import { newId } from '../src/new-id.ts'

test('ids are ULIDs of now, each unlike the others', () => {
  const before = Date.now()
  const ids = Array.from({ length: 10_000 }, newId)
  expect(new Set(ids).size).toBe(ids.length)
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  for (const id of ids) expect(id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  const time = decodeTime(ids[0] ?? '')
  expect(time).toBeGreaterThanOrEqual(before)
  expect(time).toBeLessThanOrEqual(Date.now())
  // Every letter comes, and none much oftener: 160,000 in all, 5,000 of each.
  const letters = ids.map((id) => id.slice(10)).join('')
  for (const letter of alphabet) expect(letters.split(letter).length).toBeGreaterThan(4400)
})
