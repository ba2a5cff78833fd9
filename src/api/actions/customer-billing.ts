import { findOverride, upsertOverride } from '../../db/stores/billing-profiles.ts'
import type { BillingOverrideRow, BillingProfileRow } from '../../db/stores/billing-profiles.ts'
import { findCustomerLink } from '../../db/stores/customer-links.ts'
import type { CustomerRow } from '../../db/stores/customers.ts'
import { loadSettings } from '../../billing/settings.ts'
import { DomainError, orNull } from '../../domain/errors.ts'
import type { ApiDeps } from '../deps.ts'
import { withoutNulls } from '../presenters/without-nulls.ts'
import type { OverrideCreate } from '../schemas/billing-profiles.ts'
import type { CustomerBilling } from '../schemas/checkout.ts'
import { billingApp } from './billing-app.ts'
import { linkedProfile } from './billing-profiles.ts'
import { linkCustomer } from './customer-links.ts'
import { overrideContent } from './profile-settings.ts'

type StripeData = NonNullable<NonNullable<CustomerBilling['app_data']>['stripe']>

/** The profile that bills a customer, and who they are at its Stripe account. */
export async function customerBilling(deps: ApiDeps, customer: CustomerRow): Promise<CustomerBilling> {
  const profileId = await profileOf(deps, customer.id)
  const stripe = await stripeData(deps, customer.id)
  return {
    ...(profileId !== null && { billing_profile: { id: profileId } }),
    ...(stripe !== null && { app_data: { stripe } }),
  }
}

async function profileOf({ db }: ApiDeps, customerId: string): Promise<string | null> {
  return (await orNull(loadSettings(db, customerId), 'profile_missing'))?.profileId ?? null
}

async function stripeData(deps: ApiDeps, customerId: string): Promise<StripeData | null> {
  // Refused where no Stripe account is installed.
  const billing = await orNull(billingApp(deps, customerId), 'validation_failed')
  const link = billing === null ? null : await findCustomerLink(deps.db, customerId, billing.app.id)
  if (link === null) return null
  return {
    app_id: link.appId,
    customer_id: link.stripeCustomerId,
    ...withoutNulls({
      default_payment_method_id: link.stripeDefaultPaymentMethodId,
      labels: link.labels as Record<string, string> | null,
    }),
  }
}

/**
 * Sets what is given: the profile (null: the default one again) and the Stripe customer. What is left out stays. Errors:
 * not_found, validation_failed, stripe_customer_not_found, stripe_payment_method_not_found.
 */
export async function setCustomerBilling(
  deps: ApiDeps,
  customer: CustomerRow,
  { billing_profile: profile, app_data: data }: CustomerBilling,
): Promise<void> {
  // Refused before Stripe is asked; written after Stripe agreed: a request that is refused changes nothing here.
  const needsApp = data?.stripe !== undefined && data.stripe.app_id === undefined
  const isAsked = profile === null ? needsApp : profile !== undefined
  const linked = isAsked ? await profileToLink(deps, profile?.id) : null
  if (data?.stripe !== undefined) {
    // The link is for whoever bills from now on.
    const appId = data.stripe.app_id ?? linked?.appId
    await setStripeData(deps, customer, { ...data.stripe, ...(appId !== undefined && { app_id: appId }) })
  }
  if (profile !== undefined) await pinProfile(deps, customer.id, profile?.id ?? null)
}

/** The profile of this id, without one the default. Errors: not_found, profile_missing. */
async function profileToLink({ db }: ApiDeps, id: string | undefined): Promise<BillingProfileRow> {
  return await db.transaction().execute(async (trx) => await linkedProfile(trx, id))
}

/** The rest of an override stays as it is, and has to go with the profile. */
async function pinProfile(deps: ApiDeps, customerId: string, profileId: string | null): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    const override = await findOverride(trx, customerId)
    if (override === null && profileId === null) return
    const profile = await linkedProfile(trx, profileId ?? undefined)
    const input = { ...documentsOf(override), ...(profileId !== null && { billingProfileId: profileId }) }
    await upsertOverride(trx, customerId, overrideContent(input, profile), deps.now())
  })
}

function documentsOf(override: BillingOverrideRow | null): Omit<OverrideCreate, 'billingProfileId'> {
  const { workflow = null, dunning = null, lateUsage = null, access = null, stripe = null } = override ?? {}
  return withoutNulls({ workflow, dunning, lateUsage, access, stripe }) as Omit<
    OverrideCreate,
    'billingProfileId'
  >
}

/** Without a Stripe customer's id, what is given is of the one that is linked; its payment method stays where none is. */
async function setStripeData(deps: ApiDeps, customer: CustomerRow, data: StripeData): Promise<void> {
  const { app } = await billingApp(deps, customer.id, data.app_id)
  const link = await findCustomerLink(deps.db, customer.id, app.id)
  const stripeCustomerId = data.customer_id ?? link?.stripeCustomerId
  if (stripeCustomerId === undefined) {
    const detail = 'app_data.stripe.customer_id must be given: the customer is not linked yet.'
    throw new DomainError('validation_failed', detail, { field: 'app_data.stripe.customer_id' })
  }
  const stripeDefaultPaymentMethodId = data.default_payment_method_id
  await linkCustomer(deps, customer, [
    {
      type: 'stripe',
      id: app.id,
      stripeCustomerId,
      isWhoIsLinked: data.customer_id === undefined,
      keepsPaymentMethod: stripeDefaultPaymentMethodId === undefined,
      ...withoutNulls({ stripeDefaultPaymentMethodId, labels: data.labels }),
    },
  ])
}
