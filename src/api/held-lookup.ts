interface Lookup<T> {
  readonly begunMs: number
  readonly found: Promise<T | null>
  /** Another one is under way that takes its place. */
  isRenewed: boolean
}

/** Finds what a name stands for; null where nothing does. */
export interface HeldLookup<T> {
  /** As it is, or was a moment ago. */
  readonly find: (name: string) => Promise<T | null>
  /** As it is. */
  readonly findNow: (name: string) => Promise<T | null>
}

/** Of the time that a finding holds: who comes after that has it looked up for those who come later. */
const RENEWED_AFTER = 0.5

/**
 * A look-up whose finding holds for `heldMs`, for who comes while it runs as well. What is asked for all the time is looked up
 * before it holds no longer, so that nobody waits. Names that nobody knows are not remembered: they could be any number.
 */
export function heldLookup<T>(
  heldMs: number,
  lookUp: (name: string) => Promise<T | null>,
  nowMs: () => number = () => performance.now(),
): HeldLookup<T> {
  const lookups = new Map<string, Lookup<T>>()
  const begin = (name: string): Lookup<T> => ({ begunMs: nowMs(), found: lookUp(name), isRenewed: false })
  const findNow = async (name: string): Promise<T | null> => {
    const lookup = begin(name)
    lookups.set(name, lookup)
    const forget = (): void => {
      if (lookups.get(name) === lookup) lookups.delete(name)
    }
    lookup.found.then((found) => (found === null ? forget() : undefined), forget)
    return await lookup.found
  }
  const renew = async (name: string, known: Lookup<T>): Promise<void> => {
    known.isRenewed = true
    const lookup = begin(name)
    // Where that fails, what is known holds as long as it would have; then whoever comes is told.
    const found = await lookup.found.catch(() => undefined)
    if (found === undefined || lookups.get(name) !== known) return
    if (found === null) lookups.delete(name)
    else lookups.set(name, lookup)
  }
  return {
    findNow,
    async find(name) {
      const known = lookups.get(name)
      if (known === undefined) return await findNow(name)
      const ageMs = nowMs() - known.begunMs
      if (ageMs >= heldMs) return await findNow(name)
      if (ageMs >= heldMs * RENEWED_AFTER && !known.isRenewed) void renew(name, known)
      return await known.found
    },
  }
}
