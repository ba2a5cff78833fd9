import { describe, expect, test } from 'vitest'
import { decideRetry, dunningProblems, graceEndsAt, type DunningPolicy } from '../../src/domain/dunning.ts'
import { at, show } from './builders.ts'

const policy: DunningPolicy = { retries: ['P1D', 'P3D', 'P7D'], end: 'mark_uncollectible', grace: 'P5D' }
const firstFailedMs = at('2026-03-01T09:00Z')
const failed = { policy, firstFailedMs, lastFailedMs: firstFailedMs, hard: false }

describe('retries', () => {
  test.each([
    [1, '2026-03-01T09:00Z', '2026-03-02T09:00Z'],
    [2, '2026-03-02T10:00Z', '2026-03-04T09:00Z'],
    [3, '2026-03-04T10:00Z', '2026-03-08T09:00Z'],
  ])(
    'rule 32: after %i failures, at %s, the next retry is at %s: counted from the first failure',
    (attempts, now, next) => {
      expect(decideRetry({ ...failed, attempts, lastFailedMs: at(now), nowMs: at(now) })).toEqual({
        kind: 'retry',
        atMs: at(next),
      })
    },
  )

  test('rule 32: after the last retry the end of the policy follows', () => {
    expect(decideRetry({ ...failed, attempts: 4, nowMs: at('2026-03-08T09:00Z') })).toEqual({
      kind: 'end',
      end: 'mark_uncollectible',
    })
    const none = { ...policy, retries: [], end: 'leave_overdue' as const }
    expect(decideRetry({ ...failed, policy: none, attempts: 1, nowMs: at('2026-03-01T09:00Z') })).toEqual({
      kind: 'end',
      end: 'leave_overdue',
    })
  })

  test('rule 32: a retry whose time has passed is due now, not in the past', () => {
    const nowMs = at('2026-03-06')
    expect(decideRetry({ ...failed, attempts: 1, nowMs })).toEqual({ kind: 'retry', atMs: nowMs })
  })

  test('rule 32: retries that were missed are not made up for one after another', () => {
    const late = (lastFailedMs: number) => ({ ...failed, attempts: 2, lastFailedMs, nowMs: lastFailedMs })
    expect(decideRetry(late(at('2026-03-05')))).toEqual({ kind: 'retry', atMs: at('2026-03-08T09:00Z') })
    expect(decideRetry(late(at('2026-03-09')))).toMatchObject({ kind: 'end' })
  })

  test('rule 32: a later look at the same failure keeps to the retry that is planned, whatever was missed before', () => {
    const looked = { ...failed, attempts: 2, lastFailedMs: at('2026-03-05') }
    for (const now of ['2026-03-05', '2026-03-06', '2026-03-08'])
      expect(decideRetry({ ...looked, nowMs: at(now) })).toEqual({
        kind: 'retry',
        atMs: at('2026-03-08T09:00Z'),
      })
  })

  test('rule 32: payments tried by hand never bring the end forward', () => {
    expect(decideRetry({ ...failed, attempts: 6, nowMs: at('2026-03-01T10:00Z') })).toEqual({
      kind: 'retry',
      atMs: at('2026-03-08T09:00Z'),
    })
  })

  test('rule 32: a hard decline waits for a new payment method and burns no retry', () => {
    const hard = { ...failed, hard: true, attempts: 1 }
    const waiting = decideRetry({ ...hard, nowMs: at('2026-03-02') })
    expect(waiting).toEqual({ kind: 'wait_new_payment_method', untilMs: at('2026-03-08T09:00Z') })
    expect(decideRetry({ ...hard, hard: false, nowMs: at('2026-03-02') })).toMatchObject({
      kind: 'retry',
      atMs: at('2026-03-02T09:00Z'),
    })
  })

  test('rule 32: a hard decline without a new payment method ends with the policy', () => {
    expect(decideRetry({ ...failed, hard: true, attempts: 1, nowMs: at('2026-03-08T09:00Z') })).toMatchObject(
      { kind: 'end' },
    )
  })

  test('rule 32: grace for access counts from the first failure, apart from the retries', () => {
    expect(show(graceEndsAt(policy, failed.firstFailedMs))).toBe('2026-03-06T09:00Z')
    expect(graceEndsAt({ ...policy, retries: [] }, failed.firstFailedMs)).toBe(
      graceEndsAt(policy, failed.firstFailedMs),
    )
  })
})

test.each([
  [{}, []],
  [{ retries: [] }, []],
  [{ retries: ['P3D', 'P1D'] }, ['retries[1]']],
  [{ retries: ['P1D', 'PT24H'] }, ['retries[1]']],
  [{ retries: ['tomorrow'] }, ['retries[0]']],
  [{ retries: ['P0D'] }, ['retries[0]']],
  [{ grace: '-P1D' }, ['grace']],
])('a policy with %j has problems in %j', (change, fields) => {
  expect(dunningProblems({ ...policy, ...change }).map((p) => p.field)).toEqual(fields)
})
