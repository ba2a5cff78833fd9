interface Lookup<T> {
  readonly begunMs: number
  readonly found: Promise<T | null>
}

/** Finds what a name stands for; null where nothing does. */
export interface HeldLookup<T> {
  /** As it is, or was a moment ago. */
  readonly find: (name: string) => Promise<T | null>
  /** As it is. */
  readonly findNow: (name: string) => Promise<T | null>
}

/**
 * A look-up whose finding holds for `heldMs`, for who comes while it runs as well. Names that nobody knows are not
 * remembered: they could be any number.
 */
export function heldLookup<T>(heldMs: number, lookUp: (name: string) => Promise<T | null>): HeldLookup<T> {
  const lookups = new Map<string, Lookup<T>>()
  const findNow = async (name: string): Promise<T | null> => {
    const lookup = { begunMs: performance.now(), found: lookUp(name) }
    lookups.set(name, lookup)
    const forget = (): void => {
      if (lookups.get(name) === lookup) lookups.delete(name)
    }
    lookup.found.then((found) => (found === null ? forget() : undefined), forget)
    return await lookup.found
  }
  return {
    findNow,
    async find(name) {
      const known = lookups.get(name)
      const isGood = known !== undefined && performance.now() - known.begunMs < heldMs
      return await (isGood ? known.found : findNow(name))
    },
  }
}
