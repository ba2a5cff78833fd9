import type { Random } from './random.ts'
import type { Resident } from './settle-in.ts'

export interface UsageEvent {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: 'chaos'
  readonly type: 'request'
  readonly subject: string
  readonly time: string
  readonly data: { readonly tokens: number; readonly person: string }
}

export interface UsageOfMonth {
  /** Posted while the month goes on: out of order, and some of it twice. */
  readonly timely: readonly (readonly UsageEvent[])[]
  /** Posted after the month was billed. */
  readonly late: readonly UsageEvent[]
}

const EVENTS_AT_MOST = 12
const BATCH = 60

/** What a household uses in a span of time. */
export function usageOf(
  random: Random,
  residents: readonly Resident[],
  span: { readonly from: Date; readonly to: Date; readonly name: string },
): UsageOfMonth {
  const timely: UsageEvent[] = []
  const late: UsageEvent[] = []
  const length = span.to.getTime() - span.from.getTime()
  for (const { key, plan } of residents) {
    if (plan.startsWith('flat')) continue
    const count = random.int(0, EVENTS_AT_MOST)
    for (let n = 0; n < count; n++) {
      const event: UsageEvent = {
        specversion: '1.0',
        id: `${key}-${span.name}-${n}`,
        source: 'chaos',
        type: 'request',
        subject: key,
        time: new Date(span.from.getTime() + Math.floor(random.next() * length)).toISOString(),
        data: { tokens: random.int(1, 900), person: `person ${random.int(1, 9)}` },
      }
      if (random.chance(0.1)) late.push(event)
      else timely.push(event)
      // As a producer sends it that did not hear the answer.
      if (random.chance(0.05)) timely.push(event)
    }
  }
  return { timely: batches(shuffled(random, timely)), late: shuffled(random, late) }
}

function batches(events: readonly UsageEvent[]): readonly (readonly UsageEvent[])[] {
  const made: UsageEvent[][] = []
  for (let first = 0; first < events.length; first += BATCH) made.push(events.slice(first, first + BATCH))
  return made
}

function shuffled<T>(random: Random, from: readonly T[]): readonly T[] {
  return from
    .map((one) => [random.next(), one] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, one]) => one)
}
