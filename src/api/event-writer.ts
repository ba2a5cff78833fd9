import type { Database } from '../db/connection.ts'
import { storeEventGroups } from '../db/stores/events.ts'
import type { NewEvent, StoredCounts } from '../db/stores/events.ts'
import { DomainError } from '../domain/errors.ts'

export type EventWriter = (events: readonly NewEvent[], now: Date) => Promise<StoredCounts>

interface Waiting {
  readonly events: readonly NewEvent[]
  readonly now: Date
  readonly resolve: (counts: StoredCounts) => void
  readonly reject: (error: unknown) => void
}

/** Two, so that one group is read while another waits for the disk. */
const WRITERS = 2
const GROUP_EVENTS_MAX = 1000

/**
 * Stores what concurrent requests send in groups, a transaction each: no request waits for others to come, only for
 * those that are being written. Each gets its own counts; a group that fails by what is in it is halved, so that what
 * fails does so alone.
 */
export function eventWriter(db: Database): EventWriter {
  const queue: Waiting[] = []
  let writing = 0
  const write = async (group: readonly Waiting[]): Promise<void> => {
    writing += 1
    await storeGroup(db, group)
    writing -= 1
    pump()
  }
  const pump = (): void => {
    if (writing < WRITERS && queue.length > 0) void write(takeGroup(queue))
  }
  return async (events, now) =>
    await new Promise((resolve, reject) => {
      queue.push({ events, now, resolve, reject })
      pump()
    })
}

/** The first of the queue, and what follows as long as there is room. */
function takeGroup(queue: Waiting[]): readonly Waiting[] {
  let count = 0
  let size = 0
  for (const { events } of queue) {
    if (count > 0 && size + events.length > GROUP_EVENTS_MAX) break
    count += 1
    size += events.length
  }
  return queue.splice(0, count)
}

/** Never rejects: every caller is told. */
async function storeGroup(db: Database, group: readonly Waiting[]): Promise<void> {
  const now = new Date(Math.max(...group.map((one) => one.now.getTime())))
  try {
    const counts = await storeEventGroups(
      db,
      group.map(({ events }) => events),
      now,
    )
    for (const [index, { resolve }] of group.entries())
      resolve(counts[index] ?? { stored: 0, duplicate: 0, invalid: 0 })
  } catch (error) {
    if (group.length === 1 || !mayBeOfOne(error)) for (const { reject } of group) reject(error)
    else for (const half of halvesOf(group)) await storeGroup(db, half)
  }
}

/** One that fails among a thousand costs twenty transactions, not a thousand. */
function halvesOf(group: readonly Waiting[]): readonly (readonly Waiting[])[] {
  const middle = Math.ceil(group.length / 2)
  return [group.slice(0, middle), group.slice(middle)]
}

/** SQLSTATE classes of what is wrong with the values, their size, or a race. A server that is down is so for all. */
const ofOne = ['0A', '22', '23', '40', '54']

function mayBeOfOne(error: unknown): boolean {
  // Ours, of what was sent: it did not come to the database.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof DomainError) return true
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && ofOne.includes(code.slice(0, 2))
}
