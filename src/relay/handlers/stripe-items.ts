import { storedApp } from '../../db/stores/billing-settings.ts'
import { invoiceOfStripeEvent } from '../../db/stores/invoices-of-events.ts'
import { mayHoldItems } from '../../db/stores/stripe-items.ts'
import { signalInvoice } from './invoice.ts'
import type { EventHandler } from './outcome.ts'

/** Invoices whose items Stripe may have billed: those that were closed. */
const CLOSED = new Set(['issued', 'overdue', 'uncollectible'])

/**
 * An invoice of Stripe's own may hold items of ours: their invoices look at it. `other` does what there is to do about
 * an invoice that is ours.
 */
export function billedByStripe(other: EventHandler): EventHandler {
  return async (deps, event) => {
    const isOurs = event.invoiceId !== null || (await invoiceOfStripeEvent(deps.db, event)) !== undefined
    const ofApp = { appId: event.appId, stripeInvoiceId: event.objectId }
    if (isOurs || !(await mayHoldItems(deps.db, ofApp))) return await other(deps, event)
    const app = await storedApp(deps.db, event.appId)
    const ids = await deps.stripe.invoicesOnLines(app, event.objectId)
    if (ids.length === 0) return await other(deps, event)
    for (const invoiceId of ids) {
      const invoice = await invoiceOfStripeEvent(deps.db, { ...event, invoiceId })
      // One that still runs asks by itself when it is closed.
      if (invoice !== undefined && CLOSED.has(invoice.status)) await signalInvoice(deps, invoice, event)
    }
    return { outcome: 'signalled' }
  }
}
