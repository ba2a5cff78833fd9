import type { Database } from '../db/connection.ts'
import type { InvoiceLineRow, InvoiceRow } from '../db/stores/invoices.ts'
import { insertItem, itemsOfInvoice, patchItem } from '../db/stores/stripe-items.ts'
import type { StripeItemRow } from '../db/stores/stripe-items.ts'
import { credits, planItems, planWithoutCredits } from '../domain/item-plan.ts'
import type { ItemChange, ItemPlan } from '../domain/item-plan.ts'
import { orNull } from '../domain/errors.ts'
import type { ItemContent, StripeItemView } from '../stripe/invoice-item-types.ts'
import type { StripeSubscriptionView } from '../stripe/subscription-types.ts'
import type { StoredApp } from '../stripe/types.ts'
import type { CollectDeps } from './collect-deps.ts'
import { invoiceSettings } from './invoice-settings.ts'
import { taxTreatment } from './line-tax.ts'
import { netMinor } from './net-minor.ts'
import { searchSince } from './search-since.ts'

/** Where new items go: a draft that still takes them, else they wait for the next invoice of the Stripe subscription. */
export interface ItemPlace {
  readonly app: StoredApp
  readonly stripeCustomerId: string
  readonly stripeSubscriptionId: string | null
  readonly stripeInvoiceId: string | null
}

/** Two lines of an invoice may bill one slice: usage, and what came late of it. */
export const itemKey = ({ kind, lineKey }: Pick<InvoiceLineRow, 'kind' | 'lineKey'>): string =>
  `${kind} ${lineKey}`

/** The items with what Stripe says of them now: lost replies, invoices that took them up, changes by hand. */
export async function refreshItems(
  deps: CollectDeps,
  row: InvoiceRow,
  { app, stripeCustomerId }: Pick<ItemPlace, 'app' | 'stripeCustomerId'>,
): Promise<readonly StripeItemRow[]> {
  const createdMs = searchSince(row)
  const there = await deps.stripe.listItems(app, { invoiceId: row.id, stripeCustomerId, createdMs })
  deps.progress?.()
  const byId = new Map(there.map((item) => [item.itemId, item]))
  for (const item of await itemsOfInvoice(deps.db, row.id)) {
    const seen = byId.get(item.id)
    if (seen === undefined) await forget(deps.db, item)
    else await note(deps.db, item, seen)
  }
  return await itemsOfInvoice(deps.db, row.id)
}

async function note(db: Database, item: StripeItemRow, seen: StripeItemView): Promise<void> {
  const { stripeItemId, stripeInvoiceId, amountMinor } = seen
  const isKnown =
    item.stripeItemId === stripeItemId &&
    item.stripeInvoiceId === stripeInvoiceId &&
    BigInt(item.amountMinor) === amountMinor
  if (!isKnown) await patchItem(db, item.id, { stripeItemId, stripeInvoiceId, amountMinor })
}

/** It was never made, or a person deleted it: it counts for nothing. */
async function forget(db: Database, item: StripeItemRow): Promise<void> {
  if (BigInt(item.amountMinor) === 0n && item.stripeInvoiceId === null) return
  await patchItem(db, item.id, {
    amountMinor: 0n,
    stripeInvoiceId: null,
    stripeInvoiceNumber: null,
    stripeInvoiceStatus: null,
  })
}

/**
 * Makes the items of each line add up to it; a line that is not among them is to be nothing. Repeatable. Returns what the
 * place takes no item for, which is zero or negative: where Stripe Tax computes the tax it refuses negative lines, so that
 * a credit is taken off the other items of the invoice.
 */
export async function alignItems(
  deps: CollectDeps,
  row: InvoiceRow,
  { lines, place }: { readonly lines: readonly InvoiceLineRow[]; readonly place: ItemPlace },
): Promise<bigint> {
  const items = await refreshItems(deps, row, place)
  const planned = planItems(
    lines.map((line) => ({ lineKey: itemKey(line), amountMinor: netMinor(line) })),
    items.map((item) => ({ ...placed(item), lineKey: item.lineKey })),
  )
  const { changes, unsentMinor } = await planFor(deps, row, { planned, place })
  const byKey = new Map(lines.map((line) => [itemKey(line), line]))
  let made = items.length
  for (const change of changes) {
    const old = items.findLast(({ lineKey }) => lineKey === change.lineKey)
    const sequence = (old?.sequence ?? 0) + 1
    const content = contentOf(row, { change, line: byKey.get(change.lineKey), old })
    if (change.kind === 'create') {
      // A request that got no reply may still be under way: under its key it is made once (rule 31).
      const unborn = items.find((item) => item.lineKey === change.lineKey && item.stripeItemId === null)
      if (unborn === undefined) made += 1
      const id = unborn?.id ?? `${row.id}:${made}`
      await create(deps, row, {
        place,
        content,
        lineKey: change.lineKey,
        sequence,
        id,
        isNoted: unborn !== undefined,
      })
    } else await edit(deps, { place, change, content, items })
    deps.progress?.()
  }
  return unsentMinor
}

interface Planned {
  readonly planned: readonly ItemChange[]
  readonly place: ItemPlace
}

/** Whether its invoice is taxed is asked only where there is something to take back. */
async function planFor(deps: CollectDeps, row: InvoiceRow, { planned, place }: Planned): Promise<ItemPlan> {
  const takesAll = credits(planned).length === 0 || !(await isTaxed(deps, row, place))
  return takesAll ? { changes: planned, unsentMinor: 0n } : planWithoutCredits(planned)
}

/** Of an invoice that is not a subscription's the profile says it. */
async function isTaxed(deps: CollectDeps, row: InvoiceRow, place: ItemPlace): Promise<boolean> {
  const { app, stripeSubscriptionId } = place
  const byProfile = invoiceSettings(row).workflow.tax.enabled
  if (stripeSubscriptionId === null) return byProfile
  return (await subscriptionAtStripe(deps, app, stripeSubscriptionId))?.automaticTax ?? byProfile
}

/** Null where Stripe has it no more. */
export async function subscriptionAtStripe(
  deps: CollectDeps,
  app: StoredApp,
  id: string,
): Promise<StripeSubscriptionView | null> {
  const asked = deps.stripe.getSubscription(app, id)
  return await orNull(asked, 'stripe_subscription_not_found').finally(() => deps.progress?.())
}

const placed = (item: StripeItemRow) => ({
  id: item.id,
  amountMinor: BigInt(item.amountMinor),
  // One that is not there any more cannot be changed.
  isPending: item.stripeItemId !== null && item.stripeInvoiceId === null && BigInt(item.amountMinor) !== 0n,
})

interface Wanted {
  readonly change: ItemChange
  readonly line: InvoiceLineRow | undefined
  readonly old: StripeItemRow | undefined
}

function contentOf(row: InvoiceRow, { change, line, old }: Wanted): ItemContent {
  const amountMinor = change.kind === 'delete' ? 0n : change.amountMinor
  const period =
    line === undefined
      ? { fromMs: row.periodFrom.getTime(), toMs: row.periodTo.getTime() }
      : { fromMs: line.serviceFrom.getTime(), toMs: line.serviceTo.getTime() }
  const words =
    line === undefined ? (old?.description ?? change.lineKey) : `${line.name}: ${line.description}`
  // Where an invoice took up a part, what is left of the line needs the whole to be understood.
  const isPart = line !== undefined && amountMinor !== netMinor(line)
  return {
    lineId: line?.id ?? change.lineKey,
    currency: row.currency,
    amountMinor,
    description: isPart ? `${words} (less what was invoiced before)` : words,
    ...period,
    ...(line !== undefined && taxTreatment(line)),
  }
}

interface Creation {
  readonly place: ItemPlace
  readonly content: ItemContent
  readonly lineKey: string
  readonly sequence: number
  readonly id: string
  /** By an earlier try. */
  readonly isNoted: boolean
}

/** The note comes first: what was made without a reply is found by its id. */
async function create(deps: CollectDeps, row: InvoiceRow, creation: Creation): Promise<void> {
  const { place, content, lineKey, sequence, id, isNoted } = creation
  const { app, stripeCustomerId, stripeSubscriptionId, stripeInvoiceId } = place
  const { amountMinor, description } = content
  if (isNoted) await patchItem(deps.db, id, { amountMinor, description })
  else await insertItem(deps.db, { id, invoiceId: row.id, lineKey, sequence, amountMinor, description })
  const made = await deps.stripe.createItem(app, {
    ...content,
    itemId: id,
    generation: row.syncGeneration,
    invoiceId: row.id,
    stripeCustomerId,
    stripeSubscriptionId,
    stripeInvoiceId,
  })
  await patchItem(deps.db, id, { stripeItemId: made.stripeItemId, stripeInvoiceId: made.stripeInvoiceId })
}

interface Edit {
  readonly place: ItemPlace
  readonly change: Exclude<ItemChange, { kind: 'create' }>
  readonly content: ItemContent
  readonly items: readonly StripeItemRow[]
}

async function edit(deps: CollectDeps, { place, change, content, items }: Edit): Promise<void> {
  const item = items.find(({ id }) => id === change.id)
  if (item?.stripeItemId == null) return
  const { amountMinor, description } = content
  if (change.kind === 'delete') {
    await deps.stripe.deleteItem(place.app, item.stripeItemId)
    return await patchItem(deps.db, item.id, { amountMinor: 0n })
  }
  if (BigInt(item.amountMinor) === amountMinor && item.description === description) return
  await deps.stripe.updateItem(place.app, item.stripeItemId, content)
  await patchItem(deps.db, item.id, { amountMinor, description })
}

/** Takes back what no invoice has taken up. */
export async function dropPending(
  deps: CollectDeps,
  row: InvoiceRow,
  place: Pick<ItemPlace, 'app' | 'stripeCustomerId'>,
): Promise<void> {
  for (const item of await refreshItems(deps, row, place)) {
    if (item.stripeItemId === null || !placed(item).isPending) continue
    await deps.stripe.deleteItem(place.app, item.stripeItemId)
    await patchItem(deps.db, item.id, { amountMinor: 0n })
  }
}
