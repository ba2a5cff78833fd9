import type { SubjectHold } from '../domain/subject-holds.ts'

interface StoredHold {
  readonly subjectKey: string
  readonly from: string | null
  readonly to: string | null
}

/** When some of a slice's subjects were its customer's, for its row. */
export function holdsToStore(holds: readonly SubjectHold[] | null): string | null {
  if (holds === null) return null
  const instant = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())
  const stored: readonly StoredHold[] = holds.map(({ subjectKey, fromMs, toMs }) => ({
    subjectKey,
    from: instant(fromMs),
    to: instant(toMs),
  }))
  return JSON.stringify(stored)
}

/** The same read back. Written by `holdsToStore` alone. */
export function storedHolds(document: unknown): readonly SubjectHold[] | null {
  const milliseconds = (text: string | null): number | null => (text === null ? null : Date.parse(text))
  const stored = document as readonly StoredHold[] | null
  return (
    stored?.map(({ subjectKey, from, to }) => ({
      subjectKey,
      fromMs: milliseconds(from),
      toMs: milliseconds(to),
    })) ?? null
  )
}
