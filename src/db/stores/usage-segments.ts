/** How long the buckets of rollups are, in minutes: each is a multiple of the one before. */
export const bucketMinutes = [15, 60, 1440] as const
export type BucketMinutes = (typeof bucketMinutes)[number]

/** A part of an interval, in epoch ms: read from buckets of one length, or from the events (null). */
export interface Segment {
  readonly minutes: BucketMinutes | null
  /** null: open. */
  readonly from: number | null
  readonly to: number | null
}

export interface Cut {
  readonly longest: BucketMinutes
  /** Before this instant, in epoch ms, no bucket is used. */
  readonly since: number
}

/**
 * Cuts a half-open interval into the longest buckets that lie in it: days in the middle, shorter ones towards the edges,
 * events at ragged ends.
 */
export function segmentsOf(
  { from, to }: { readonly from: number | null; readonly to: number | null },
  { longest, since }: Cut,
): readonly Segment[] {
  const lengths = bucketMinutes.filter((minutes) => minutes <= longest).toReversed()
  if (from !== null && from >= since) return cut(from, to, lengths)
  if (to !== null && to <= since) return [{ minutes: null, from, to }]
  return [{ minutes: null, from, to: since }, ...cut(since, to, lengths)]
}

function cut(from: number, to: number | null, lengths: readonly BucketMinutes[]): readonly Segment[] {
  if (to !== null && from >= to) return []
  const [minutes, ...shorter] = lengths
  if (minutes === undefined) return [{ minutes: null, from, to }]
  const ms = minutes * 60_000
  const first = Math.ceil(from / ms) * ms
  const end = to === null ? null : Math.floor(to / ms) * ms
  if (end !== null && first >= end) return cut(from, to, shorter)
  const after = end === null ? [] : cut(end, to, shorter)
  return [...cut(from, first, shorter), { minutes, from: first, to: end }, ...after]
}
