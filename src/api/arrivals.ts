export interface ArrivalLimits {
  /** Requests that arrive at once. */
  readonly requests: number
  /** Bytes of their bodies, and of those that have arrived and are not done. */
  readonly bodyBytes: number
  /**
   * Where there is no room for another, the one that has been arriving for the longest makes it, instead of that one being
   * refused. For what anybody may begin: a sender who is in earnest outlasts no slow one.
   */
  readonly isOldestDisplaced: boolean
}

/** A request whose body is still coming, or has come and is held. */
export interface Arrival {
  heldBytes: number
  /** Called when it has to make room for another. */
  displaced: (() => void) | null
}

/** Counts the requests that arrive and what is held of their bodies. */
export class Arrivals {
  readonly #limits: ArrivalLimits
  #bytes = 0
  /** The oldest first. */
  readonly #arriving = new Set<Arrival>()

  constructor(limits: ArrivalLimits) {
    this.#limits = limits
  }

  /** Null: there is no room. */
  enter(): Arrival | null {
    while (this.#arriving.size >= this.#limits.requests) if (!this.#displaceOldest()) return null
    const arrival: Arrival = { heldBytes: 0, displaced: null }
    this.#arriving.add(arrival)
    return arrival
  }

  /** Whether there is room for its body, which is about to be read. */
  readBody(arrival: Arrival, bytes: number, displaced: () => void): boolean {
    // The oldest may be this one.
    while (this.#arriving.has(arrival) && !this.#fits(bytes)) if (!this.#displaceOldest()) return false
    if (!this.#arriving.has(arrival)) return false
    arrival.displaced = displaced
    arrival.heldBytes += bytes
    this.#bytes += bytes
    return true
  }

  /** Its body is there; false: it had to make room, or has left. */
  arrive(arrival: Arrival): boolean {
    return this.#arriving.delete(arrival)
  }

  /** Nothing of it is held any more. */
  leave(arrival: Arrival): void {
    this.#arriving.delete(arrival)
    this.#bytes -= arrival.heldBytes
    arrival.heldBytes = 0
  }

  /** One is taken whatever its size: the limit of a body is the route's. */
  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#limits.bodyBytes
  }

  /** False: none may be, or there is none. */
  #displaceOldest(): boolean {
    if (!this.#limits.isOldestDisplaced) return false
    for (const oldest of this.#arriving) {
      this.leave(oldest)
      oldest.displaced?.()
      return true
    }
    return false
  }
}
