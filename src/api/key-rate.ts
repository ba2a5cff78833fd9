interface Bucket {
  tokens: number
  atMs: number
}

/** Buckets of callers that have not called for this long are full again, and forgotten. */
const FORGOTTEN_AFTER_MS = 60_000

/**
 * A token bucket for each caller: so many requests a second, in bursts of as many. Returns how long to wait, in milliseconds; 0:
 * go on. Callers are known keys, so there are not more buckets than keys.
 */
export function keyRate(perSecond: number, nowMs: () => number): (caller: string) => number {
  const buckets = new Map<string, Bucket>()
  let sweptMs = nowMs()
  const sweep = (now: number): void => {
    if (now - sweptMs < FORGOTTEN_AFTER_MS) return
    sweptMs = now
    for (const [caller, { atMs }] of buckets) if (now - atMs > FORGOTTEN_AFTER_MS) buckets.delete(caller)
  }
  return (caller) => {
    const now = nowMs()
    sweep(now)
    const bucket = buckets.get(caller) ?? { tokens: perSecond, atMs: now }
    buckets.set(caller, bucket)
    // A clock that is set back takes no tokens away: its caller would be refused for as long as it was set back.
    const elapsedMs = Math.max(0, now - bucket.atMs)
    bucket.tokens = Math.min(perSecond, bucket.tokens + (elapsedMs / 1000) * perSecond)
    bucket.atMs = now
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) / perSecond) * 1000)
    bucket.tokens -= 1
    return 0
  }
}
