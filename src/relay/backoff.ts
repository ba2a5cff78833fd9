const FIRST_MS = 200
const LONGEST_MS = 60_000

/** Real time to wait before delivering again: 0.2 s, doubling up to a minute. */
export function backoffMs(attempts: number): number {
  return Math.min(FIRST_MS * 2 ** Math.min(attempts, 20), LONGEST_MS)
}
