import { addDuration, subtractDuration } from '../domain/calendar.ts'
import type { LateUsagePolicy } from './settings.ts'

/** Periods that ended after this instant are still rated again (rule 9). */
export function lateWindowStartMs(policy: LateUsagePolicy, atMs: number, timeZone: string): number {
  return subtractDuration(atMs, policy.window, timeZone)
}

/** When the last look at a subscription's usage is taken, after its final invoice (rule 9). */
export function correctionAtMs(policy: LateUsagePolicy, endedMs: number, timeZone: string): number {
  return addDuration(endedMs, policy.window, timeZone)
}
