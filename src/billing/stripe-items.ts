import { storedApp } from '../db/stores/billing-settings.ts'
import { getInvoiceLines } from '../db/stores/invoices.ts'
import type { InvoiceLineRow, InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import { itemsOfInvoice, setInvoiceOfItems } from '../db/stores/stripe-items.ts'
import type { StripeItemRow } from '../db/stores/stripe-items.ts'
import { unsentCredit } from '../db/stores/ledger.ts'
import { ACCRUING } from '../db/stores/running-invoices.ts'
import { isDomainError } from '../domain/errors.ts'
import { isCollecting } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import { settlementOf } from '../domain/item-settlement.ts'
import { classifyStripeError } from '../stripe/failures.ts'
import type { StoredApp } from '../stripe/types.ts'
import type { CollectDeps } from './collect-deps.ts'
import { linesToBillEarly } from './early-lines.ts'
import { nextLookMs } from './invoice-look.ts'
import { changeInvoice, write } from './invoice-write.ts'
import { netMinor } from './net-minor.ts'
import { closingPlace, runningPlace, withdrawalPlace } from './stripe-item-place.ts'
import { alignItems, dropPending, refreshItems } from './stripe-item-sync.ts'
import type { ItemPlace } from './stripe-item-sync.ts'
import { carryUnsent } from './unsent-credit.ts'

/**
 * Makes the pending items at Stripe add up to the running invoice's lines. What Stripe has invoiced meanwhile stays, and
 * is complemented. Errors: customer_not_linked; StripeFailure.
 */
export async function pushItems(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  const place = await runningPlace(deps, row)
  await alignItems(deps, row, { lines: await linesNow(deps, row, asOfMs), place })
  return await write(deps.db, row, {
    sentToStripeAt: new Date(asOfMs),
    statusReason: null,
    statusCode: null,
    nextDueAt: null,
  })
}

/** Takes back the items of an invoice that is not to be collected; what Stripe has invoiced is credited, there or here. */
export async function withdrawItems(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<void> {
  try {
    const place = await withdrawalPlace(deps, row)
    await placeAt(deps, row, { lines: [], asOfMs, place })
  } catch (error) {
    // Without its customer nothing is there.
    if (!isDomainError(error) || !goneCustomer.has(error.code)) throw error
  }
}

const goneCustomer: ReadonlySet<string> = new Set(['customer_not_linked', 'stripe_customer_deleted'])

/**
 * The closing's part: sends the lines a last time and leaves the invoice `issued`, `billed_by_stripe`. It has no number
 * of ours: the invoices are Stripe's. Errors: customer_not_linked; StripeFailure.
 */
export async function issueItems(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  const lines = await linesNow(deps, row, asOfMs)
  const place = await placeItems(deps, row, { lines, asOfMs })
  const lookAt = new Date(nextLookMs(asOfMs, asOfMs))
  const where = place.stripeInvoiceId ?? 'the next invoice at Stripe'
  return await changeInvoice(deps.db, row, {
    asOfMs,
    detail: `Billed by Stripe on ${where}`,
    patch: {
      status: 'issued',
      substatus: 'billed_by_stripe',
      statusReason: null,
      statusCode: null,
      issuedAt: new Date(asOfMs),
      sentToStripeAt: new Date(asOfMs),
      nextLookAt: lookAt,
      nextDueAt: lookAt,
    },
  })
}

interface Placing {
  readonly lines: readonly InvoiceLineRow[]
  readonly asOfMs: number
}

/** A draft may be finalized meanwhile: then it is none any more. */
async function placeItems(
  deps: CollectDeps,
  row: InvoiceRow,
  { lines, asOfMs }: Placing,
): Promise<ItemPlace> {
  const place = await closingPlace(deps, row, lines)
  try {
    if (place.stripeInvoiceId !== null) await dropPending(deps, row, place)
    return await placeAt(deps, row, { lines, asOfMs, place })
  } catch (error) {
    if (place.stripeInvoiceId === null || classifyStripeError(error).kind !== 'final') throw error
    const next = await closingPlace(deps, row, lines)
    if (next.stripeInvoiceId === place.stripeInvoiceId) throw error
    return await placeAt(deps, row, { lines, asOfMs, place: next })
  }
}

async function placeAt(
  deps: CollectDeps,
  row: InvoiceRow,
  { lines, asOfMs, place }: Placing & { readonly place: ItemPlace },
): Promise<ItemPlace> {
  const unsentMinor = await alignItems(deps, row, { lines, place })
  await carryUnsent(deps.db, row, { unsentMinor, asOfMs })
  return place
}

/** Nothing to collect is nothing to send; of a running invoice what may shrink waits. */
async function linesNow(
  deps: CollectDeps,
  row: InvoiceRow,
  asOfMs: number,
): Promise<readonly InvoiceLineRow[]> {
  if (BigInt(row.totalMinor) === 0n) return []
  const lines = await getInvoiceLines(deps.db, row.id)
  if (row.substatus !== ACCRUING) return lines
  return await linesToBillEarly(deps.db, row, { lines, asOfMs })
}

/**
 * What became of the Stripe invoices that hold the items: paid when all of them are. Collecting, and what follows a
 * failure, is Stripe's.
 */
export async function settleItems(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  const { stripeCustomerId } = row
  if (stripeCustomerId === null) return row
  const app = await storedApp(deps.db, row.appId)
  const whole = await wholeItems(deps, row, { app, stripeCustomerId, asOfMs })
  const items = whole.filter((item) => BigInt(item.amountMinor) !== 0n)
  const states = await invoiceStates(deps, app, items)
  const settlement = settlementOf(
    items.map((item) => ({
      amountMinor: BigInt(item.amountMinor),
      invoice: item.stripeInvoiceId,
      status: item.stripeInvoiceId === null ? null : (states.get(item.stripeInvoiceId)?.status ?? null),
    })),
  )
  const pages = [...states.values()].flatMap(({ hostedUrl }) => hostedUrl ?? [])
  // Stripe was asked: what was in the way of that is over.
  const shown = { statusReason: settlement.reason, statusCode: null, stripeHostedUrl: pages.at(-1) ?? null }
  if (settlement.status === 'open') {
    const lookAt = new Date(nextLookMs(asOfMs, (row.issuedAt ?? row.createdAt).getTime()))
    return await write(deps.db, row, { ...shown, nextLookAt: lookAt, nextDueAt: lookAt })
  }
  const nothingDue = { nextLookAt: null, nextDueAt: null }
  if (settlement.status === row.status)
    return row.nextDueAt === null ? row : await write(deps.db, row, { ...shown, ...nothingDue })
  const at = new Date(asOfMs)
  const patch: InvoicePatch = {
    ...shown,
    status: settlement.status,
    paidMinor: settlement.paidMinor,
    ...nothingDue,
    ...(settlement.status === 'paid' && { paidAt: row.paidAt ?? at }),
    ...(settlement.status === 'voided' && { voidedAt: row.voidedAt ?? at }),
    ...(settlement.status === 'uncollectible' && { uncollectibleAt: row.uncollectibleAt ?? at }),
  }
  const detail = `${said[settlement.status]} at Stripe${settlement.reason === null ? '' : `: ${settlement.reason}`}`
  return await changeInvoice(deps.db, row, { asOfMs, detail, patch })
}

/** While it is collected its items are its lines: what somebody deleted, or changed, is made up for. */
async function wholeItems(
  deps: CollectDeps,
  row: InvoiceRow,
  { asOfMs, ...there }: Pick<ItemPlace, 'app' | 'stripeCustomerId'> & { readonly asOfMs: number },
): Promise<readonly StripeItemRow[]> {
  const items = await refreshItems(deps, row, there)
  if (!isCollecting(row.status as InvoiceStatus)) return items
  const lines = await linesNow(deps, row, asOfMs)
  const placedMinor = items.reduce((sum, { amountMinor }) => sum + BigInt(amountMinor), 0n)
  const wantedMinor = lines.reduce((sum, line) => sum + netMinor(line), 0n)
  if (placedMinor === wantedMinor - (await unsentCredit(deps.db, row))) return items
  await placeItems(deps, row, { lines, asOfMs })
  return await itemsOfInvoice(deps.db, row.id)
}

const said = { paid: 'Paid', voided: 'Voided', uncollectible: 'Written off' } as const

interface StripeInvoiceState {
  readonly status: string
  readonly hostedUrl: string | null
}

async function invoiceStates(
  deps: CollectDeps,
  app: StoredApp,
  items: readonly StripeItemRow[],
): Promise<ReadonlyMap<string, StripeInvoiceState>> {
  const states = new Map<string, StripeInvoiceState>()
  for (const id of new Set(items.flatMap(({ stripeInvoiceId }) => stripeInvoiceId ?? []))) {
    const { status, number, hostedUrl } = await deps.stripe.getInvoice(app, id)
    deps.progress?.()
    await setInvoiceOfItems(deps.db, id, { status, number, hostedUrl })
    states.set(id, { status, hostedUrl })
  }
  return states
}
