import { inTurnOf } from '../../billing/stripe-customer-turn.ts'
import { upsertCustomerLink } from '../../db/stores/apps.ts'
import type { CustomerAppRow } from '../../db/stores/apps.ts'
import { storedApp } from '../../db/stores/billing-settings.ts'
import { findCustomerLink, lockCustomerLink } from '../../db/stores/customer-links.ts'
import { findCustomer } from '../../db/stores/customers.ts'
import type { StripeEventRow } from '../../db/stores/stripe-events.ts'
import { orNull } from '../../domain/errors.ts'
import type { SetupIntentView } from '../../stripe/checkout-types.ts'
import type { StoredApp } from '../../stripe/types.ts'
import { issueAgain, wakeWaiting } from '../customers.ts'
import type { RelayDeps } from '../relay.ts'
import { notItsTurn } from './outcome.ts'
import type { EventHandler, Outcome } from './outcome.ts'

/** A checkout page was completed: what it saved is what its setup intent says. */
export const checkoutCompleted: EventHandler = async (deps, event) => {
  const app = await storedApp(deps.db, event.appId)
  const session = await deps.stripe.getCheckoutSession(app, sourceOf(event))
  if (session.setupIntentId === null) return { outcome: 'ignored' }
  return await adopt(deps, event, { app, setupIntentId: session.setupIntentId })
}

export const setupSucceeded: EventHandler = async (deps, event) => {
  const app = await storedApp(deps.db, event.appId)
  return await adopt(deps, event, { app, setupIntentId: sourceOf(event) })
}

const sourceOf = (event: StripeEventRow): string => event.sourceId ?? event.objectId

interface Completed {
  readonly app: StoredApp
  readonly setupIntentId: string
}

interface Saved {
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly paymentMethodId: string
}

/**
 * The payment method that a customer saved becomes theirs: the default one here and of the Stripe customer, and what
 * waited for one is collected. Setup intents that we did not ask for are left alone.
 */
async function adopt(
  deps: RelayDeps,
  event: StripeEventRow,
  { app, setupIntentId }: Completed,
): Promise<Outcome> {
  const saved = savedBy(await deps.stripe.getSetupIntent(app, setupIntentId), app)
  if (typeof saved === 'string') return { outcome: saved }
  const customer = await findCustomer(deps.db, saved.customerId)
  if (customer === null || customer.deletedAt !== null) return { outcome: 'no_such_customer' }
  const of = { appId: app.id, stripeCustomerId: saved.stripeCustomerId }
  const dated = { ...saved, at: event.createdAt }
  const made = await inTurnOf(deps, of, async () => await makeDefault(deps, app, dated))
  if (made === null) return notItsTurn
  if (typeof made === 'string') return { outcome: made }
  await wakeWaiting(deps, { ...of, ...made }, event)
  await issueAgain(deps, { ...saved, appId: app.id }, `checkout-${event.eventId}-${event.attempts}`)
  return { outcome: 'linked' }
}

function savedBy(intent: SetupIntentView, app: StoredApp): Saved | string {
  const { customerId, stripeCustomerId, paymentMethodId } = intent
  if (customerId === null || intent.appId !== app.id) return 'not_ours'
  if (intent.status !== 'succeeded' || stripeCustomerId === null || paymentMethodId === null) return 'ignored'
  return { customerId, stripeCustomerId, paymentMethodId }
}

/**
 * Events come late and out of order: a method that was named here, or saved, after this one stays, and so does another
 * Stripe customer.
 */
function isNamedSince(link: CustomerAppRow | null, saved: Saved, at: Date): boolean {
  // Time on a Stripe test clock is not the time of ours.
  if (link === null || link.paymentMethodSetAt === null || link.stripeTestClockId !== null) return false
  const isOther = link.stripeCustomerId !== saved.stripeCustomerId
  const named = link.stripeDefaultPaymentMethodId
  if (!isOther && (named === null || named === saved.paymentMethodId)) return false
  const seconds = (instant: Date): number => Math.floor(instant.getTime() / 1000)
  return seconds(link.paymentMethodSetAt) > seconds(at)
}

async function isAttached(deps: RelayDeps, app: StoredApp, saved: Saved): Promise<boolean> {
  const asked = deps.stripe.getPaymentMethod(app, saved.paymentMethodId)
  const method = await orNull(asked, 'stripe_payment_method_not_found')
  return method !== null && (method.isUnread === true || method.customerId === saved.stripeCustomerId)
}

type Dated = Saved & { readonly at: Date }
type Made = { readonly isAnother: boolean } | 'superseded' | 'detached_since'

async function makeDefault(deps: RelayDeps, app: StoredApp, saved: Dated): Promise<Made> {
  const before = await findCustomerLink(deps.db, saved.customerId, app.id)
  const isNamed = isNamedSince(before, saved, saved.at)
  if (!isNamed && !(await isAttached(deps, app, saved))) return 'detached_since'
  if (isNamed || !(await nameHere(deps, app, saved))) {
    await putBack(deps, app, saved)
    return 'superseded'
  }
  // Told of twice, by two types of event: what was charged with it and declined is not charged at once again.
  return { isAnother: before?.stripeDefaultPaymentMethodId !== saved.paymentMethodId }
}

/** A call of ours that was given up may have landed after another method was named here: that is the default there too. */
async function putBack(deps: RelayDeps, app: StoredApp, saved: Saved): Promise<void> {
  const { customerId, stripeCustomerId } = saved
  const link = await findCustomerLink(deps.db, customerId, app.id)
  const paymentMethodId = link?.stripeDefaultPaymentMethodId ?? null
  if (paymentMethodId === null || link?.stripeCustomerId !== stripeCustomerId) return
  const there = await deps.stripe.getCustomer(app, stripeCustomerId)
  if (there.defaultPaymentMethodId !== saved.paymentMethodId) return
  await deps.stripe.setDefaultPaymentMethod(app, { stripeCustomerId, paymentMethodId })
}

/** At Stripe first: it charges its own default where ours is not known. False: another was named here in between. */
async function nameHere(deps: RelayDeps, app: StoredApp, saved: Dated): Promise<boolean> {
  const { customerId, stripeCustomerId, paymentMethodId, at } = saved
  const there = await deps.stripe.getCustomer(app, stripeCustomerId)
  if (there.defaultPaymentMethodId !== paymentMethodId)
    await deps.stripe.setDefaultPaymentMethod(app, { stripeCustomerId, paymentMethodId })
  const link = {
    customerId,
    appId: app.id,
    stripeCustomerId,
    stripeDefaultPaymentMethodId: paymentMethodId,
    stripeTestClockId: there.testClockId,
  }
  return await deps.db.transaction().execute(async (trx) => {
    if (isNamedSince(await lockCustomerLink(trx, customerId, app.id), saved, at)) return false
    await upsertCustomerLink(trx, { ...link, paymentMethodSetAt: at }, at)
    return true
  })
}
