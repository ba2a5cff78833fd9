import { inTurnOf } from '../../billing/stripe-customer-turn.ts'
import { storedApp } from '../../db/stores/billing-settings.ts'
import {
  adoptDefault,
  forgetPaymentMethod,
  methodsOfWaiting,
  namesPaymentMethod,
  runningSubscriptionsOf,
} from '../../db/stores/customer-links.ts'
import type { StripeEventRow } from '../../db/stores/stripe-events.ts'
import { appendTimeline } from '../../db/stores/timeline.ts'
import { orNull } from '../../domain/errors.ts'
import { wakeWaiting } from '../customers.ts'
import type { RelayDeps } from '../relay.ts'
import { notItsTurn } from './outcome.ts'
import type { EventHandler } from './outcome.ts'

/**
 * A customer changed at Stripe. A default that was chosen there, as in the portal, is the link's too; the invoices that
 * waited for another payment method are collected now (rule 32).
 */
export const newPaymentMethod: EventHandler = async (deps, event) => {
  // They are stored with the Stripe customer.
  const of = { appId: event.appId, stripeCustomerId: event.objectId }
  const isAnother = await followDefault(deps, event, of)
  if (isAnother === null) return notItsTurn
  const woken = await wakeWaiting(deps, { ...of, isAnother }, event)
  return { outcome: woken === 0 ? 'ignored' : 'signalled' }
}

interface OfCustomer {
  readonly appId: string
  readonly stripeCustomerId: string
}

/** What is named here was made the default there, so another default was chosen after it. True: one was; null: later. */
async function followDefault(
  deps: RelayDeps,
  event: StripeEventRow,
  of: OfCustomer,
): Promise<boolean | null> {
  if (!(await namesPaymentMethod(deps.db, of))) return false
  return await inTurnOf(deps, of, async () => {
    const chosen = await defaultAtStripe(deps, of)
    if (chosen === null) return false
    return await adoptDefault(deps.db, { ...of, paymentMethodId: chosen, at: event.createdAt })
  })
}

/** Null: none, or no such customer any more. */
async function defaultAtStripe(
  deps: RelayDeps,
  { appId, stripeCustomerId }: OfCustomer,
): Promise<string | null> {
  const app = await storedApp(deps.db, appId)
  const customer = await orNull(deps.stripe.getCustomer(app, stripeCustomerId), 'stripe_customer_not_found')
  return customer?.defaultPaymentMethodId ?? null
}

/** One more payment method: what waits is charged only if this is the one that would be, not with the one that failed. */
export const paymentMethodAttached: EventHandler = async (deps, event) => {
  const of = { appId: event.appId, stripeCustomerId: event.objectId }
  const named = await methodsOfWaiting(deps.db, of)
  if (named === null) return { outcome: 'ignored' }
  const attached = event.sourceId ?? event.objectId
  const fallback = await defaultAtStripe(deps, of)
  if (!named.some((method) => (method ?? fallback) === attached)) return { outcome: 'not_the_default' }
  // It may be the one that failed: its event comes late. What a retry is planned for waits for that.
  await wakeWaiting(deps, { ...of, isAnother: false }, event)
  return { outcome: 'signalled' }
}

/**
 * The payment method of a link is gone at Stripe: the link falls back to Stripe's default, and says so. In its turn: whoever
 * is about to name it has seen it attached.
 */
export const paymentMethodDetached: EventHandler = async (deps, event) => {
  // They are stored with the Stripe customer whose it was.
  const of = { appId: event.appId, stripeCustomerId: event.objectId }
  const outcome = await inTurnOf(deps, of, async () => await forget(deps, event))
  return outcome === null ? notItsTurn : { outcome }
}

async function forget(deps: RelayDeps, event: StripeEventRow): Promise<string> {
  const paymentMethodId = event.sourceId ?? event.objectId
  if (await isAttachedAgain(deps, event, paymentMethodId)) return 'attached_again'
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
    return customerIds.length === 0 ? 'ignored' : 'forgotten'
  })
}

async function isAttachedAgain(deps: RelayDeps, event: StripeEventRow, id: string): Promise<boolean> {
  const app = await storedApp(deps.db, event.appId)
  const method = await orNull(deps.stripe.getPaymentMethod(app, id), 'stripe_payment_method_not_found')
  return method !== null && method.customerId !== null
}
