const FIRST_MS = 200
const LONGEST_MS = 60_000

/** Real time to wait before delivering again: 0.2 s, doubling up to a minute, or to what is given. */
export function backoffMs(attempts: number, longestMs = LONGEST_MS): number {
  return Math.min(FIRST_MS * 2 ** Math.min(attempts, 20), longestMs)
}
