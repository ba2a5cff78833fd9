/** What was shot and what it hit. Only hits count: work was under way, or a request or a webhook was concerned. */
export interface Tally {
  readonly shot: (kind: string) => void
  readonly hit: (kind: string, count?: number) => void
  /** How long something was away, in milliseconds. */
  readonly recovered: (kind: string, ms: number) => void
  readonly hits: () => number
  readonly report: () => TallyReport
}

export interface TallyReport {
  readonly shots: number
  readonly hits: number
  readonly byKind: Readonly<Record<string, { readonly shots: number; readonly hits: number }>>
  readonly recoveryMs: Readonly<Record<string, { readonly p50: number; readonly p99: number }>>
}

export function createTally(): Tally {
  const shots = new Map<string, number>()
  const hits = new Map<string, number>()
  const recoveries = new Map<string, number[]>()
  const total = (of: ReadonlyMap<string, number>): number => [...of.values()].reduce((a, b) => a + b, 0)
  return {
    shot: (kind) => void shots.set(kind, (shots.get(kind) ?? 0) + 1),
    hit: (kind, count = 1) => void hits.set(kind, (hits.get(kind) ?? 0) + count),
    recovered: (kind, ms) => void recoveries.set(kind, [...(recoveries.get(kind) ?? []), Math.round(ms)]),
    hits: () => total(hits),
    report() {
      const kinds = [...new Set([...shots.keys(), ...hits.keys()])].sort()
      return {
        shots: total(shots),
        hits: total(hits),
        byKind: Object.fromEntries(
          kinds.map((kind) => [kind, { shots: shots.get(kind) ?? 0, hits: hits.get(kind) ?? 0 }]),
        ),
        recoveryMs: Object.fromEntries(
          [...recoveries].map(([kind, times]) => [
            kind,
            { p50: quantile(times, 0.5), p99: quantile(times, 0.99) },
          ]),
        ),
      }
    },
  }
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0
}
