import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RateCard } from '../../src/domain/rate-card.ts'
import { closingAfter, itemsAt, phaseSpans, type Terms } from '../../src/domain/schedule.ts'
import { at, fee, phase, show, terms, timeline, usage } from './builders.ts'
import { runs } from '../support/properties.ts'

const unit = { type: 'unit', amount: '0.10' } as const
const arrears = fee({ key: 'arrears', price: { type: 'flat', amount: '30', paymentTerm: 'in_arrears' } })
const plan = (rateCards: RateCard[], rest: Partial<Terms> = {}) =>
  terms({ ...rest, phases: [phase({ rateCards })] })

/** `key from→to` of what each closing bills. */
const billed = (t: Terms, until: string) =>
  timeline(t, at(until)).map(({ at: when, items }) => [
    when,
    ...items.map((i) => `${i.rateCard.key} ${show(i.service.from)}→${show(i.service.to)}`),
  ])

describe('closings', () => {
  test('rule 1: closings of a subscription that starts on the 31st return to the 31st', () => {
    const t = terms({ activeFromMs: at('2026-01-31'), activeToMs: at('2026-04-10') })
    expect(timeline(t, at('2027-01-01')).map((c) => `${c.kind} ${c.at}`)).toEqual([
      'start 2026-01-31',
      'boundary 2026-02-28',
      'boundary 2026-03-31',
      'end 2026-04-10',
    ])
  })

  test('rule 1: phases of a month that start on the 31st change on the boundaries of the anchor', () => {
    const months = ['a', 'b', 'c'].map((key) => phase({ key, duration: 'P1M' }))
    const t = terms({ activeFromMs: at('2026-01-31'), phases: [...months, phase({ key: 'd' })] })
    expect(phaseSpans(t).map((s) => show(s.from))).toEqual([
      '2026-01-31',
      '2026-02-28',
      '2026-03-31',
      '2026-04-30',
    ])
  })

  test('rule 1: a month after a trial of two weeks is counted from the end of the trial', () => {
    const phases = [
      phase({ key: 'trial', duration: 'P2W' }),
      phase({ key: 'intro', duration: 'P1M' }),
      phase(),
    ]
    const t = terms({ activeFromMs: at('2026-01-20'), phases })
    expect(phaseSpans(t).map((s) => show(s.from))).toEqual(['2026-01-20', '2026-02-03', '2026-03-03'])
  })

  test('rule 3: closings are local midnights in the zone of the subscription', () => {
    const t = terms({ activeFromMs: at('2026-02-28T23:00Z'), timeZone: 'Europe/Berlin' })
    expect(timeline(t, at('2026-05-01')).map((c) => c.at)).toEqual([
      '2026-02-28T23:00Z',
      '2026-03-31T22:00Z',
      '2026-04-30T22:00Z',
    ])
  })

  test('an anchor apart from the start makes the first period short', () => {
    const t = terms({ activeFromMs: at('2026-01-20'), anchorMs: at('2026-01-01') })
    expect(timeline(t, at('2026-03-01')).map((c) => c.at)).toEqual(['2026-01-20', '2026-02-01', '2026-03-01'])
  })

  test('after the end nothing closes, and an end on a boundary closes once', () => {
    const t = terms({ activeToMs: at('2026-02-01') })
    expect(closingAfter(t, at('2026-01-01'))).toEqual({
      atMs: at('2026-02-01'),
      kind: 'end',
      previousMs: at('2026-01-01'),
    })
    expect(closingAfter(t, at('2026-02-01'))).toBeNull()
  })

  test('a phase that the end comes before never starts', () => {
    const phases = [phase({ key: 'a', duration: 'P3M' }), phase({ key: 'b' })]
    expect(phaseSpans(terms({ activeToMs: at('2026-02-15'), phases })).map((s) => s.phase.key)).toEqual(['a'])
  })
})

describe('what becomes billable', () => {
  test('rule 16: fees bill at the start of their period for it, usage at its end', () => {
    expect(billed(plan([fee(), usage(unit)]), '2026-03-01')).toEqual([
      ['2026-01-01', 'fee 2026-01-01→2026-02-01'],
      ['2026-02-01', 'fee 2026-02-01→2026-03-01', 'tokens 2026-01-01→2026-02-01'],
      ['2026-03-01', 'fee 2026-03-01→2026-04-01', 'tokens 2026-02-01→2026-03-01'],
    ])
  })

  test('rule 16: a fee in arrears bills at the end of its period, and the last part at the end', () => {
    expect(billed(plan([arrears], { activeToMs: at('2026-02-15') }), '2026-03-01')).toEqual([
      ['2026-01-01'],
      ['2026-02-01', 'arrears 2026-01-01→2026-02-01'],
      ['2026-02-15', 'arrears 2026-02-01→2026-02-15'],
    ])
  })

  test('rule 16: nothing is billed in advance at the end', () => {
    const last = billed(plan([fee(), usage(unit)], { activeToMs: at('2026-02-01') }), '2026-03-01').at(-1)
    expect(last).toEqual(['2026-02-01', 'tokens 2026-01-01→2026-02-01'])
  })

  test('rule 28: a cancelation at the end of a period still bills the usage of that period', () => {
    const t = plan([usage(unit)], { activeToMs: at('2026-03-01') })
    expect(timeline(t, at('2026-06-01')).map((c) => [c.kind, c.items.length])).toEqual([
      ['start', 0],
      ['boundary', 1],
      ['end', 1],
    ])
  })

  test('rule 28: a cancelation at once bills the usage up to that instant', () => {
    const last = billed(plan([usage(unit)], { activeToMs: at('2026-02-11T10:00Z') }), '2026-06-01').at(-1)
    expect(last).toEqual(['2026-02-11T10:00Z', 'tokens 2026-02-01→2026-02-11T10:00Z'])
  })

  test('a yearly fee with monthly usage bills once a year', () => {
    const t = plan([fee({ key: 'year', billingCadence: 'P1Y' }), usage(unit)])
    expect(timeline(t, at('2027-02-01')).map((c) => c.items.map((i) => i.rateCard.key).join())).toEqual([
      'year',
      ...Array.from({ length: 11 }, () => 'tokens'),
      'year,tokens',
      'tokens',
    ])
  })

  test('usage by the week is billed by every week that ended, with a billing period of four weeks', () => {
    const t = plan([usage(unit, { billingCadence: 'P1W' })], { billingCadence: 'P4W' })
    expect(billed(t, '2026-01-29').at(-1)).toEqual([
      '2026-01-29',
      'tokens 2026-01-01→2026-01-08',
      'tokens 2026-01-08→2026-01-15',
      'tokens 2026-01-15→2026-01-22',
      'tokens 2026-01-22→2026-01-29',
    ])
  })

  test('a one-time fee is billed once, at the start of its phase or at its end', () => {
    const once = fee({ key: 'setup', billingCadence: null })
    const after = fee({
      key: 'exit',
      billingCadence: null,
      price: { type: 'flat', amount: '5', paymentTerm: 'in_arrears' },
    })
    const keys = timeline(plan([once, after], { activeToMs: at('2026-03-10') }), at('2026-06-01'))
    expect(keys.map((c) => c.items.map((i) => i.rateCard.key).join())).toEqual(['setup', '', '', 'exit'])
  })

  test('a free rate card bills nothing', () => {
    expect(billed(plan([fee({ price: null })]), '2026-01-01')).toEqual([['2026-01-01']])
  })

  test('a phase change bills what its phase used and starts the next phase, mid-period', () => {
    const phases = [
      phase({ key: 'trial', duration: 'P14D', rateCards: [usage(unit)] }),
      phase({ key: 'main', rateCards: [fee(), usage(unit)] }),
    ]
    expect(billed(terms({ phases }), '2026-02-01')).toEqual([
      ['2026-01-01'],
      ['2026-01-15', 'tokens 2026-01-01→2026-01-15', 'fee 2026-01-15→2026-02-01'],
      ['2026-02-01', 'fee 2026-02-01→2026-03-01', 'tokens 2026-01-15→2026-02-01'],
    ])
  })
})

describe('times of a line', () => {
  const phases = [phase({ key: 'trial', duration: 'P14D' }), phase({ rateCards: [fee(), usage(unit)] })]
  const t = terms({ phases, activeToMs: at('2026-02-11') })

  test('rule 5: service, full service, billing period and invoicing instant are kept apart', () => {
    const closing = closingAfter(t, at('2026-01-01'))!
    expect(itemsAt(t, closing)).toMatchObject([
      {
        lineKey: 'main/fee/2026-01-15T00:00:00.000Z',
        service: { from: at('2026-01-15'), to: at('2026-02-01') },
        fullService: { from: at('2026-01-01'), to: at('2026-02-01') },
        billing: { from: at('2026-01-01'), to: at('2026-02-01') },
        invoiceAtMs: at('2026-01-15'),
      },
    ])
  })

  test('rule 24: what is clipped is prorated over the full period, not over what is left of it', () => {
    const items = itemsAt(t, closingAfter(t, at('2026-02-01'))!)
    expect(items.map((i) => [show(i.service.to), show(i.fullService.to)])).toEqual([
      ['2026-02-11', '2026-03-01'],
    ])
  })

  test('rule 5: usage is billed in the period it was used in', () => {
    const [item] = itemsAt(plan([usage(unit)]), closingAfter(plan([usage(unit)]), at('2026-01-01'))!)
    expect(item).toMatchObject({
      billing: { from: at('2026-01-01'), to: at('2026-02-01') },
      invoiceAtMs: at('2026-02-01'),
      kind: 'usage',
      featureKey: 'tokens',
    })
  })
})

describe('over a whole life', () => {
  const lives = fc.record({
    from: fc.integer({ min: at('2024-01-01'), max: at('2027-01-01') }),
    days: fc.integer({ min: 1, max: 500 }),
    anchorDays: fc.integer({ min: 0, max: 27 }),
    trial: fc.constantFrom('P14D', 'P1M', 'P45D'),
    cadence: fc.constantFrom('P1M', 'P3M', 'P1Y'),
    billingCadence: fc.constantFrom('P1M', 'P3M'),
    timeZone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York'),
  })
  const dayMs = 86_400_000

  test('rule 16: every rate card bills each instant of its phase exactly once, whatever the cadences', () => {
    fc.assert(
      fc.property(lives, ({ from, days, anchorDays, trial, cadence, billingCadence, timeZone }) => {
        const rateCards = [
          fee({ billingCadence: cadence }),
          { ...arrears, billingCadence: cadence },
          usage(unit),
        ]
        const phases = [phase({ key: 'trial', duration: trial, rateCards }), phase({ rateCards })]
        const activeToMs = from + days * dayMs
        const anchorMs = from - anchorDays * dayMs
        const t = terms({ activeFromMs: from, activeToMs, anchorMs, billingCadence, timeZone, phases })
        const items = timeline(t, activeToMs).flatMap((c) => c.items)
        expect(new Set(items.map((i) => i.lineKey)).size).toBe(items.length)
        for (const span of phaseSpans(t)) {
          for (const card of rateCards) {
            const own = items.filter((i) => i.phaseKey === span.phase.key && i.rateCard.key === card.key)
            const slices = own.map((i) => i.service).toSorted((a, b) => a.from - b.from)
            expect(slices.map((s) => s.from)).toEqual([span.from, ...slices.slice(0, -1).map((s) => s.to)])
            expect(slices.at(-1)?.to).toBe(span.to)
          }
        }
      }),
      { numRuns: runs(60) },
    )
  })
})
