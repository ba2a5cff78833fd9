import { noteChange, untaxableInvoicesOf, waitingInvoicesOf } from '../../db/stores/changed-at-stripe.ts'
import { getInvoiceRow } from '../../db/stores/invoices.ts'
import { setStripeCustomerDeleted } from '../../db/stores/stripe-customers.ts'
import { signalInvoice } from './invoice.ts'
import type { EventHandler } from './outcome.ts'

/** Its address may have come: invoices that could not be taxed are tried again. */
export const taxLocationChanged: EventHandler = async (deps, event) => {
  const of = { appId: event.appId, stripeCustomerId: event.objectId }
  const invoices = await untaxableInvoicesOf(deps.db, of)
  for (const invoice of invoices) await signalInvoice(deps, invoice, event)
  return { outcome: invoices.length === 0 ? 'ignored' : 'signalled' }
}

/** Nothing can be collected of it any more: its invoices say so, and new ones wait for another link. */
export const stripeCustomerDeleted: EventHandler = async (deps, event) => {
  const of = { appId: event.appId, stripeCustomerId: event.objectId }
  await setStripeCustomerDeleted(deps.db, of)
  const invoices = await waitingInvoicesOf(deps.db, of)
  for (const { id, frozenTime } of invoices) {
    const row = await getInvoiceRow(deps.db, id)
    // Another was linked meanwhile, and the invoice goes on with that.
    if (row?.stripeCustomerId !== of.stripeCustomerId) continue
    await noteChange(deps.db, {
      row,
      at: frozenTime ?? event.createdAt,
      code: 'stripe_customer_deleted',
      reason: `The Stripe customer ${event.objectId} was deleted; link the customer to another one`,
      ...(row.status === 'issuing' && { patch: { substatus: 'failed' } }),
    })
  }
  return { outcome: invoices.length === 0 ? 'ignored' : 'noted' }
}

/** Two concerns of one event; what became of the first counts, where it did something. */
export function both(first: EventHandler, second: EventHandler): EventHandler {
  return async (deps, event) => {
    const outcome = await first(deps, event)
    const other = await second(deps, event)
    const isIdle = 'outcome' in outcome && outcome.outcome === 'ignored'
    return 'later' in other || isIdle ? other : outcome
  }
}
