import { appAndLink } from '../db/stores/billing-settings.ts'
import type { InvoiceLineRow, InvoiceRow } from '../db/stores/invoices.ts'
import { insertOutbox } from '../db/stores/outbox.ts'
import { getSubscription } from '../db/stores/subscriptions.ts'
import type { CollectDeps } from './collect-deps.ts'
import { invoiceSettings } from './invoice-settings.ts'
import { netMinor } from './net-minor.ts'
import { searchSince } from './search-since.ts'
import { requireStripeCustomer } from './stripe-customer.ts'
import { refreshItems, subscriptionAtStripe } from './stripe-item-sync.ts'
import type { ItemPlace } from './stripe-item-sync.ts'

/** While the invoice runs, its items wait for the next invoice of the Stripe subscription. Errors: customer_not_linked. */
export async function runningPlace(deps: CollectDeps, row: InvoiceRow): Promise<ItemPlace> {
  const { stripeCustomerId, app } = await requireStripeCustomer(deps, row)
  const subscription = await getSubscription(deps.db, row.subscriptionId)
  // A customer may be billed so without a subscription at Stripe: whatever invoice comes next takes them up.
  const stripeSubscriptionId =
    subscription?.stripeAppId === row.appId ? subscription.stripeSubscriptionId : null
  return { app, stripeCustomerId, stripeSubscriptionId, stripeInvoiceId: null }
}

/**
 * Where what is taken back goes: beside the items that wait. A subscription that has ended at Stripe takes none any more;
 * a credit waits for the customer's next invoice, unless that may be taxed as the subscription was: then it stays here.
 */
export async function withdrawalPlace(deps: CollectDeps, row: InvoiceRow): Promise<ItemPlace> {
  const place = await runningPlace(deps, row)
  if (place.stripeSubscriptionId === null) return place
  const subscription = await subscriptionAtStripe(deps, place.app, place.stripeSubscriptionId)
  const takesItems = subscription !== null && (subscription.endedMs === null || subscription.automaticTax)
  return takesItems ? place : { ...place, stripeSubscriptionId: null }
}

/**
 * Where the closing's last items go: onto the renewal invoice while it is a draft (its first hour), else to the next one.
 * A subscription that has ended at Stripe has no next one: what is left goes onto an invoice of its own, which Stripe
 * collects as it does the others.
 */
export async function closingPlace(
  deps: CollectDeps,
  row: InvoiceRow,
  lines: readonly InvoiceLineRow[],
): Promise<ItemPlace> {
  const place = await runningPlace(deps, row)
  const { app, stripeSubscriptionId } = place
  if (stripeSubscriptionId === null) return place
  const draft = await deps.stripe.findDraft(app, stripeSubscriptionId)
  deps.progress?.()
  if (draft !== null) return { ...place, stripeInvoiceId: draft }
  const subscription = await subscriptionAtStripe(deps, app, stripeSubscriptionId)
  const hasEnded = subscription === null || subscription.endedMs !== null
  if (!hasEnded) return place
  // An endpoint that does not send its end: ours follows by this look.
  await insertOutbox(deps.db, { kind: 'end_subscription', subjectId: row.subscriptionId })
  const ended = { ...place, stripeSubscriptionId: null }
  if (await isAllInvoiced(deps, row, { place, lines })) return ended
  return { ...ended, stripeInvoiceId: await lastInvoice(deps, row, place) }
}

interface Closing {
  readonly place: ItemPlace
  readonly lines: readonly InvoiceLineRow[]
}

async function isAllInvoiced(
  deps: CollectDeps,
  row: InvoiceRow,
  { place, lines }: Closing,
): Promise<boolean> {
  const items = await refreshItems(deps, row, place)
  const invoiced = items.filter(({ stripeInvoiceId }) => stripeInvoiceId !== null)
  const isPending =
    items.length > invoiced.length &&
    items.some((item) => item.stripeInvoiceId === null && BigInt(item.amountMinor) !== 0n)
  const sum = invoiced.reduce((total, item) => total + BigInt(item.amountMinor), 0n)
  const rest = lines.reduce((total, line) => total + netMinor(line), 0n) - sum
  // Where it is taxed a credit is no item of its own.
  return !isPending && (rest === 0n || (rest < 0n && invoiceSettings(row).workflow.tax.enabled))
}

async function lastInvoice(
  deps: CollectDeps,
  row: InvoiceRow,
  { app, stripeCustomerId }: ItemPlace,
): Promise<string> {
  const { workflow } = invoiceSettings(row)
  const { link } = await appAndLink(deps.db, row.appId, row.customerId)
  const isSent = workflow.payment.collectionMethod === 'send_invoice'
  return await deps.stripe.lastInvoice(app, {
    invoiceId: row.id,
    generation: row.syncGeneration,
    stripeCustomerId,
    createdMs: searchSince(row),
    currency: row.currency,
    collectionMethod: workflow.payment.collectionMethod,
    ...(isSent && { daysUntilDue: DAYS_UNTIL_DUE }),
    automaticTax: workflow.tax.enabled,
    defaultPaymentMethodId: link?.stripeDefaultPaymentMethodId ?? null,
  })
}

/** Stripe's own default. */
const DAYS_UNTIL_DUE = 30
