interface Bounds {
  readonly leastMs: number
  readonly mostMs: number
}

/** When to try again what has been waited for since an instant: after as long again, within bounds. */
export function afterAsLongAgain(asOfMs: number, sinceMs: number, { leastMs, mostMs }: Bounds): number {
  return asOfMs + Math.min(Math.max(asOfMs - sinceMs, leastMs), mostMs)
}
