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
  | {
      readonly kind: 'update'
      readonly id: string
      readonly lineKey: string
      readonly amountMinor: bigint
      readonly isSame: boolean
    }
  | { readonly kind: 'delete'; readonly id: string; readonly lineKey: string }

/**
 * What makes the items of each line add up to it: the newest pending item takes the difference, what an invoice has
 * taken up stays and is complemented by another item, which may be negative (rule 19). A line without a target is to be
 * nothing.
 */
export function planItems(
  targets: readonly ItemTarget[],
  items: readonly PlacedItem[],
): readonly ItemChange[] {
  const keys = new Set([...targets, ...items].map(({ lineKey }) => lineKey))
  return [...keys].flatMap((lineKey): readonly ItemChange[] => {
    const target = sum(targets.filter((each) => each.lineKey === lineKey))
    const own = items.filter((item) => item.lineKey === lineKey)
    const open = own.findLast((item) => item.isPending)
    const rest = target - sum(own.filter((item) => item !== open))
    if (open === undefined) return rest === 0n ? [] : [{ kind: 'create', lineKey, amountMinor: rest }]
    if (rest === 0n) return [{ kind: 'delete', id: open.id, lineKey }]
    const isSame = open.amountMinor === rest
    return [{ kind: 'update', id: open.id, lineKey, amountMinor: rest, isSame }]
  })
}

const sum = (parts: readonly { readonly amountMinor: bigint }[]): bigint =>
  parts.reduce((total, { amountMinor }) => total + amountMinor, 0n)
