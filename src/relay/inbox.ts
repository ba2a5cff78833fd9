import {
  completeStripeEvent,
  deferStripeEvent,
  invoiceOfStripeEvent,
  takeNewPaymentMethod,
  takeStripeEvents,
} from '../db/stores/stripe-events.ts'
import type { InvoiceOfEvent, StripeEventRow } from '../db/stores/stripe-events.ts'
import { backoffMs } from './backoff.ts'
import type { RelayDeps } from './relay.ts'

const BATCH = 50
/** An event may come before our own commit (rule 30): an invoice that is unknown is looked for this many times. */
const TRIES_UNKNOWN = 8
/** The step that is collecting gets Stripe's reply itself; give it this many tries before a workflow is started. */
const TRIES_INLINE = 6

/** Statuses that an event merely confirms. */
const confirmed: Readonly<Record<string, readonly string[]>> = {
  'invoice.paid': ['paid'],
  'invoice.payment_succeeded': ['paid'],
  'invoice.voided': ['voided', 'paid'],
  'invoice.marked_uncollectible': ['uncollectible', 'paid', 'voided'],
  'invoice.payment_failed': ['paid', 'voided', 'uncollectible', 'issued', 'overdue'],
  'invoice.payment_action_required': ['paid', 'voided'],
}

/** The object they are stored with is the Stripe customer. */
const paymentMethodEvents: ReadonlySet<string> = new Set(['payment_method.attached', 'customer.updated'])

/** Delivers Stripe's events to the workflows that wait for them; returns how many were taken. */
export async function deliverInbox(deps: RelayDeps): Promise<number> {
  return await deps.db.transaction().execute(async (trx) => {
    const events = await takeStripeEvents(trx, BATCH)
    for (const event of events) {
      const outcome = await outcomeOf(deps, event)
      if ('outcome' in outcome) await completeStripeEvent(trx, event.eventId, outcome.outcome)
      else
        await deferStripeEvent(trx, event.eventId, {
          delayMs: backoffMs(event.attempts),
          error: outcome.later,
        })
    }
    return events.length
  })
}

type Outcome = { readonly outcome: string } | { readonly later: string }

async function outcomeOf(deps: RelayDeps, event: StripeEventRow): Promise<Outcome> {
  const statuses = confirmed[event.type]
  try {
    if (paymentMethodEvents.has(event.type)) return await newPaymentMethod(deps, event)
    if (statuses === undefined) return { outcome: 'ignored' }
    const invoice = await invoiceOfStripeEvent(deps.db, event)
    if (!invoice) return unknown(event)
    if (statuses.includes(invoice.status)) return { outcome: 'confirmed' }
    if (!invoice.hasWorkflow && event.attempts < TRIES_INLINE)
      return { later: 'its own step is collecting it' }
    await signal(deps, invoice, event)
    return { outcome: 'signalled' }
  } catch (error) {
    return { later: error instanceof Error ? error.message : String(error) }
  }
}

/** The invoices that waited for another payment method are collected now (rule 32). The mark comes before the signal. */
async function newPaymentMethod(deps: RelayDeps, event: StripeEventRow): Promise<Outcome> {
  const invoices = await takeNewPaymentMethod(deps.db, {
    appId: event.appId,
    stripeCustomerId: event.objectId,
  })
  for (const invoice of invoices) await signal(deps, invoice, event)
  return { outcome: invoices.length === 0 ? 'ignored' : 'signalled' }
}

/** Not ours, or not committed yet. */
function unknown(event: StripeEventRow): Outcome {
  return event.attempts < TRIES_UNKNOWN ? { later: 'no such invoice yet' } : { outcome: 'not_ours' }
}

async function signal(deps: RelayDeps, invoice: InvoiceOfEvent, event: StripeEventRow): Promise<void> {
  const start = {
    invoiceId: invoice.id,
    customerKey: invoice.customerKey ?? invoice.customerId,
    status: invoice.status,
    testNowMs: invoice.frozenTime?.getTime() ?? null,
    nextDueMs: null,
  }
  await deps.temporal.signalInvoice(start, { eventId: event.eventId, type: event.type })
}
