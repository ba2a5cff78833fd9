import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { decodeTime } from 'ulid'
import { expect, test } from 'vitest'
import { digestDigits } from '../../src/billing/digest-digits.ts'

test('digits of a digest never change: by them invoices and lines are found again', () => {
  expect(digestDigits('')).toBe('3G42RWWMTVM8SFS4')
  expect(decodeTime(`0000000000${digestDigits('a line')}`)).toBe(0)
  const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const bytes = createHash('sha256').update(text).digest().subarray(0, 16)
      expect(digestDigits(text)).toBe([...bytes].map((byte) => alphabet[byte % 32]).join(''))
    }),
  )
})
