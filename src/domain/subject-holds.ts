/** A customer had a subject from an instant to another, or has it still. */
export interface SubjectTime {
  readonly customerId: string
  readonly subjectKey: string
  readonly fromMs: number
  readonly toMs: number | null
}

/** A half-open time in which a subject's usage counts for a customer; null: without a beginning, or without an end. */
export interface SubjectHold {
  readonly subjectKey: string
  readonly fromMs: number | null
  readonly toMs: number | null
}

/**
 * When the usage of subjects counts for a customer, of all times at which anyone had these subjects (billing rule 8). What
 * happened while nobody had the subject counts for the next who got it, from the first on what happened before too. No instant
 * counts for two, whatever the times say: customers' clocks may differ.
 */
export function subjectHolds(customerId: string, times: readonly SubjectTime[]): readonly SubjectHold[] {
  const bySubject = new Map<string, SubjectTime[]>()
  for (const time of times) {
    const ofSubject = bySubject.get(time.subjectKey)
    if (ofSubject === undefined) bySubject.set(time.subjectKey, [time])
    else ofSubject.push(time)
  }
  return [...bySubject.values()].flatMap((ofSubject) => holdsOfSubject(customerId, ofSubject))
}

const endOf = ({ toMs }: Pick<SubjectHold, 'toMs'>): number => toMs ?? Number.POSITIVE_INFINITY
const beginningOf = ({ fromMs }: SubjectHold): number => fromMs ?? Number.NEGATIVE_INFINITY

function holdsOfSubject(customerId: string, times: readonly SubjectTime[]): readonly SubjectHold[] {
  const inOrder = times
    .filter((time) => endOf(time) > time.fromMs)
    .toSorted((one, other) => one.fromMs - other.fromMs || endOf(one) - endOf(other))
  const holds: SubjectHold[] = []
  let heldToMs: number | null = null
  for (const time of inOrder) {
    if (heldToMs !== null && endOf(time) <= heldToMs) continue
    if (time.customerId === customerId) {
      holds.push({ subjectKey: time.subjectKey, fromMs: heldToMs, toMs: time.toMs })
    }
    heldToMs = endOf(time)
  }
  return holds
}

/** Whose usage a slice counts. */
export interface SliceSubjects {
  readonly subjectKeys: readonly string[]
  /** Of subjects that were the customer's for a part of the service period only: when they were. null: there are none. */
  readonly subjectHolds: readonly SubjectHold[] | null
}

/** What of a customer's holds a service period has. */
export function subjectsWithin(
  holds: readonly SubjectHold[],
  service: { readonly from: number; readonly to: number },
): SliceSubjects {
  const touching = holds.filter((hold) => endOf(hold) > service.from && beginningOf(hold) < service.to)
  const partly = touching.filter((hold) => beginningOf(hold) > service.from || endOf(hold) < service.to)
  return {
    subjectKeys: [...new Set(touching.map(({ subjectKey }) => subjectKey))].toSorted(),
    subjectHolds: partly.length === 0 ? null : partly,
  }
}
