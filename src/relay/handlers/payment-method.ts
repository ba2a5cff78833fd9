import { takeNewPaymentMethod } from '../../db/stores/stripe-events.ts'
import { signalInvoice } from './invoice.ts'
import type { EventHandler } from './outcome.ts'

/** The invoices that waited for another payment method are collected now (rule 32). The mark comes before the signal. */
export const newPaymentMethod: EventHandler = async (deps, event) => {
  const invoices = await takeNewPaymentMethod(deps.db, {
    appId: event.appId,
    // They are stored with the Stripe customer.
    stripeCustomerId: event.objectId,
  })
  for (const invoice of invoices) await signalInvoice(deps, invoice, event)
  return { outcome: invoices.length === 0 ? 'ignored' : 'signalled' }
}
