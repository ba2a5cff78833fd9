/**
 * Answers many callers with few calls, and nobody with an answer that was begun before they asked: while one call runs,
 * everyone who comes waits for the next, which they share.
 */
export function sharedNext<T>(call: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> | null = null
  let next: Promise<T> | null = null
  const begin = (): Promise<T> => {
    next = null
    const turn = call()
    running = turn
    const ended = (): void => {
      if (running === turn) running = null
    }
    turn.then(ended, ended)
    return turn
  }
  return () => {
    if (running === null) return begin()
    next ??= running.then(begin, begin)
    return next
  }
}
