import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  availableActions,
  invoiceEvents,
  invoiceStatuses,
  isCollecting,
  isFinal,
  isSettled,
  nextStatus,
  requireAction,
  transition,
  type InvoiceEvent,
  type InvoiceStatus,
} from '../../src/domain/invoice-state.ts'

const actions = (status: InvoiceStatus, substatus: string | null = null) =>
  Object.keys(availableActions({ status, substatus }))

describe('transitions', () => {
  test('an invoice goes from draft over issuing and issued to paid', () => {
    const events: InvoiceEvent[] = ['approve', 'issued', 'payment_processing', 'paid']
    expect(events.reduce<InvoiceStatus>((s, e) => transition(s, e), 'draft')).toBe('paid')
  })

  test('rule 32: a payment that is processing is neither paid nor failed: it is not overdue, retried or voided', () => {
    const refused: InvoiceEvent[] = ['due_passed', 'retry', 'void', 'write_off']
    expect(refused.map((e) => nextStatus('payment_processing', e))).toEqual([null, null, null, null])
    expect(actions('payment_processing')).toEqual([])
  })

  test('rule 30: what is reported late or twice about a settled invoice changes nothing', () => {
    for (const event of invoiceEvents) {
      expect([nextStatus('paid', event), nextStatus('voided', event)]).toEqual([null, null])
    }
  })

  test('what is paid after it was written off is paid', () => {
    expect(transition('uncollectible', 'paid')).toBe('paid')
  })

  test('an event that does not apply is refused with a code', () => {
    expect(() => transition('paid', 'void')).toThrow(
      expect.objectContaining({ code: 'action_not_available' }),
    )
  })

  test('from every status that can be reached, a final one can be', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...invoiceEvents), { maxLength: 30 }), (events) => {
        const status = events.reduce<InvoiceStatus>((s, e) => nextStatus(s, e) ?? s, 'draft')
        const settled = nextStatus(status, 'paid') ?? status
        expect(isFinal(settled)).toBe(true)
      }),
    )
  })

  test('only what is issued and open waits for money', () => {
    expect(invoiceStatuses.filter(isCollecting)).toEqual(['issued', 'payment_processing', 'overdue'])
    expect(invoiceStatuses.filter(isFinal)).toEqual(['paid', 'voided'])
  })

  test('rule 30: what was written off is not settled while it waits to be looked at', () => {
    const settled = (isDue: boolean) => invoiceStatuses.filter((status) => isSettled({ status, isDue }))
    expect(settled(false)).toEqual(['paid', 'uncollectible', 'voided'])
    expect(settled(true)).toEqual(['paid', 'voided'])
  })
})

describe('available actions', () => {
  test.each([
    ['draft', 'waiting_approval', ['approve', 'void']],
    ['draft', 'waiting_draft_period', ['approve', 'void']],
    ['issuing', null, []],
    ['issuing', 'failed', ['retry', 'void']],
    ['issued', null, ['void']],
    ['issued', 'payment_failed', ['retry', 'void']],
    ['issued', 'payment_method_needed', ['retry', 'void']],
    ['issued', 'action_required', ['retry', 'void']],
    ['payment_processing', null, []],
    ['overdue', null, ['retry', 'void']],
    ['uncollectible', null, ['void']],
    ['paid', null, []],
    ['voided', null, []],
  ] as const)('%s (%s): %j', (status, substatus, available) => {
    expect(actions(status, substatus)).toEqual(available)
  })

  test('an action is offered only where its transition exists', () => {
    for (const status of invoiceStatuses) {
      for (const substatus of [null, 'failed', 'payment_failed', 'waiting_approval']) {
        for (const action of actions(status, substatus)) {
          expect(nextStatus(status, action as InvoiceEvent)).not.toBeNull()
        }
      }
    }
  })

  test('an action that is not offered is refused, and the refusal says what is', () => {
    expect(() => requireAction({ status: 'paid', substatus: null }, 'void')).toThrow(
      expect.objectContaining({
        code: 'action_not_available',
        details: { status: 'paid', substatus: null, available: [] },
      }),
    )
    expect(() => requireAction({ status: 'overdue', substatus: null }, 'retry')).not.toThrow()
  })
})
