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

/** Stripe's webhooks have room of their own beyond that of calls, and are refused last: they carry payments. */
export type RequestKind = 'call' | 'webhook'

/** A request's share of what the process takes on. */
export interface Ticket {
  /** Its body is about to be read; null: there is room. */
  readonly readBody: (bytes: number) => RefusalReason | null
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

type Phase = 'arriving' | 'working' | 'gone'

/**
 * Counts what is under way. A request arrives (its key is looked up, its body comes) and then is worked on; the two are bounded
 * apart, so that whoever sends slowly holds up others who do so and nobody else.
 */
export class Admission {
  readonly #limits: ApiLimits
  readonly #queuedQueries: () => number
  readonly #arriving = { call: 0, webhook: 0 }
  readonly #bytes = { call: 0, webhook: 0 }
  #working = 0

  constructor(limits: ApiLimits, queuedQueries: () => number) {
    this.#limits = limits
    this.#queuedQueries = queuedQueries
  }

  /** A ticket, or why there is none. */
  enter(kind: RequestKind): Ticket | RefusalReason {
    const { requests, queuedQueries } = this.#limits
    if (this.#arriving[kind] >= requests * ARRIVING || this.#working >= room(requests, kind))
      return 'requests'
    if (this.#queuedQueries() >= room(queuedQueries, kind)) return 'database'
    this.#arriving[kind] += 1
    return this.#ticket(kind)
  }

  #ticket(kind: RequestKind): Ticket {
    let phase: Phase = 'arriving'
    let held = 0
    const leave = (): void => {
      if (phase === 'arriving') this.#arriving[kind] -= 1
      if (phase === 'working') this.#working -= 1
      phase = 'gone'
      this.#bytes[kind] -= held
      held = 0
    }
    return {
      readBody: (bytes) => {
        const { bodyBytes } = this.#limits
        const most = kind === 'webhook' ? bodyBytes * HEADROOM : bodyBytes
        if (this.#bytes[kind] > 0 && this.#bytes[kind] + bytes > most) return 'bodies'
        this.#bytes[kind] += bytes
        held += bytes
        return null
      },
      begin: () => {
        if (phase !== 'arriving') return 'left'
        if (this.#working >= room(this.#limits.requests, kind)) return 'requests'
        this.#arriving[kind] -= 1
        this.#working += 1
        phase = 'working'
        return null
      },
      done: leave,
      // Work goes on when the client has gone, and counts for as long.
      left: () => {
        if (phase === 'arriving') leave()
      },
    }
  }
}

const room = (limit: number, kind: RequestKind): number =>
  kind === 'webhook' ? Math.ceil(limit * (1 + HEADROOM)) : limit
