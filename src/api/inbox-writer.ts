import type { Database } from '../db/connection.ts'
import { insertStripeEvents } from '../db/stores/stripe-events.ts'
import type { NewStripeEvent } from '../db/stores/stripe-events.ts'
import { groupWriter } from './group-writer.ts'

/** Stores an event under its unique id; false when it was there. */
export type InboxWriter = (appId: string, event: NewStripeEvent) => Promise<boolean>

/** One, so that events are kept in the order in which they came. */
const WRITERS = 1
/** In a statement: each number of them is one form of it. */
const GROUP_MAX = 20

/** Stores what webhooks bring at one time in one statement, which is one write to the disk. */
export function inboxWriter(db: Database): InboxWriter {
  const write = groupWriter<{ readonly appId: string; readonly event: NewStripeEvent }, boolean>({
    writers: WRITERS,
    sizeMax: GROUP_MAX,
    sizeOf: () => 1,
    store: async (received) => {
      const unclaimed = new Set(await insertStripeEvents(db, received))
      // Of one that came twice at once, one is new.
      return received.map(({ event }) => unclaimed.delete(event.id))
    },
  })
  return async (appId, event) => await write({ appId, event })
}
