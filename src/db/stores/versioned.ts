/** A change of a row that was read at `version`; another one that was written since makes it void. */
export interface VersionedChange<Patch> {
  readonly id: string
  readonly version: number
  readonly set: Patch & { readonly version: number; readonly updatedAt: Date }
}

/** The patch, with the version that the row has after it. */
export function changeOf<Patch extends object>(
  { id, version }: { readonly id: string; readonly version: number },
  patch: Patch,
): VersionedChange<Patch> {
  return { id, version, set: { ...patch, version: version + 1, updatedAt: new Date() } }
}
