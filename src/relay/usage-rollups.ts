import type { Database } from '../db/connection.ts'
import { finishedSeq, newestSeq, rollUp } from '../db/stores/usage-roller.ts'
import { periodically } from '../periodic.ts'
import type { Periodic } from '../periodic.ts'

export interface UsageRollupsDeps {
  readonly db: Database
  readonly log: { readonly warn: (fields: object, message: string) => void }
}

/** What came meanwhile is read from the events: often enough that it is little. */
const EVERY_MS = 500
/** Without new events there may still be new meters, or an event that was long in being stored. */
const IDLE_MS = 5000

/** Adds stored events to the rollups, all the time. Run it in every worker: one of them does it at a time. */
export function startUsageRollups({ db, log }: UsageRollupsDeps): Periodic {
  let done = { seq: '', atMs: 0 }
  const work = async (stopping: AbortSignal): Promise<void> => {
    try {
      const seq = await newestSeq(db)
      if (seq === done.seq && Date.now() - done.atMs < IDLE_MS) return
      // What comes meanwhile waits for the next time: a row that many events change is written once for all in between.
      const finished = await finishedSeq(db)
      if (finished !== null) while (!stopping.aborted && (await rollUp(db, finished)));
      done = { seq, atMs: Date.now() }
    } catch (error) {
      log.warn({ err: error }, 'usage could not be rolled up; it is tried again')
    }
  }
  return periodically(work, { everyMs: EVERY_MS })
}
