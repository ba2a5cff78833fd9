import type { Db } from '../db/connection.ts'
import type { CustomerAppRow } from '../db/stores/apps.ts'
import { appAndLink, storedApp } from '../db/stores/billing-settings.ts'
import type { LinkedApp } from '../db/stores/billing-settings.ts'
import { lockCustomerLink } from '../db/stores/customer-links.ts'
import type { InvoicePatch, InvoiceRow } from '../db/stores/invoices.ts'
import { isCollecting } from '../domain/invoice-state.ts'
import type { InvoiceStatus } from '../domain/invoice-state.ts'
import type { StripeInvoiceView } from '../stripe/invoice-types.ts'
import type { StoredApp } from '../stripe/types.ts'
import type { CollectDeps } from './collect-deps.ts'
import { isDueBy, isOnlyLookDue } from './invoice-look.ts'
import { invoiceSettings } from './invoice-settings.ts'
import { settle } from './invoice-settle.ts'
import type { Look } from './invoice-settle.ts'
import { changeInvoice, invoiceRef } from './invoice-write.ts'
import { namingWhatIsGone } from './stripe-customer.ts'
import { settleItems } from './stripe-items.ts'

interface FirstCollection {
  readonly asOfMs: number
  /** The app, and who the customer is there, where that was found just now. */
  readonly linked?: LinkedApp | undefined
}

/** The first payment, or the e-mail. */
export async function collectFirst(
  deps: CollectDeps,
  row: InvoiceRow,
  { asOfMs, linked }: FirstCollection,
): Promise<InvoiceRow> {
  if (invoiceSettings(row).workflow.payment.collectionMethod === 'send_invoice') {
    const app = linked?.app ?? (await storedApp(deps.db, row.appId))
    const view = await deps.stripe.sendInvoice(app, invoiceRef(row))
    const sent = await changeInvoice(deps.db, row, {
      asOfMs,
      detail: 'Sent to the customer',
      patch: { sentAt: new Date(asOfMs) },
    })
    return await book(deps, sent, { view, asOfMs })
  }
  return await charge(deps, row, { asOfMs, linked })
}

/**
 * One attempt, and one more for a payment method that came while it was under way: whoever heard of that found no failure
 * to make up for, for it was not booked yet (rule 32). It is booked with the failure that one came, and what is not known
 * before Stripe is asked stays due until then: a run that dies in between is made up for by the next.
 */
async function charge(
  deps: CollectDeps,
  row: InvoiceRow,
  { asOfMs, linked }: FirstCollection,
): Promise<InvoiceRow> {
  const attempt = async (
    from: InvoiceRow,
    means: Means,
  ): Promise<readonly [InvoiceRow, StripeInvoiceView]> => {
    const view = await pay(deps, from, means)
    const seen = { view, asOfMs, attempt: from.attempts + 1, charged: means.method }
    return [await book(deps, from, seen), view]
  }
  const [booked, view] = await attempt(row, linked ? meansBy(row, linked) : await meansOf(deps, row))
  if (!hasNewMethod(booked) && !hadNothing(booked)) return booked
  const means = await meansOf(deps, booked)
  const hasCome = means.method === null ? await hasDefaultNow(deps, booked, means) : hasNewMethod(booked)
  if (hasCome) return (await attempt(booked, means))[0]
  // None has: it waits as is planned.
  return means.method === null ? await book(deps, booked, { view, asOfMs }) : booked
}

/** Another payment method came, or a person asked, after the last failure. */
const hasNewMethod = ({ status, substatus, needsNewPaymentMethod }: InvoiceRow): boolean =>
  isCollecting(status as InvoiceStatus) && substatus === 'payment_method_needed' && !needsNewPaymentMethod

interface Means {
  readonly app: StoredApp
  /** What was set here, which comes before the default of its Stripe customer; null: that default. */
  readonly method: string | null
}

async function meansOf(deps: CollectDeps, row: InvoiceRow): Promise<Means> {
  return meansBy(row, await appAndLink(deps.db, row.appId, row.customerId))
}

const meansBy = (row: InvoiceRow, { app, link }: LinkedApp): Means => ({ app, method: methodOf(row, link) })

/** That of another Stripe customer would only be refused. */
const methodOf = (row: InvoiceRow, link: CustomerAppRow | null): string | null =>
  link !== null && link.stripeCustomerId === row.stripeCustomerId ? link.stripeDefaultPaymentMethodId : null

/** There was nothing to charge; by now there may be. */
const hadNothing = ({ status, substatus, statusCode }: InvoiceRow): boolean =>
  isCollecting(status as InvoiceStatus) &&
  substatus === 'payment_method_needed' &&
  statusCode === 'payment_method_missing'

/** Stripe had nothing to charge, and has by now. Where it cannot be asked, the failure stands as it was booked. */
async function hasDefaultNow(deps: CollectDeps, row: InvoiceRow, { app, method }: Means): Promise<boolean> {
  if (method !== null || !hadNothing(row) || row.stripeCustomerId === null) return false
  const there = await deps.stripe.getCustomer(app, row.stripeCustomerId).catch(() => null)
  return there?.deleted === false && there.defaultPaymentMethodId !== null
}

/** A new attempt has a new key; the same attempt repeated gets Stripe's first answer (rule 31). */
async function pay(deps: CollectDeps, row: InvoiceRow, { app, method }: Means): Promise<StripeInvoiceView> {
  try {
    const view = await deps.stripe.payInvoice(app, {
      ...invoiceRef(row),
      attempt: row.attempts + 1,
      ...(method !== null && { paymentMethodId: method }),
    })
    deps.progress?.()
    return view
  } catch (error) {
    throw await namingWhatIsGone(deps, row, error)
  }
}

interface FollowUp {
  readonly asOfMs: number
  /** Something happened at Stripe. */
  readonly look: boolean
  readonly hasCommand: boolean
  readonly isRetryAsked: boolean
}

/** Looks at Stripe; pays again when a retry is due and it is still open. */
export async function followUp(deps: CollectDeps, row: InvoiceRow, options: FollowUp): Promise<InvoiceRow> {
  if (row.substatus === 'billed_by_stripe') return await settleItems(deps, row, options.asOfMs)
  if (row.stripeInvoiceId === null) return row
  const { asOfMs, look } = options
  const isDue = isDueBy(row, asOfMs)
  if (!isDue && !look && !options.hasCommand && !hasNewMethod(row)) return row
  // Where only a look is, the plan that is booked with it says whether a retry is due as well.
  const isRetryDue = row.substatus === 'payment_failed' && isDue && !isOnlyLookDue(row)
  const seen = await lookAt(deps, row, row.stripeInvoiceId)
  // Open there and not issued here: it is not what we would collect.
  if (seen.status === 'open' && !isCollecting(row.status as InvoiceStatus)) return row
  const isAsked =
    options.isRetryAsked ||
    hasNewMethod(row) ||
    (isDue && hadNothing(row) && (await hasDefaultNow(deps, row, await meansOf(deps, row))))
  const { patch } = settle(row, seen, { asOfMs })
  const settled = { ...row, ...patch } as InvoiceRow
  // A failure that was not booked yet is the answer to the attempt that an earlier run made.
  const isAnswered = settled.attempts > row.attempts
  // Booked with its answer, so that a run that dies before it is made up for by the next: the row says why it pays.
  const isPaying = !isAnswered && shouldPay(settled, { isAsked, isRetryDue, asOfMs })
  if (seen.status === 'open' && isPaying && !isUnsent(row)) return await charge(deps, row, { asOfMs })
  const booked = await book(deps, row, { view: seen, asOfMs })
  return seen.status === 'open' && isUnsent(booked) ? await collectFirst(deps, booked, { asOfMs }) : booked
}

async function lookAt(deps: CollectDeps, row: InvoiceRow, id: string): Promise<StripeInvoiceView> {
  try {
    return await deps.stripe.getInvoice(await storedApp(deps.db, row.appId), id)
  } catch (error) {
    throw await namingWhatIsGone(deps, row, error)
  }
}

/** Issued by a run that died before the e-mail was asked for. */
function isUnsent(row: InvoiceRow): boolean {
  return row.sentAt === null && invoiceSettings(row).workflow.payment.collectionMethod === 'send_invoice'
}

interface Asking {
  readonly isAsked: boolean
  readonly isRetryDue: boolean
  readonly asOfMs: number
}

/** Whether it is time to charge: a retry that is due, one asked for, or a first payment that never got through. */
function shouldPay(row: InvoiceRow, { isAsked, isRetryDue, asOfMs }: Asking): boolean {
  if (row.status === 'payment_processing') return false
  if (isAsked) return true
  if (invoiceSettings(row).workflow.payment.collectionMethod !== 'charge_automatically') return false
  if (row.attempts === 0 && row.substatus === null) return true
  return row.substatus === 'payment_failed' && (isRetryDue || isDueBy(row, asOfMs))
}

interface Seen extends Look {
  readonly view: StripeInvoiceView
  /** The payment method of ours that this is the answer about; null: Stripe's default; left out where it is no answer. */
  readonly charged?: string | null
}

/** Writes what Stripe says, and carries out the end of dunning when it has come. */
export async function book(
  deps: CollectDeps,
  row: InvoiceRow,
  { view, charged, ...look }: Seen,
): Promise<InvoiceRow> {
  const { asOfMs } = look
  const { patch, end, detail } = settle(row, view, look)
  if (Object.keys(patch).length === 0) return row
  const settled = { ...row, ...patch } as InvoiceRow
  const hasFailed = charged !== undefined && end === null && needsMethod(settled)
  const written = await changeInvoice(deps.db, row, {
    asOfMs,
    detail,
    patch,
    ...(hasFailed && { meanwhile: async (trx) => await cameMeanwhile(trx, settled, { charged, asOfMs }) }),
    cancels: end === 'cancel_subscription',
    balanceMinor: view.balanceAppliedMinor,
  })
  if (end !== 'mark_uncollectible') return written
  const app = await storedApp(deps.db, row.appId)
  const final = await deps.stripe.markUncollectible(app, invoiceRef(row))
  return await book(deps, written, { view: final, asOfMs })
}

/** Failed with what there was to charge. */
const needsMethod = ({ status, substatus }: InvoiceRow): boolean =>
  isCollecting(status as InvoiceStatus) &&
  ['payment_failed', 'payment_method_needed', 'action_required'].includes(substatus ?? '')

/** The link is held: whoever names another one after this finds the failure booked. */
async function cameMeanwhile(
  trx: Db,
  row: InvoiceRow,
  { charged, asOfMs }: { readonly charged: string | null; readonly asOfMs: number },
): Promise<InvoicePatch> {
  const method = methodOf(row, await lockCustomerLink(trx, row.customerId, row.appId))
  const dueNow = { nextDueAt: new Date(asOfMs) }
  if (method !== null && method !== charged)
    return { ...dueNow, substatus: 'payment_method_needed', needsNewPaymentMethod: false }
  return method === null && hadNothing(row) ? dueNow : {}
}
