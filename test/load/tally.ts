import { quantile } from '../../bench/support/benchmark.ts'
import type { Answer } from './http.ts'

export const kinds = ['single', 'batch', 'read', 'command', 'billing run'] as const
export type Kind = (typeof kinds)[number]

export interface KindFigures {
  readonly kind: Kind
  readonly answered: number
  readonly refused: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** What became of every request. */
export interface Tally {
  readonly note: (kind: Kind, answer: Answer) => void
  /** A connection that broke, or an answer that no request should get. */
  readonly fail: (kind: Kind, problem: string) => void
  readonly figures: () => readonly KindFigures[]
  readonly failures: () => readonly string[]
}

/** Kept in full up to so many; beyond, each replaces one at random, so that every answer is as likely to be among them. */
const SAMPLES = 20_000
const FAILURES_KEPT = 20

export function createTally(): Tally {
  const byKind = new Map(kinds.map((kind) => [kind, { answered: 0, refused: 0, ms: [] as number[] }]))
  const problems: string[] = []
  let failed = 0
  const fail = (kind: Kind, problem: string): void => {
    failed += 1
    if (problems.length < FAILURES_KEPT) problems.push(`${kind}: ${problem}`)
  }
  return {
    note(kind, { status, retryAfter, text, ms }) {
      const figures = byKind.get(kind)
      if (figures === undefined) return
      if (status === 429) {
        figures.refused += 1
        if (retryAfter === null || retryAfter < 1) fail(kind, 'a 429 without Retry-After')
        return
      }
      if (status >= 300) fail(kind, `${status}: ${text.slice(0, 300)}`)
      figures.answered += 1
      if (figures.ms.length < SAMPLES) figures.ms.push(ms)
      else figures.ms[Math.floor(Math.random() * figures.answered)] = ms
      figures.ms.length = Math.min(figures.ms.length, SAMPLES)
    },
    fail,
    figures: () =>
      [...byKind].map(([kind, { answered, refused, ms }]) => ({
        kind,
        answered,
        refused,
        p50Ms: quantile(ms, 0.5),
        p99Ms: quantile(ms, 0.99),
      })),
    failures: () => (failed > FAILURES_KEPT ? [...problems, `${failed} in all`] : problems),
  }
}
