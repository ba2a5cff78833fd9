import { appAndLink } from '../db/stores/billing-settings.ts'
import type { InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import type { CollectDeps } from './collect-deps.ts'
import { isDueBy, nextLookMs } from './invoice-look.ts'
import { write } from './invoice-write.ts'

/** Failures that somebody mends at Stripe, or on the customer's link: looked at again without being asked. */
const mendedElsewhere: ReadonlySet<string | null> = new Set([
  'customer_tax_location_invalid',
  'stripe_tax_inactive',
  'stripe_customer_deleted',
  'customer_not_linked',
])

/** What differs may be corrected there. Stripe is not asked to tell of it: that is told of every invoice that we bill. */
const DIFFERS = 'stripe_totals_differ'
const SOON_MS = 5 * 60 * 1000

interface Failed {
  readonly code: string
  readonly asOfMs: number
  readonly createdMs: number
  /** Since when it has failed for the very same reason: a correction changes what differs, or mends it. */
  readonly sinceMs: number
}

/**
 * When an invoice that could not be issued is tried again by itself, or null: then it waits to be asked. What differs is
 * compared again soon, while somebody may be at it, and then at growing intervals as the others.
 */
export function triedAgainMs({ code, asOfMs, createdMs, sinceMs }: Failed): number | null {
  if (code === DIFFERS) return nextLookMs(asOfMs, sinceMs, SOON_MS)
  return mendedElsewhere.has(code) ? nextLookMs(asOfMs, createdMs) : null
}

/** Whether an invoice that could not be issued is tried again now: its time has come, or something changed at Stripe. */
export function goesOnByItself(
  row: InvoiceRow,
  now: { readonly asOfMs: number; readonly look: boolean },
): boolean {
  if (row.status !== 'issuing' || row.substatus !== 'failed') return false
  const mayBeMended = row.statusCode === DIFFERS || mendedElsewhere.has(row.statusCode)
  return mayBeMended && (isDueBy(row, now.asOfMs) || now.look)
}

export async function goOn(deps: CollectDeps, row: InvoiceRow): Promise<InvoiceRow> {
  return await write(deps.db, row, { substatus: null, ...(await afresh(deps, row)) })
}

/**
 * What issuing begins anew with: the Stripe customer that is linked now, where the earlier one is gone, and the next
 * generation of keys, since Stripe may keep a refusal under the old ones. A draft that is gone, or that belonged to a
 * customer who is, is forgotten.
 */
export async function afresh(deps: CollectDeps, row: InvoiceRow): Promise<InvoicePatch> {
  const { link } = await appAndLink(deps.db, row.appId, row.customerId)
  const isCustomerGone = row.statusCode === 'stripe_customer_deleted'
  const isRelinked = link !== null && link.stripeCustomerId !== row.stripeCustomerId
  const generation = { syncGeneration: row.syncGeneration + 1 }
  if (isRelinked && (isCustomerGone || row.stripeCustomerId === null))
    return { ...generation, stripeCustomerId: link.stripeCustomerId, stripeInvoiceId: null }
  if (row.statusCode === 'stripe_invoice_deleted') return { ...generation, stripeInvoiceId: null }
  return generation
}
