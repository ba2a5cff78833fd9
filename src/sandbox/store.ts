import type { Table, Tables } from './tables.ts'
import { indexes, tableNames } from './tables.ts'

/** One change as it is written to the journal: null is a removal. */
export type Change = readonly [table: Table, id: string, record: object | null]

interface Entry<T> {
  readonly sequence: number
  record: T | undefined
}

interface TableData<T> {
  readonly byId: Map<string, Entry<T>>
  readonly entries: Entry<T>[]
  readonly indexes: ReadonlyMap<string, Map<string, Set<string>>>
}

/** All state of the sandbox: tables of immutable records in order of creation, changed only inside `transact`. */
export interface Store {
  readonly get: <T extends Table>(table: T, id: string) => Tables[T] | undefined
  readonly put: <T extends Table>(table: T, record: Tables[T]) => Tables[T]
  readonly remove: (table: Table, id: string) => void
  /** Oldest first. */
  readonly all: <T extends Table>(table: T) => Iterable<Tables[T]>
  /** Newest first, starting just before (older than) the record `id` when one is given. */
  readonly newestFirst: <T extends Table>(table: T, olderThan?: string) => Iterable<Tables[T]>
  /** Oldest first, starting just after the record `id`. */
  readonly newerThan: <T extends Table>(table: T, id: string) => Iterable<Tables[T]>
  /** The records whose indexed key is `key`, in order of indexing. */
  readonly by: <T extends Table>(table: T, index: string, key: string) => readonly Tables[T][]
  /** The same one by one, each as it is when it is reached. */
  readonly eachBy: <T extends Table>(table: T, index: string, key: string) => Iterable<Tables[T]>
  /** Runs `work`; its changes are all kept and written, or (when it throws) none. */
  readonly transact: <R>(work: () => R) => R
  readonly clear: () => void
  readonly load: (changes: readonly Change[]) => void
  readonly dump: () => Change[]
}

/** `write` makes the changes of one transaction durable before anyone hears of them. */
export function createStore(write: (changes: readonly Change[]) => void): Store {
  const tables = new Map<Table, TableData<object>>()
  const undo: (() => void)[] = []
  let pending: Change[] | null = null
  let sequence = 0

  const reset = () => {
    for (const name of tableNames) {
      const names = Object.keys(indexes[name] ?? {})
      tables.set(name, { byId: new Map(), entries: [], indexes: new Map(names.map((n) => [n, new Map()])) })
    }
  }
  reset()
  const data = (table: Table) => {
    const found = tables.get(table)
    if (found === undefined) throw new Error(`no table ${table}`)
    return found
  }

  const reindex = (table: Table, id: string, before: object | undefined, after: object | undefined) => {
    for (const [name, map] of data(table).indexes) {
      const keyOf = indexes[table]?.[name]
      if (keyOf === undefined) continue
      const oldKey = before === undefined ? null : keyOf(before)
      const newKey = after === undefined ? null : keyOf(after)
      if (oldKey === newKey) continue
      if (oldKey !== null) map.get(oldKey)?.delete(id)
      if (newKey !== null) {
        const ids = map.get(newKey) ?? new Set()
        map.set(newKey, ids.add(id))
      }
    }
  }

  const set = (table: Table, id: string, record: object | undefined) => {
    const { byId, entries } = data(table)
    const entry = byId.get(id)
    reindex(table, id, entry?.record, record)
    if (entry !== undefined) {
      entry.record = record
    } else if (record !== undefined) {
      const created = { sequence: ++sequence, record }
      byId.set(id, created)
      entries.push(created)
    }
  }

  const change = (table: Table, id: string, record: object | undefined) => {
    if (pending === null) throw new Error('a change outside of a transaction')
    const before = data(table).byId.get(id)?.record
    undo.push(() => set(table, id, before))
    set(table, id, record)
    pending.push([table, id, record ?? null])
  }

  const position = (table: Table, id: string) => {
    const { byId, entries } = data(table)
    const wanted = byId.get(id)?.sequence ?? 0
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((entries[middle]?.sequence ?? 0) < wanted) low = middle + 1
      else high = middle
    }
    return low
  }

  function* scan<T extends Table>(table: T, start: number, step: 1 | -1): Iterable<Tables[T]> {
    const { entries } = data(table)
    for (let i = start; i >= 0 && i < entries.length; i += step) {
      const record = entries[i]?.record
      if (record !== undefined) yield record as Tables[T]
    }
  }

  function* eachBy<T extends Table>(table: T, index: string, key: string): Iterable<Tables[T]> {
    const { byId, indexes } = data(table)
    for (const id of indexes.get(index)?.get(key) ?? []) {
      const record = byId.get(id)?.record
      if (record !== undefined) yield record as Tables[T]
    }
  }

  return {
    get: <T extends Table>(table: T, id: string) => data(table).byId.get(id)?.record as Tables[T] | undefined,
    put: (table, record) => {
      change(table, record.id, record)
      return record
    },
    remove: (table, id) => change(table, id, undefined),
    all: (table) => scan(table, 0, 1),
    newestFirst: (table, olderThan) =>
      scan(
        table,
        olderThan === undefined ? data(table).entries.length - 1 : position(table, olderThan) - 1,
        -1,
      ),
    newerThan: (table, id) => scan(table, position(table, id) + 1, 1),
    by: (table, index, key) => [...eachBy(table, index, key)],
    eachBy,
    transact: (work) => {
      if (pending !== null) return work()
      const changes: Change[] = []
      pending = changes
      undo.length = 0
      try {
        const result = work()
        if (changes.length > 0) write(changes)
        return result
      } catch (error) {
        for (const restore of undo.toReversed()) restore()
        throw error
      } finally {
        pending = null
        undo.length = 0
      }
    },
    clear: reset,
    load: (changes) => {
      for (const [table, id, record] of changes) if (tables.has(table)) set(table, id, record ?? undefined)
    },
    dump: () =>
      tableNames.flatMap((name) => [...scan(name, 0, 1)].map((record): Change => [name, record.id, record])),
  }
}
