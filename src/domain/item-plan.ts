/** An item at the processor: a part of a line. */
export interface PlacedItem {
  readonly id: string
  readonly lineKey: string
  readonly amountMinor: bigint
  /** Not on an invoice yet: it can still be changed. */
  readonly isPending: boolean
}

/** What a line is to add up to. */
export interface ItemTarget {
  readonly lineKey: string
  readonly amountMinor: bigint
}

export type ItemChange =
  | { readonly kind: 'create'; readonly lineKey: string; readonly amountMinor: bigint }
  | { readonly kind: 'update'; readonly id: string; readonly lineKey: string; readonly amountMinor: bigint }
  | { readonly kind: 'delete'; readonly id: string; readonly lineKey: string }

/**
 * What makes the items of each line add up to it: one pending item takes the difference and other pending ones go, what
 * an invoice has taken up stays and is complemented by another item, which may be negative (rule 19). A line without a
 * target is to be nothing.
 */
export function planItems(
  targets: readonly ItemTarget[],
  items: readonly PlacedItem[],
): readonly ItemChange[] {
  const keys = new Set([...targets, ...items].map(({ lineKey }) => lineKey))
  return [...keys].flatMap((lineKey): readonly ItemChange[] => {
    const target = sum(targets.filter((each) => each.lineKey === lineKey))
    const own = items.filter((item) => item.lineKey === lineKey)
    const pending = own.filter((item) => item.isPending)
    const rest = target - sum(own.filter((item) => !item.isPending))
    const kept = rest === 0n ? undefined : pending.at(-1)
    const gone = pending.filter((item) => item !== kept)
    const deletes = gone.map(({ id }): ItemChange => ({ kind: 'delete', id, lineKey }))
    if (rest === 0n) return deletes
    if (kept === undefined) return [{ kind: 'create', lineKey, amountMinor: rest }]
    return [{ kind: 'update', id: kept.id, lineKey, amountMinor: rest }, ...deletes]
  })
}

export interface ItemPlan {
  readonly changes: readonly ItemChange[]
  /** What could not be taken off any item: zero, or negative. */
  readonly unsentMinor: bigint
}

/**
 * The same without items that take back, which a processor that computes tax refuses: each is taken off the largest
 * pending items, and what is more than those is not sent.
 */
export function planWithoutCredits(changes: readonly ItemChange[]): ItemPlan {
  let credit = -sum(credits(changes))
  if (credit === 0n) return { changes, unsentMinor: 0n }
  const largestFirst = changes
    .filter((change) => amountOf(change) > 0n)
    .toSorted((a, b) => (amountOf(a) < amountOf(b) ? 1 : -1))
  const taken = new Map<ItemChange, bigint>()
  for (const change of largestFirst) {
    const part = credit < amountOf(change) ? credit : amountOf(change)
    taken.set(change, part)
    credit -= part
  }
  const netted = changes.flatMap((change) => {
    const part = amountOf(change) < 0n ? amountOf(change) : (taken.get(change) ?? 0n)
    return part === 0n ? [change] : less(change, part)
  })
  return { changes: netted, unsentMinor: -credit }
}

/** Those that take back. */
export const credits = (changes: readonly ItemChange[]): readonly { readonly amountMinor: bigint }[] =>
  changes.flatMap((change) => (amountOf(change) < 0n ? [{ amountMinor: amountOf(change) }] : []))

const amountOf = (change: ItemChange): bigint => (change.kind === 'delete' ? 0n : change.amountMinor)

function less(change: ItemChange, byMinor: bigint): readonly ItemChange[] {
  if (change.kind === 'delete') return [change]
  const amountMinor = change.amountMinor - byMinor
  const { lineKey } = change
  if (change.kind === 'create') return amountMinor === 0n ? [] : [{ ...change, amountMinor }]
  if (amountMinor === 0n) return [{ kind: 'delete', id: change.id, lineKey }]
  return [{ ...change, amountMinor }]
}

const sum = (parts: readonly { readonly amountMinor: bigint }[]): bigint =>
  parts.reduce((total, { amountMinor }) => total + amountMinor, 0n)
