import { describe, expect, test } from 'vitest'
import { settle } from '../../src/billing/invoice-settle.ts'
import type { InvoiceRow } from '../../src/db/stores/invoices.ts'
import type { PaymentOutcome, StripeInvoiceView } from '../../src/stripe/invoice-types.ts'

const day = 86_400_000
const issuedMs = Date.parse('2026-01-01T00:00:00Z')

/** An issued invoice, as far as settling reads it. */
const issued = (facts: Partial<InvoiceRow> = {}, collectionMethod = 'charge_automatically'): InvoiceRow =>
  ({
    status: 'issued',
    substatus: null,
    statusReason: null,
    attempts: 0,
    firstFailedAt: null,
    lastFailedAt: null,
    lastPaymentId: null,
    needsNewPaymentMethod: false,
    dueAt: null,
    paidAt: null,
    issuedAt: new Date(issuedMs),
    createdAt: new Date(issuedMs),
    customerSnapshot: {},
    supplierSnapshot: {},
    workflowSnapshot: { payment: { collectionMethod } },
    dunningSnapshot: { retries: ['P3D', 'P7D'], end: 'cancel_subscription', grace: 'P7D' },
    ...facts,
  }) as unknown as InvoiceRow

const open = (payment: Partial<PaymentOutcome>): StripeInvoiceView =>
  ({
    status: 'open',
    payment: { paymentId: 'pi_1', code: null, declineCode: null, hard: false, message: null, ...payment },
  }) as unknown as StripeInvoiceView

const dueMs = (patch: { readonly nextDueAt?: unknown }): number =>
  patch.nextDueAt instanceof Date ? patch.nextDueAt.getTime() : NaN

describe('a failed payment', () => {
  const failure = open({ kind: 'failed' })

  test('rule 32: an attempt that left no charge of its own is counted by its number', () => {
    const row = issued({ attempts: 1, firstFailedAt: new Date(issuedMs), lastPaymentId: 'pi_1' })
    const { patch } = settle(row, failure, { asOfMs: issuedMs + 3 * day, attempt: 2 })
    expect(patch.attempts).toBe(2)
    // Counted as one, it would be due again at once, under the same idempotency key, for ever.
    expect(dueMs(patch)).toBe(issuedMs + 7 * day)
  })

  test('rule 32: a retry that was missed does not count again after a second outage', () => {
    // Stripe was away until the eighth day, and again when it was looked at: when to try again has taken the plan's place.
    const dunningSnapshot = { retries: ['P3D', 'P7D', 'P14D'], end: 'leave_overdue', grace: 'P7D' }
    const row = issued({
      attempts: 2,
      firstFailedAt: new Date(issuedMs),
      lastFailedAt: new Date(issuedMs + 8 * day),
      lastPaymentId: 'pi_1',
      substatus: 'payment_failed',
      nextDueAt: new Date(issuedMs + 9 * day),
      nextLookAt: new Date(issuedMs + 9 * day),
      dunningSnapshot,
    })
    expect(dueMs(settle(row, failure, { asOfMs: issuedMs + 9 * day }).patch)).toBe(issuedMs + 14 * day)
  })

  test('rule 30: a look at a failure that is known counts nothing', () => {
    const row = issued({ attempts: 1, firstFailedAt: new Date(issuedMs), lastPaymentId: 'pi_1' })
    expect(settle(row, failure, { asOfMs: issuedMs + day }).patch.attempts).toBe(1)
  })

  test('of an e-mailed invoice plans no retry that would be due again and again', () => {
    const row = issued(
      { attempts: 1, firstFailedAt: new Date(issuedMs), lastPaymentId: 'pi_1', substatus: 'payment_failed' },
      'send_invoice',
    )
    const asOfMs = issuedMs + 3 * day
    const { patch, end } = settle(row, failure, { asOfMs })
    expect(dueMs(patch)).toBeGreaterThan(asOfMs)
    expect(end).toBeNull()
  })
})

describe('rule 32: a payment that the customer has to confirm', () => {
  const waiting = open({ kind: 'requires_action', hard: true })

  test('counts as an attempt, so that the next has a key of its own', () => {
    const { patch, end } = settle(issued(), waiting, { asOfMs: issuedMs, attempt: 1 })
    expect(patch).toMatchObject({ status: 'issued', substatus: 'action_required', attempts: 1 })
    expect(end).toBeNull()
  })

  test('is waited for as long as the last retry, then dunning ends', () => {
    const row = issued({
      attempts: 1,
      firstFailedAt: new Date(issuedMs),
      lastPaymentId: 'pi_1',
      substatus: 'action_required',
    })
    const before = settle(row, waiting, { asOfMs: issuedMs + 4 * day })
    expect(before.end).toBeNull()
    expect(dueMs(before.patch)).toBe(issuedMs + 7 * day)
    const after = settle(row, waiting, { asOfMs: issuedMs + 7 * day })
    expect(after).toMatchObject({ end: 'cancel_subscription', patch: { substatus: 'dunning_ended' } })
  })
})

describe('rule 32: a hard decline', () => {
  const hard = open({ kind: 'failed', hard: true, code: 'card_declined', declineCode: 'lost_card' })

  test('waits for a new payment method, also at each further look', () => {
    const first = settle(issued(), hard, { asOfMs: issuedMs, attempt: 1 })
    expect(first.patch).toMatchObject({ substatus: 'payment_method_needed', needsNewPaymentMethod: true })
    const row = issued({ ...(first.patch as Partial<InvoiceRow>) })
    const again = settle(row, hard, { asOfMs: issuedMs + day })
    expect(again.patch).toMatchObject({ substatus: 'payment_method_needed', needsNewPaymentMethod: true })
  })

  test('is no reason to wait once another payment method came', () => {
    const row = issued({
      attempts: 1,
      firstFailedAt: new Date(issuedMs),
      lastPaymentId: 'pi_1',
      substatus: 'payment_method_needed',
      needsNewPaymentMethod: false,
    })
    const { patch } = settle(row, hard, { asOfMs: issuedMs + day })
    expect(patch).toMatchObject({ substatus: 'payment_failed', needsNewPaymentMethod: false })
    expect(dueMs(patch)).toBe(issuedMs + 3 * day)
  })
})
