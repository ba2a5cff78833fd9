const DAY_MS = 24 * 60 * 60 * 1000
const LONGEST_LOOK_MS = 30 * DAY_MS

/**
 * When a waiting invoice looks at Stripe by itself next: after a day, then at growing intervals (as long again as it has
 * waited), at most a month. A lost webhook delays and never strands it (rule 30).
 */
export function nextLookMs(asOfMs: number, issuedMs: number): number {
  const waitedMs = asOfMs - issuedMs
  return asOfMs + Math.min(Math.max(waitedMs, DAY_MS), LONGEST_LOOK_MS)
}
