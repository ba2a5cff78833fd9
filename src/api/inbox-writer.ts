import type { Database } from '../db/connection.ts'
import { insertStripeEvents } from '../db/stores/stripe-events.ts'
import type { NewStripeEvent } from '../db/stores/stripe-events.ts'

/** Stores an event under its unique id; false when it was there. */
export type InboxWriter = (appId: string, event: NewStripeEvent) => Promise<boolean>

interface Waiting {
  readonly appId: string
  readonly event: NewStripeEvent
  readonly resolve: (isNew: boolean) => void
  readonly reject: (error: unknown) => void
}

/** In a statement: each number of them is one form of it. */
const GROUP_MAX = 20

/**
 * Stores what webhooks bring at one time in one statement, which is one write to the disk: none waits for others to come,
 * only for those that are being written. Of a group that fails each is tried alone, so that what fails does so alone.
 */
export function inboxWriter(db: Database): InboxWriter {
  const queue: Waiting[] = []
  let isWriting = false
  const pump = async (): Promise<void> => {
    isWriting = true
    while (queue.length > 0) await store(db, queue.splice(0, GROUP_MAX))
    isWriting = false
  }
  return async (appId, event) =>
    await new Promise((resolve, reject) => {
      queue.push({ appId, event, resolve, reject })
      if (!isWriting) void pump()
    })
}

/** Never rejects: every caller is told. */
async function store(db: Database, group: readonly Waiting[]): Promise<void> {
  try {
    const unclaimed = new Set(await insertStripeEvents(db, group))
    // Of one that came twice at once, one is new.
    for (const { event, resolve } of group) resolve(unclaimed.delete(event.id))
  } catch (error) {
    if (group.length === 1) for (const { reject } of group) reject(error)
    else for (const one of group) await store(db, [one])
  }
}
