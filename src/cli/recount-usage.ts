import type { Database } from '../db/connection.ts'
import { endOfChunk, mend, recount } from '../db/stores/usage-recount.ts'
import type { Chunk, Place, Recount, RecountBounds, RollupDifference } from '../db/stores/usage-recount.ts'
import { rollUpFinished } from '../db/stores/usage-roller.ts'
import { meteredSeries } from '../db/stores/usage-series.ts'
import type { MeteredSeries } from '../db/stores/usage-series.ts'

export interface RecountOptions extends RecountBounds {
  /** Rollups that answer one meter; null: all. */
  readonly meterId: string | null
  readonly onProgress?: (now: SeriesReport) => void
  /** Events that are recounted in one statement, about. */
  readonly chunkEvents?: number
}

/** What was found of one series: what meters that measure the same have in common. */
export interface SeriesReport {
  readonly meters: readonly string[]
  readonly eventType: string
  readonly keeps: string
  readonly groupBy: readonly string[]
  readonly events: number
  readonly rollups: number
  /** Rollups that were not what their events add up to. */
  readonly differing: number
  /** Events that are not rolled up yet, at most: they are read one by one, and miss nowhere. */
  readonly behind: string
  /** It went while it was recounted: its meter was changed or deleted. */
  readonly isGone: boolean
}

export interface RecountReport {
  readonly differing: number
  readonly series: readonly SeriesReport[]
  /** The first of them. */
  readonly differences: readonly (RollupDifference & { readonly meters: readonly string[] })[]
}

const NAMED_MAX = 100
const ROLL_EVERY_MS = 500

/** Recounts rollups from the events, and changes nothing. */
export async function verifyRollups(db: Database, options: RecountOptions): Promise<RecountReport> {
  return await throughSeries(db, options, async (series, chunk) => await recount(db, series, chunk))
}

/**
 * Recounts rollups and writes those that differ anew, each chunk in a transaction of its own: whatever stops it, what is done
 * is done, and another run does the rest. Later events are rolled up in between, so that they do not pile up.
 */
export async function rebuildRollups(db: Database, options: RecountOptions): Promise<RecountReport> {
  let rolledAt = Date.now()
  return await throughSeries(db, options, async (series, chunk) => {
    if (Date.now() - rolledAt >= ROLL_EVERY_MS) {
      await rollUpFinished(db)
      rolledAt = Date.now()
    }
    return await mend(db, series, chunk)
  })
}

type Step = (series: MeteredSeries, chunk: Chunk) => Promise<Recount | null>

async function throughSeries(db: Database, options: RecountOptions, step: Step): Promise<RecountReport> {
  const reports: SeriesReport[] = []
  const differences: RecountReport['differences'][number][] = []
  for (const series of await meteredSeries(db, options.meterId)) {
    let report = nothingOf(series)
    for await (const found of throughChunks(db, series, { ...options, step })) {
      report = found === null ? { ...report, isGone: true } : added(report, found)
      options.onProgress?.(report)
      const named = (found?.differences ?? []).slice(0, NAMED_MAX - differences.length)
      differences.push(...named.map((one) => ({ meters: series.meters, ...one })))
    }
    reports.push(report)
  }
  return {
    differing: reports.reduce((sum, { differing }) => sum + differing, 0),
    series: reports,
    differences,
  }
}

/** Until all is recounted, or the series has gone. */
async function* throughChunks(
  db: Database,
  series: MeteredSeries,
  { subjects, from, to, chunkEvents, step }: RecountOptions & { readonly step: Step },
): AsyncGenerator<Recount | null> {
  const bounds = { subjects, from, to }
  let begin: Place | null = null
  do {
    const size = chunkEvents === undefined ? {} : { eventsMax: chunkEvents }
    const end: Place | null = await endOfChunk(db, series, { ...bounds, ...size, begin })
    const found = await step(series, { ...bounds, begin, end })
    yield found
    if (found === null) return
    begin = end
  } while (begin !== null)
}

function nothingOf({ meters, eventType, keeps, groupBy, behind }: MeteredSeries): SeriesReport {
  const counted = { events: 0, rollups: 0, differing: 0, behind, isGone: false }
  return { meters, eventType, keeps, groupBy: Object.keys(groupBy).sort(), ...counted }
}

function added(report: SeriesReport, { events, rollups, differing }: Recount): SeriesReport {
  return {
    ...report,
    events: report.events + events,
    rollups: report.rollups + rollups,
    differing: report.differing + differing,
  }
}
