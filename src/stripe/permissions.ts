import type { Stripe } from 'stripe'
import { EVENTS_READ } from '../domain/stripe-permissions.ts'
import type { Connection } from './client.ts'
import { classifyStripeError } from './failures.ts'
import type { ClassifiedFailure } from './types.ts'

/** What a restricted key must or should be allowed, and what is lost without it. */
export interface StripePermission {
  /** Stripe's own name of it. */
  readonly slug: string
  readonly neededFor: string
  readonly withoutIt: string
  /** A key without it is refused when it is given. */
  readonly required: boolean
}

interface Probed extends StripePermission {
  /** Changes nothing: permissions are checked before the object of a request is looked for. */
  readonly probe: (stripe: Stripe) => Promise<unknown>
}

const NO_SUCH = 'perennial_probe'

const probed: readonly Probed[] = [
  {
    slug: 'rak_customer_write',
    neededFor: 'linking and creating customers, their default payment method',
    withoutIt: 'the key is refused',
    required: true,
    probe: (stripe) => stripe.customers.update(`cus_${NO_SUCH}`, {}),
  },
  {
    slug: 'rak_invoice_write',
    neededFor: 'creating, finalizing, collecting and voiding invoices',
    withoutIt: 'the key is refused',
    required: true,
    probe: (stripe) => stripe.invoices.update(`in_${NO_SUCH}`, {}),
  },
  {
    slug: 'rak_payment_intent_read',
    neededFor: 'why a payment failed, and whether one is still processing',
    withoutIt:
      'both are known from the reply to our own attempt only; what happens on Stripe’s pages shows as paid or open',
    required: false,
    probe: (stripe) => stripe.paymentIntents.list({ limit: 1 }),
  },
  {
    slug: 'rak_payment_method_read',
    neededFor: 'checking that a payment method belongs to its customer',
    withoutIt: 'the payment method of a link is taken unchecked',
    required: false,
    probe: (stripe) => stripe.paymentMethods.retrieve(`pm_${NO_SUCH}`),
  },
  {
    slug: 'rak_payment_method_write',
    neededFor: 'attaching a payment method that is attached to nobody yet',
    withoutIt: 'it has to be attached at Stripe before it is named here',
    required: false,
    probe: (stripe) => stripe.paymentMethods.detach(`pm_${NO_SUCH}`),
  },
  {
    slug: 'rak_checkout_session_write',
    neededFor: 'checkout sessions',
    withoutIt: 'checkout sessions are refused',
    required: false,
    probe: (stripe) => stripe.checkout.sessions.expire(`cs_test_${NO_SUCH}`),
  },
  {
    slug: 'rak_setup_intent_read',
    neededFor: 'the payment method that a checkout session collected',
    withoutIt: 'a collected payment method does not become the default by itself',
    required: false,
    probe: (stripe) => stripe.setupIntents.retrieve(`seti_${NO_SUCH}`),
  },
  {
    slug: 'rak_customer_portal_write',
    neededFor: 'portal sessions',
    withoutIt: 'portal sessions are refused; set customerPortalUrl to the portal’s own address',
    required: false,
    probe: (stripe) => stripe.billingPortal.configurations.update(`bpc_${NO_SUCH}`, {}),
  },
  {
    slug: 'rak_refund_read',
    neededFor: 'refunds that are made at Stripe',
    withoutIt: 'refunds do not show on invoices',
    required: false,
    probe: (stripe) => stripe.refunds.list({ limit: 1 }),
  },
  {
    slug: 'rak_dispute_read',
    neededFor: 'disputed payments',
    withoutIt: 'disputes do not show on invoices',
    required: false,
    probe: (stripe) => stripe.disputes.retrieve(`du_${NO_SUCH}`),
  },
  {
    slug: 'rak_credit_note_read',
    neededFor: 'credit notes that are issued at Stripe',
    withoutIt: 'credit notes do not show on invoices',
    required: false,
    probe: (stripe) => stripe.creditNotes.retrieve(`cn_${NO_SUCH}`),
  },
  {
    slug: 'rak_subscription_read',
    neededFor: 'subscriptions that are made at Stripe',
    withoutIt: 'subscriptions made at Stripe are not imported',
    required: false,
    probe: (stripe) => stripe.subscriptions.retrieve(`sub_${NO_SUCH}`),
  },
  {
    slug: 'rak_plan_read',
    neededFor: 'prices at Stripe that stand for plans',
    withoutIt: 'prices cannot be mapped to plans',
    required: false,
    probe: (stripe) => stripe.prices.retrieve(`price_${NO_SUCH}`),
  },
  {
    slug: 'rak_webhook_write',
    neededFor: 'making and repairing the webhook endpoint',
    withoutIt: 'no endpoint is made: events are polled, or you make one by hand',
    required: false,
    probe: (stripe) => stripe.webhookEndpoints.update(`we_${NO_SUCH}`, {}),
  },
  {
    slug: EVENTS_READ,
    neededFor: 'reading events where webhooks do not arrive',
    withoutIt:
      'nothing is polled: what no webhook tells is seen when an invoice is next looked at, after a day at first',
    required: false,
    probe: (stripe) => stripe.events.list({ limit: 1 }),
  },
  {
    slug: 'rak_connected_account_read',
    neededFor: 'name and country of the account',
    withoutIt: 'a billing profile is made only where the supplier is given',
    required: false,
    probe: (stripe) => stripe.accounts.retrieveCurrent(),
  },
]

/** Everything that is asked of Stripe, as permissions of a restricted key. */
export const stripePermissions: readonly StripePermission[] = probed.map(
  ({ slug, neededFor, withoutIt, required }) => ({ slug, neededFor, withoutIt, required }),
)

export const webhookWrite = 'rak_webhook_write'

/** Whether the key of an app may read events, by what was missing when it was given. */
export const mayReadEvents = ({
  missingPermissions,
}: {
  readonly missingPermissions: readonly string[]
}): boolean => !missingPermissions.includes(EVENTS_READ)

/** A permission that the key has not. */
export interface MissingPermission extends StripePermission {
  /** As Stripe's refusal named it; some of ours were never seen in one. */
  readonly named: string
}

/** The permission whose lack made Stripe refuse; null for another failure. */
export function refusedPermission({ kind, code, message }: ClassifiedFailure): string | null {
  if (kind !== 'auth') return null
  const named = /rak_\w+/.exec(message)?.[0]
  return named ?? (code === 'permission_missing' ? 'a permission that Stripe did not name' : null)
}

/** Whether a call failed for want of a permission, and not of a key that works. */
export function lacksPermission(error: unknown): boolean {
  return refusedPermission(classifyStripeError(error)) !== null
}

/**
 * Asks for something harmless under each permission and reads what is refused. Throws what is no answer to that: a key
 * that Stripe does not accept at all, a Stripe that is not reachable.
 */
export async function probePermissions(connection: Connection): Promise<readonly MissingPermission[]> {
  const answers = await Promise.all(probed.map(async (permission) => await missing(connection, permission)))
  return answers.filter((answer) => answer !== null)
}

async function missing(
  connection: Connection,
  { probe, ...permission }: Probed,
): Promise<MissingPermission | null> {
  try {
    await connection.call(`probe.${permission.slug}`, probe)
    return null
  } catch (error) {
    const failure = classifyStripeError(error)
    const named = refusedPermission(failure)
    if (named !== null) return { ...permission, named }
    // Another refusal (there is no such object, it lacks a parameter) came after the permission was checked.
    if (failure.kind === 'final') return null
    throw error
  }
}
