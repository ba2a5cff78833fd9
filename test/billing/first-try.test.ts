import { expect, test } from 'vitest'
import { mayBeAtStripe } from '../../src/billing/first-try.ts'
import type { StoredInvoice } from '../../src/db/stores/closings.ts'
import type { InvoiceRow } from '../../src/db/stores/invoices.ts'

const at = (instant: string): Date => new Date(`${instant}Z`)

interface Case {
  readonly aliveSince?: Date | null
  readonly storedAt?: Date
  readonly onTestClock?: boolean
  readonly periodFrom?: Date
}

/** The invoice of a January, written a minute after its end. */
const january = (given: Case = {}): StoredInvoice => ({
  invoice: {
    customerSnapshot: { onTestClock: given.onTestClock ?? false },
    supplierSnapshot: {},
    periodFrom: given.periodFrom ?? at('2026-01-01T00:00'),
    closingAt: at('2026-02-01T00:00'),
    createdAt: at('2026-02-01T00:01'),
  } as unknown as InvoiceRow,
  lines: [],
  aliveSince: given.aliveSince === undefined ? at('2025-12-01T00:00') : given.aliveSince,
  storedAt: given.storedAt ?? at('2026-02-01T00:01'),
})

test('rule 31: Stripe cannot have what was written just now, in due time, by a database that was there all the while', () => {
  expect(mayBeAtStripe(january())).toBe(false)
  expect(mayBeAtStripe(january({ storedAt: at('2026-02-01T19:59') }))).toBe(false)
})

test('rule 31: an earlier life of the database may have run the invoice at any time of its period', () => {
  expect(mayBeAtStripe(january({ aliveSince: at('2026-02-01T00:00') }))).toBe(true)
  expect(mayBeAtStripe(january({ aliveSince: at('2026-01-15T00:00') }))).toBe(true)
  expect(mayBeAtStripe(january({ aliveSince: null }))).toBe(true)
})

test('rule 31: the clocks of who wrote the period and of the database may be an hour apart', () => {
  expect(mayBeAtStripe(january({ aliveSince: at('2025-12-31T23:01') }))).toBe(true)
  expect(mayBeAtStripe(january({ aliveSince: at('2025-12-31T22:59') }))).toBe(false)
})

test('rule 31: what is closed late is looked for: the keys of an earlier try may be forgotten', () => {
  expect(mayBeAtStripe(january({ storedAt: at('2026-02-01T20:01') }))).toBe(true)
})

test('a customer’s instants on a test clock tell nothing of when Stripe was asked', () => {
  expect(mayBeAtStripe(january({ onTestClock: true }))).toBe(true)
})
