import { storedApp } from '../../db/stores/billing-settings.ts'
import { forgetPaymentMethod, runningSubscriptionsOf } from '../../db/stores/customer-links.ts'
import { takeNewPaymentMethod } from '../../db/stores/stripe-events.ts'
import type { StripeEventRow } from '../../db/stores/stripe-events.ts'
import { appendTimeline } from '../../db/stores/timeline.ts'
import { isDomainError } from '../../domain/errors.ts'
import type { RelayDeps } from '../relay.ts'
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

/** The payment method of a link is gone at Stripe: the link falls back to Stripe's default, and says so. */
export const paymentMethodDetached: EventHandler = async (deps, event) => {
  const paymentMethodId = event.sourceId ?? event.objectId
  if (await isAttachedAgain(deps, event, paymentMethodId)) return { outcome: 'attached_again' }
  return await deps.db.transaction().execute(async (trx) => {
    const customerIds = await forgetPaymentMethod(trx, { appId: event.appId, paymentMethodId })
    const subscriptions = await runningSubscriptionsOf(trx, customerIds)
    const entry = {
      subjectType: 'subscription' as const,
      at: event.createdAt,
      kind: 'payment_method_detached',
      detail: `The payment method ${paymentMethodId} was detached at Stripe; its default is charged from now on`,
    }
    await appendTimeline(
      trx,
      subscriptions.map(({ id }) => ({ ...entry, subjectId: id })),
    )
    return { outcome: customerIds.length === 0 ? 'ignored' : 'forgotten' }
  })
}

async function isAttachedAgain(deps: RelayDeps, event: StripeEventRow, id: string): Promise<boolean> {
  try {
    const method = await deps.stripe.getPaymentMethod(await storedApp(deps.db, event.appId), id)
    return method.customerId !== null
  } catch (error) {
    if (isDomainError(error) && error.code === 'stripe_payment_method_not_found') return false
    throw error
  }
}
