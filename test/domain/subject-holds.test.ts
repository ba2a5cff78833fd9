import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { subjectHolds, subjectsWithin } from '../../src/domain/subject-holds.ts'
import type { SubjectHold, SubjectTime } from '../../src/domain/subject-holds.ts'

const customers = ['a', 'b', 'c'] as const
const time = (customerId: string, fromMs: number, toMs: number | null): SubjectTime => ({
  customerId,
  subjectKey: 's',
  fromMs,
  toMs,
})
const hold = (fromMs: number | null, toMs: number | null): SubjectHold => ({ subjectKey: 's', fromMs, toMs })

const holds = (one: SubjectHold, ms: number): boolean =>
  (one.fromMs ?? Number.NEGATIVE_INFINITY) <= ms && ms < (one.toMs ?? Number.POSITIVE_INFINITY)

const ownersAt = (times: readonly SubjectTime[], ms: number): readonly string[] =>
  customers.filter((customer) => subjectHolds(customer, times).some((one) => holds(one, ms)))

test.each<[string, readonly SubjectTime[], readonly SubjectHold[]]>([
  ['had it always', [time('a', 10, null)], [hold(null, null)]],
  ['lost it', [time('a', 10, 20)], [hold(null, 20)]],
  ['lost it to another', [time('a', 10, 20), time('b', 20, null)], [hold(null, 20)]],
  ['got it from another', [time('b', 10, 20), time('a', 20, null)], [hold(20, null)]],
  ['got it a while after another', [time('b', 10, 20), time('a', 30, null)], [hold(20, null)]],
  [
    'got it back',
    [time('a', 10, 20), time('b', 20, 30), time('a', 30, null)],
    [hold(null, 20), hold(30, null)],
  ],
  ['had it for no time', [time('a', 10, 10), time('b', 10, null)], []],
  ['got it by a slow clock from another', [time('b', 10, 20), time('a', 15, null)], [hold(20, null)]],
])('a customer who %s', (_words, times, expected) => {
  expect(subjectHolds('a', times)).toEqual(expected)
})

test('rule 8: each instant is of one customer: who had the subject, or got it next', () => {
  /** What happens to the subject, one after the other: somebody gets it from whoever has it, or it is nobody's. */
  const story = fc.array(
    fc.record({ after: fc.integer({ min: 1, max: 5 }), to: fc.constantFrom(...customers, null) }),
  )
  fc.assert(
    fc.property(story, fc.integer({ min: -3, max: 60 }), (turns, ms) => {
      const times: SubjectTime[] = []
      let nowMs = 0
      for (const { after, to } of turns) {
        nowMs += after
        const last = times.at(-1)
        if (last?.toMs === null) times[times.length - 1] = { ...last, toMs: nowMs }
        if (to !== null) times.push(time(to, nowMs, null))
      }
      const owner = times.find(({ toMs }) => ms < (toMs ?? Number.POSITIVE_INFINITY))?.customerId
      expect(ownersAt(times, ms)).toEqual(owner === undefined ? [] : [owner])
    }),
  )
})

test('rule 8: whatever clocks say, no instant is of two customers', () => {
  const any = fc.record({
    customerId: fc.constantFrom(...customers),
    subjectKey: fc.constant('s'),
    fromMs: fc.integer({ min: 0, max: 20 }),
    toMs: fc.option(fc.integer({ min: 0, max: 20 })),
  })
  fc.assert(
    fc.property(fc.array(any), fc.integer({ min: -1, max: 21 }), (times, ms) => {
      expect(ownersAt(times, ms).length).toBeLessThanOrEqual(1)
    }),
  )
})

test('a slice counts the subjects of its service period, and says when they were the customer’s only where that was a part', () => {
  const all = [hold(null, 20), hold(30, null), { subjectKey: 'other', fromMs: null, toMs: null }]
  expect(subjectsWithin(all, { from: 0, to: 20 })).toEqual({
    subjectKeys: ['other', 's'],
    subjectHolds: null,
  })
  expect(subjectsWithin(all, { from: 20, to: 30 })).toEqual({ subjectKeys: ['other'], subjectHolds: null })
  expect(subjectsWithin(all, { from: 10, to: 40 })).toEqual({
    subjectKeys: ['other', 's'],
    subjectHolds: [hold(null, 20), hold(30, null)],
  })
})
