/** A row as it was read: by its version another write since is noticed. */
export interface Versioned {
  readonly id: string
  readonly version: number
}

/** A change of a row that was read at `version`; another one that was written since makes it void. */
export interface VersionedChange<Patch> {
  readonly id: string
  readonly version: number
  readonly set: Patch & { readonly version: number; readonly updatedAt: Date }
}

/** The patch, with the version that the row has after it. */
export function changeOf<Patch extends object>(
  { id, version }: Versioned,
  patch: Patch,
): VersionedChange<Patch> {
  return { id, version, set: { ...patch, version: version + 1, updatedAt: new Date() } }
}

/**
 * A row of which all was read, as the change leaves it: what was read does not come again with each write. Whoever writes such
 * a row raises its version, so that nothing else of it can have changed.
 */
export function changed<Row extends object>(row: Row, { set }: VersionedChange<object>): Row {
  return {
    ...row,
    ...Object.fromEntries(Object.entries(set).flatMap(([column, value]) => stored(column, value))),
  }
}

/** What is left out is not written; an amount is read as text. */
function stored(column: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (value === undefined) return []
  return [[column, typeof value === 'bigint' ? value.toString() : value]]
}
