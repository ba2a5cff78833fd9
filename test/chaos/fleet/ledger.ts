import { appendFileSync } from 'node:fs'
import type { UsageEvent } from './usage.ts'

/** The fleet's own record of what the API acknowledged, a JSON line for each event: what is recounted at the end. */
export interface Ledger {
  readonly file: string
  readonly note: (events: readonly UsageEvent[]) => void
  readonly count: () => number
}

export function openLedger(file: string): Ledger {
  let count = 0
  appendFileSync(file, '')
  return {
    file,
    note(events) {
      count += events.length
      const answeredAt = Date.now()
      appendFileSync(file, events.map((event) => `${JSON.stringify({ ...event, answeredAt })}\n`).join(''))
    },
    count: () => count,
  }
}
