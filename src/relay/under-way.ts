/** What was begun, by the row that it is about. */
type UnderWay<T> = Map<string, Promise<T>>

const byRelay = new WeakMap<object, UnderWay<unknown>>()

/**
 * Begins a try of a row, or joins the one that this relay began before and nobody waits for any more: a try that is long
 * is heard by the next, and not done twice at once. `key` names the row among all that the relay tries.
 */
export async function beginOrJoin<T>(relay: object, key: string, begin: () => Promise<T>): Promise<T> {
  const underWay = (byRelay.get(relay) ?? new Map<string, Promise<unknown>>()) as UnderWay<T>
  byRelay.set(relay, underWay)
  const before = underWay.get(key)
  if (before !== undefined) return await before
  const work = begin()
  const forget = (): void => void underWay.delete(key)
  underWay.set(key, work)
  work.then(forget, forget)
  return await work
}
