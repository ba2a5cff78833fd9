import type { Database } from '../db/connection.ts'
import { storeEventGroups } from '../db/stores/events.ts'
import type { NewEvent, StoredCounts } from '../db/stores/events.ts'
import { groupWriter } from './group-writer.ts'

export type EventWriter = (events: readonly NewEvent[], now: Date) => Promise<StoredCounts>

interface Sent {
  readonly events: readonly NewEvent[]
  readonly now: Date
}

/** Two, so that one group is read while another waits for the disk. */
const WRITERS = 2
const GROUP_EVENTS_MAX = 1000

/** Stores what concurrent requests send in groups, a transaction each; each gets its own counts. */
export function eventWriter(db: Database): EventWriter {
  const write = groupWriter<Sent, StoredCounts>({
    writers: WRITERS,
    sizeMax: GROUP_EVENTS_MAX,
    sizeOf: ({ events }) => events.length,
    store: async (sent) =>
      await storeEventGroups(
        db,
        sent.map(({ events }) => events),
        new Date(Math.max(...sent.map(({ now }) => now.getTime()))),
      ),
  })
  return async (events, now) => await write({ events, now })
}
