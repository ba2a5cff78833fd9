import { appAndLink, storedApp } from '../db/stores/billing-settings.ts'
import type { InvoiceRow } from '../db/stores/invoices.ts'
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

/** The first payment, or the e-mail. */
export async function collectFirst(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  if (invoiceSettings(row).workflow.payment.collectionMethod === 'send_invoice') {
    const app = await storedApp(deps.db, row.appId)
    const view = await deps.stripe.sendInvoice(app, invoiceRef(row))
    const sent = await changeInvoice(deps.db, row, {
      asOfMs,
      detail: 'Sent to the customer',
      patch: { sentAt: new Date(asOfMs) },
    })
    return await book(deps, sent, { view, asOfMs })
  }
  return await charge(deps, row, asOfMs)
}

/**
 * One attempt, and one more for a payment method that came while it was under way: whoever heard of that found no failure
 * to make up for, for it was not booked yet (rule 32).
 */
async function charge(deps: CollectDeps, row: InvoiceRow, asOfMs: number): Promise<InvoiceRow> {
  const attempt = async (from: InvoiceRow, means: Means): Promise<InvoiceRow> => {
    const view = await pay(deps, from, means)
    return await book(deps, from, { view, asOfMs, attempt: from.attempts + 1 })
  }
  const charged = await meansOf(deps, row)
  const booked = await attempt(row, charged)
  if (!needsMethod(booked)) return booked
  const now = await meansOf(deps, booked)
  const hasCome =
    now.method === charged.method ? await hasDefaultAfterAll(deps, booked, now) : now.method !== null
  return hasCome ? await attempt(booked, now) : booked
}

/** Failed with what there was to charge. */
const needsMethod = ({ status, substatus }: InvoiceRow): boolean =>
  isCollecting(status as InvoiceStatus) &&
  ['payment_failed', 'payment_method_needed', 'action_required'].includes(substatus ?? '')

interface Means {
  readonly app: StoredApp
  /** What was set here, which comes before the default of its Stripe customer; null: that default. */
  readonly method: string | null
}

async function meansOf(deps: CollectDeps, row: InvoiceRow): Promise<Means> {
  const { app, link } = await appAndLink(deps.db, row.appId, row.customerId)
  // Another's would only be refused.
  const isOfPayer = link?.stripeCustomerId === row.stripeCustomerId
  return { app, method: isOfPayer ? link.stripeDefaultPaymentMethodId : null }
}

/** Stripe had nothing to charge, and has by now. Where it cannot be asked, the failure stands as it was booked. */
async function hasDefaultAfterAll(
  deps: CollectDeps,
  row: InvoiceRow,
  { app, method }: Means,
): Promise<boolean> {
  if (method !== null || row.statusCode !== 'payment_method_missing' || row.stripeCustomerId === null)
    return false
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
  if (!isDue && !look && !options.hasCommand) return row
  // Where only a look is, the plan that is booked with it says whether a retry is due as well.
  const isRetryDue = row.substatus === 'payment_failed' && isDue && !isOnlyLookDue(row)
  // Another payment method came, or a person asked, after the last failure.
  const hasNewMethod = row.substatus === 'payment_method_needed' && !row.needsNewPaymentMethod
  const seen = await lookAt(deps, row, row.stripeInvoiceId)
  // Open there and not issued here: it is not what we would collect.
  if (seen.status === 'open' && !isCollecting(row.status as InvoiceStatus)) return row
  const settled = await book(deps, row, { view: seen, asOfMs })
  if (seen.status === 'open' && isUnsent(settled)) return await collectFirst(deps, settled, asOfMs)
  // A failure that was not booked yet is the answer to the attempt that an earlier run made.
  const isAnswered = settled.attempts > row.attempts
  const isAsked = options.isRetryAsked || hasNewMethod
  if (seen.status !== 'open' || isAnswered || !shouldPay(settled, { isAsked, isRetryDue, asOfMs }))
    return settled
  return await charge(deps, settled, asOfMs)
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
}

/** Writes what Stripe says, and carries out the end of dunning when it has come. */
export async function book(deps: CollectDeps, row: InvoiceRow, { view, ...look }: Seen): Promise<InvoiceRow> {
  const { asOfMs } = look
  const { patch, end, detail } = settle(row, view, look)
  if (Object.keys(patch).length === 0) return row
  const written = await changeInvoice(deps.db, row, {
    asOfMs,
    detail,
    patch,
    cancels: end === 'cancel_subscription',
    balanceMinor: view.balanceAppliedMinor,
  })
  if (end !== 'mark_uncollectible') return written
  const app = await storedApp(deps.db, row.appId)
  const final = await deps.stripe.markUncollectible(app, invoiceRef(row))
  return await book(deps, written, { view: final, asOfMs })
}
