/** Numbers that follow from a seed. Streams of other names do not disturb each other, in whatever order they are drawn. */
export interface Random {
  /** 0 ≤ n < 1 */
  readonly next: () => number
  /** Whole, both ends included. */
  readonly int: (least: number, most: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <T>(from: readonly T[]) => T
  /** A stream of its own, which follows from this one's seed and the name alone. */
  readonly stream: (name: string) => Random
}

/** FNV-1a: a number of 32 bits that follows from the text. */
function hash(text: string): number {
  let sum = 0x811c9dc5
  for (const character of text) sum = Math.imul(sum ^ (character.codePointAt(0) ?? 0), 0x01000193)
  return sum >>> 0
}

/** Mulberry32: small, and even enough for a schedule. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function createRandom(seed: string): Random {
  const next = generator(hash(seed))
  const int = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    int,
    chance: (probability) => next() < probability,
    pick<T>(from: readonly T[]) {
      if (from.length === 0) throw new Error('there is nothing to pick from')
      return from[int(0, from.length - 1)] as T
    },
    stream: (name) => createRandom(`${seed}/${name}`),
  }
}
