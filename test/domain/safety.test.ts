import { expect, test } from 'vitest'
import { parkReason } from '../../src/domain/safety.ts'
import { at } from './builders.ts'

const fine = {
  atMs: at('2026-02-01'),
  previousMs: at('2026-01-01'),
  nowMs: at('2026-02-01'),
  invoicesInLastDay: 0,
}

test('rule 33: an ordinary closing is billed', () => {
  expect(parkReason(fine)).toBeNull()
  expect(parkReason({ ...fine, previousMs: null })).toBeNull()
})

test('rule 33: a closing in the future parks', () => {
  expect(parkReason({ ...fine, nowMs: fine.atMs - 1 })).toMatch(/not ended/)
})

test('rule 33: a period that is longer than any cadence parks', () => {
  expect(parkReason({ ...fine, previousMs: at('2010-01-01') })).toMatch(/longer/)
})

test('rule 33: too many invoices a day park, and say how many', () => {
  const bounds = { maxInvoicesPerDay: 3, maxPeriodMs: 1e12 }
  expect(parkReason({ ...fine, invoicesInLastDay: 2 }, bounds)).toBeNull()
  expect(parkReason({ ...fine, invoicesInLastDay: 3 }, bounds)).toMatch(/3 invoices/)
})
