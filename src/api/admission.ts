import { Arrivals } from './arrivals.ts'
import type { Arrival } from './arrivals.ts'
import type { RefusalReason } from './observer.ts'

/** What one process takes on at once. What is beyond is refused before work is begun. */
export interface ApiLimits {
  /** Requests that are worked on: their body is there, their answer is not. */
  readonly requests: number
  /** Bytes of bodies that are held, those that are still coming by their announced length. */
  readonly bodyBytes: number
  /** Queries that wait for a connection. */
  readonly queuedQueries: number
  /** Requests a second of one API key, in bursts of as many; undefined: any number. */
  readonly perKeyPerSecond?: number | undefined
}

export const defaultLimits: ApiLimits = {
  requests: 200,
  bodyBytes: 64 * 1024 * 1024,
  queuedQueries: 100,
}

/**
 * A command waits for a worker: those that do have a share of the room, and leave the rest to calls that need none. Stripe's
 * webhooks have room of their own beyond that of calls, and are refused last: they carry payments.
 */
export type RequestKind = 'call' | 'command' | 'webhook'

/** A request's share of what the process takes on. */
export interface Ticket {
  /**
   * Its body is about to be read; null: there is room. `displaced` is called if it comes so slowly that it has to make room
   * for another.
   */
  readonly readBody: (bytes: number, displaced: () => void) => RefusalReason | null
  /** Its body is there and its work begins; null: there is room. `left`: nobody waits for an answer any more. */
  readonly begin: () => RefusalReason | 'left' | null
  /** Its work is done. */
  readonly done: () => void
  /** Its connection has gone, or its answer is out: what was not begun is not begun any more. */
  readonly left: () => void
}

/** Senders of slow bodies hold only this; as many times the requests that are worked on. */
const ARRIVING = 4
/** What webhooks have beyond the calls’ room. */
const HEADROOM = 0.25
/** What commands have of it. */
const COMMANDS = 0.25

/**
 * Counts what is under way. A request arrives (its key is looked up, its body comes) and then is worked on; the two are bounded
 * apart, so that whoever sends slowly holds up others who do so and nobody else.
 */
export class Admission {
  readonly #limits: ApiLimits
  readonly #queuedQueries: () => number
  readonly #calls: Arrivals
  readonly #webhooks: Arrivals
  #working = 0
  #commands = 0

  constructor(limits: ApiLimits, queuedQueries: () => number) {
    this.#limits = limits
    this.#queuedQueries = queuedQueries
    const requests = limits.requests * ARRIVING
    this.#calls = new Arrivals({ requests, bodyBytes: limits.bodyBytes, isOldestDisplaced: false })
    // Without a key: who sends one is known by its whole body. Stripe's comes at once.
    const bodyBytes = limits.bodyBytes * HEADROOM
    this.#webhooks = new Arrivals({ requests, bodyBytes, isOldestDisplaced: true })
  }

  /** A ticket, or why there is none. */
  enter(kind: RequestKind): Ticket | RefusalReason {
    const reason = this.#noRoomFor(kind)
    if (reason !== null) return reason
    if (this.#queuedQueries() >= room(this.#limits.queuedQueries, kind)) return 'database'
    const arrival = (kind === 'webhook' ? this.#webhooks : this.#calls).enter()
    return arrival === null ? 'requests' : this.#ticket(kind, arrival)
  }

  #noRoomFor(kind: RequestKind): RefusalReason | null {
    const { requests } = this.#limits
    if (this.#working >= room(requests, kind)) return 'requests'
    return kind === 'command' && this.#commands >= Math.ceil(requests * COMMANDS) ? 'commands' : null
  }

  #work(kind: RequestKind, change: 1 | -1): void {
    this.#working += change
    if (kind === 'command') this.#commands += change
  }

  #ticket(kind: RequestKind, arrival: Arrival): Ticket {
    let isWorking = false
    return {
      readBody: (bytes, displaced) => (arrival.readBody(bytes, displaced) ? null : 'bodies'),
      begin: () => {
        const reason = this.#noRoomFor(kind)
        if (reason !== null) return reason
        if (!arrival.arrive()) return 'left'
        isWorking = true
        this.#work(kind, 1)
        return null
      },
      done: () => {
        if (isWorking) this.#work(kind, -1)
        isWorking = false
        arrival.leave()
      },
      // Work goes on when the client has gone, and counts for as long.
      left: () => {
        if (!isWorking) arrival.leave()
      },
    }
  }
}

const room = (limit: number, kind: RequestKind): number =>
  kind === 'webhook' ? Math.ceil(limit * (1 + HEADROOM)) : limit
