import type { Database } from '../db/connection.ts'
import { noteAlive } from '../db/stores/continuity.ts'
import { periodically } from '../periodic.ts'
import type { Periodic } from '../periodic.ts'

export interface PulseDeps {
  readonly db: Database
  readonly log: { readonly warn: (fields: object, message: string) => void }
  /** Left out: a minute. */
  readonly everyMs?: number
}

const MINUTE_MS = 60_000

/** Notes that the database is there, by which a restored one is known. Run it in every worker. */
export function startPulse({ db, log, everyMs = MINUTE_MS }: PulseDeps): Periodic {
  let noted: Date | null = null
  const work = async (): Promise<void> => {
    try {
      noted = await noteAlive(db, noted)
    } catch (error) {
      log.warn({ err: error }, 'that the database is there could not be noted; it is tried again')
    }
  }
  return periodically(work, { everyMs })
}
