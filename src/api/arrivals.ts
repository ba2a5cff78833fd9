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
  /** Whether there is room for its body, which is about to be read. `displaced` is called if it has to make room for another. */
  readonly readBody: (bytes: number, displaced: () => void) => boolean
  /** Its body is there; false: it had to make room, or has left. */
  readonly arrive: () => boolean
  /** Nothing of it is held any more. */
  readonly leave: () => void
}

/** Counts the requests that arrive and what is held of their bodies. */
export class Arrivals {
  readonly #limits: ArrivalLimits
  #bytes = 0
  /** How each makes room; the oldest first. */
  readonly #arriving = new Set<() => void>()

  constructor(limits: ArrivalLimits) {
    this.#limits = limits
  }

  /** Null: there is no room. */
  enter(): Arrival | null {
    return this.#makeRoom(() => this.#arriving.size < this.#limits.requests) ? this.#arrival() : null
  }

  #makeRoom(isRoom: () => boolean): boolean {
    if (isRoom() || !this.#limits.isOldestDisplaced) return isRoom()
    for (const makeRoom of this.#arriving) {
      makeRoom()
      if (isRoom()) return true
    }
    return false
  }

  #arrival(): Arrival {
    let held = 0
    let displaced = (): void => {}
    const makeRoom = (): void => {
      leave()
      displaced()
    }
    const leave = (): void => {
      this.#arriving.delete(makeRoom)
      this.#bytes -= held
      held = 0
    }
    this.#arriving.add(makeRoom)
    return {
      readBody: (bytes, onDisplaced) => {
        // One is taken whatever its size: the limit of a body is the route's.
        const fits = (): boolean => this.#bytes === 0 || this.#bytes + bytes <= this.#limits.bodyBytes
        const isHere = (): boolean => this.#arriving.has(makeRoom)
        // It may be the oldest itself.
        if (!isHere() || !this.#makeRoom(fits) || !isHere()) return false
        displaced = onDisplaced
        held += bytes
        this.#bytes += bytes
        return true
      },
      arrive: () => this.#arriving.delete(makeRoom),
      leave,
    }
  }
}
