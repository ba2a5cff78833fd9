import { expect, test } from 'vitest'
import { decideAccess } from '../../src/domain/access.ts'
import type { AccessFacts, AccessState, FirstInvoice } from '../../src/domain/access.ts'

const day = 86_400_000
const start = Date.parse('2026-01-01T00:00:00Z')
const gated: AccessFacts = {
  nowMs: start + day,
  gate: 'first_invoice',
  activeFromMs: start,
  activeToMs: null,
  isStartBilled: true,
  openedAtMs: null,
  firstInvoice: null,
  graceEndsMs: [],
}
const open: AccessFacts = { ...gated, gate: 'none' }
const invoice = (status: string, substatus: string | null = null): FirstInvoice => ({
  id: 'inv_1',
  status,
  substatus,
  closedAtMs: start,
  paidAtMs: status === 'paid' ? start + 1 : null,
})

const states: readonly [string, AccessFacts, AccessState][] = [
  ['without a gate it is open from its start', open, 'granted'],
  [
    'without a gate an unpaid first invoice closes nothing',
    { ...open, firstInvoice: invoice('issued') },
    'granted',
  ],
  ['it is closed before its start', { ...open, nowMs: start - 1 }, 'not_started'],
  ['rule 2: it is open at its start', { ...open, nowMs: start }, 'granted'],
  ['rule 2: it has ended at its end', { ...open, activeToMs: start + day }, 'ended'],
  ['it is open until its end', { ...open, activeToMs: start + day + 1 }, 'granted'],
  ['one that was canceled before it began has ended', { ...open, nowMs: start, activeToMs: start }, 'ended'],
  ['gated: closed until its start is billed', { ...gated, isStartBilled: false }, 'pending_payment'],
  ['gated: open where nothing is to be paid at the start', gated, 'granted'],
  [
    'gated: closed while the first invoice waits for approval',
    { ...gated, firstInvoice: invoice('draft') },
    'pending_payment',
  ],
  [
    'gated: closed while the first invoice is issued',
    { ...gated, firstInvoice: invoice('issued') },
    'pending_payment',
  ],
  [
    'rule 32: gated: a payment that is processing opens nothing',
    { ...gated, firstInvoice: invoice('payment_processing') },
    'pending_payment',
  ],
  [
    'gated: a first invoice that was voided unpaid opens nothing',
    { ...gated, firstInvoice: invoice('voided') },
    'pending_payment',
  ],
  [
    'gated: a decline opens nothing',
    { ...gated, firstInvoice: invoice('issued', 'payment_failed') },
    'pending_payment',
  ],
  [
    'gated: 3-D Secure opens nothing',
    { ...gated, firstInvoice: invoice('issued', 'action_required') },
    'pending_payment',
  ],
  [
    'gated: what was written off opens nothing',
    { ...gated, firstInvoice: invoice('uncollectible') },
    'pending_payment',
  ],
  ['gated: the first payment opens it', { ...gated, firstInvoice: invoice('paid') }, 'granted'],
  [
    'gated: once it was opened it stays open',
    { ...gated, openedAtMs: start, firstInvoice: invoice('issued') },
    'granted',
  ],
  [
    'gated: grace is no way in for who never paid',
    { ...gated, firstInvoice: invoice('issued', 'payment_failed'), graceEndsMs: [start + 9 * day] },
    'pending_payment',
  ],
  [
    'rule 32: within the grace after a failure access is kept',
    { ...open, graceEndsMs: [start + day + 1] },
    'granted',
  ],
  ['rule 32: when the grace is over it is suspended', { ...open, graceEndsMs: [start + day] }, 'suspended'],
  ['rule 32: one of several is enough', { ...open, graceEndsMs: [start + 9 * day, start] }, 'suspended'],
  [
    'rule 32: gated, opened and not paid later: suspended',
    { ...gated, openedAtMs: start, graceEndsMs: [start + 2] },
    'suspended',
  ],
  ['what has ended is not suspended', { ...open, activeToMs: start + 1, graceEndsMs: [start] }, 'ended'],
]
test.each(states)('%s', (_name, facts, access) => {
  expect(decideAccess(facts)).toMatchObject({ access, reason: expect.stringMatching(/\.$/) })
})

test('it says since when', () => {
  const since = (facts: AccessFacts) => decideAccess(facts).sinceMs
  expect(since(open)).toBe(start)
  expect(since({ ...gated, firstInvoice: invoice('paid') })).toBe(start + 1)
  expect(since({ ...gated, openedAtMs: start + 5 })).toBe(start + 5)
  expect(since({ ...open, graceEndsMs: [start + 20, start + 10] })).toBe(start + 10)
  expect(since({ ...open, activeToMs: start + 3 })).toBe(start + 3)
})

test('a gated subscription says what its first payment waits for', () => {
  const reason = (status: string, substatus?: string) =>
    decideAccess({ ...gated, firstInvoice: invoice(status, substatus) }).reason
  expect(reason('payment_processing')).toContain('processing')
  expect(reason('issued', 'action_required')).toContain('confirmed')
  expect(reason('issued', 'payment_method_needed')).toContain('failed')
  expect(reason('draft')).toContain('not sent')
  expect(reason('issued')).toContain('not paid')
})
