/**
 * Keeps what was computed under its key, for what follows from the key alone. At most `max` of them: then all are forgotten,
 * and those that are still asked for come again.
 */
export function remembered<Value>(max: number): (key: string, compute: () => Value) => Value {
  const known = new Map<string, Value>()
  return (key, compute) => {
    const before = known.get(key)
    if (before !== undefined) return before
    const value = compute()
    if (known.size >= max) known.clear()
    known.set(key, value)
    return value
  }
}
