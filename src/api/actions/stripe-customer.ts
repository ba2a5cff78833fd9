import type { AppRow } from '../../db/stores/apps.ts'
import { findCustomerLink, stripeClockOf } from '../../db/stores/customer-links.ts'
import type { CustomerRow } from '../../db/stores/customers.ts'
import type { CustomerToCreate, StripeCustomerView } from '../../stripe/customer-types.ts'
import type { ApiDeps } from '../deps.ts'
import { withoutNulls } from '../presenters/without-nulls.ts'
import { storeLink } from './customer-links.ts'

interface At {
  readonly app: AppRow
  /** One that the caller named. */
  readonly named: StripeCustomerView | null
}

/**
 * Who a customer is at Stripe: the one named, else the one linked, else a new one. A customer that is linked stays so
 * until the other has a payment method; one that is not, or whose Stripe customer was deleted, is linked now.
 */
export async function stripeCustomerFor(
  deps: ApiDeps,
  customer: CustomerRow,
  { app, named }: At,
): Promise<StripeCustomerView> {
  const link = await findCustomerLink(deps.db, customer.id, app.id)
  const linked = link === null ? null : await deps.stripe.getCustomer(app, link.stripeCustomerId)
  if (linked !== null && !linked.deleted) return named ?? linked
  const there =
    named ?? (await deps.stripe.createCustomer(app, await toCreate(deps, customer, { app, linked })))
  const now = deps.now()
  const made = {
    customerId: customer.id,
    appId: app.id,
    stripeCustomerId: there.id,
    stripeDefaultPaymentMethodId: null,
    stripeTestClockId: there.testClockId,
  }
  const hasPaymentMethod = there.defaultPaymentMethodId !== null
  await deps.db.transaction().execute(async (trx) => await storeLink(trx, made, { now, hasPaymentMethod }))
  return there
}

/** With the address that tax is computed by, on the Stripe test clock of the customer's own. */
async function toCreate(
  deps: ApiDeps,
  customer: CustomerRow,
  { app, linked }: { readonly app: AppRow; readonly linked: StripeCustomerView | null },
): Promise<CustomerToCreate> {
  const { testClockId, primaryEmail, billingAddress } = customer
  const clock = testClockId === null ? null : await stripeClockOf(deps.db, testClockId, app.id)
  const { phoneNumber: _phone, postalCode, ...address } = billingAddress ?? {}
  return {
    customerId: customer.id,
    name: customer.name,
    ...withoutNulls({ email: primaryEmail, testClockId: clock, replaces: linked?.id }),
    ...(billingAddress !== null && {
      address: { ...address, ...(postalCode !== undefined && { postal_code: postalCode }) },
    }),
  }
}
