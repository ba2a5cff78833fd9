import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { CustomerAppRow } from './apps.ts'

/** Who a customer is at one app. */
export async function findCustomerLink(
  db: Db,
  customerId: string,
  appId: string,
): Promise<CustomerAppRow | null> {
  const row = await db
    .selectFrom('customerApps')
    .selectAll()
    .where('customerId', '=', customerId)
    .where('appId', '=', appId)
    .executeTakeFirst()
  return row ?? null
}

/** The same, and nobody changes it until the transaction ends. */
export async function lockCustomerLink(
  trx: Db,
  customerId: string,
  appId: string,
): Promise<CustomerAppRow | null> {
  const row = await trx
    .selectFrom('customerApps')
    .selectAll()
    .where('customerId', '=', customerId)
    .where('appId', '=', appId)
    .forUpdate()
    .executeTakeFirst()
  return row ?? null
}

/** A Stripe customer that is linked at an app and was not deleted there; null: none is. */
export async function someStripeCustomer(db: Db, appId: string): Promise<string | null> {
  const row = await db
    .selectFrom('customerApps')
    .select('stripeCustomerId')
    .where('appId', '=', appId)
    .where('stripeDeletedAt', 'is', null)
    .orderBy('updatedAt', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.stripeCustomerId ?? null
}

/** The Stripe test clock on which the customers of a test clock of ours stand at an app; null: they have none. */
export async function stripeClockOf(db: Db, testClockId: string, appId: string): Promise<string | null> {
  const row = await db
    .selectFrom('customerApps')
    .innerJoin('customers', 'customers.id', 'customerApps.customerId')
    .select('customerApps.stripeTestClockId')
    .where('customers.testClockId', '=', testClockId)
    .where('customerApps.appId', '=', appId)
    .where('customerApps.stripeTestClockId', 'is not', null)
    .orderBy('customerApps.createdAt')
    .limit(1)
    .executeTakeFirst()
  return row?.stripeTestClockId ?? null
}

/** Links that name a payment method which is gone fall back to Stripe's default; whose they are. */
export async function forgetPaymentMethod(
  db: Db,
  of: { readonly appId: string; readonly paymentMethodId: string },
): Promise<readonly string[]> {
  const rows = await db
    .updateTable('customerApps')
    .set({ stripeDefaultPaymentMethodId: null, paymentMethodSetAt: null })
    .where('appId', '=', of.appId)
    .where('stripeDefaultPaymentMethodId', '=', of.paymentMethodId)
    .returning('customerId')
    .execute()
  return rows.map(({ customerId }) => customerId)
}

/** Invoices that could not be issued for want of a Stripe customer. */
export async function invoicesWithoutLink(
  db: Db,
  of: { readonly customerId: string; readonly appId: string },
): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('invoices')
    .select('id')
    .where('customerId', '=', of.customerId)
    .where('appId', '=', of.appId)
    .where('status', '=', 'issuing')
    .where('statusCode', 'in', ['customer_not_linked', 'stripe_customer_deleted'])
    .where('deletedAt', 'is', null)
    .execute()
  return rows.map(({ id }) => id)
}

/** Subscriptions of customers that still run. */
export async function runningSubscriptionsOf(
  db: Db,
  customerIds: readonly string[],
): Promise<readonly { readonly id: string }[]> {
  if (customerIds.length === 0) return []
  return await db
    .selectFrom('subscriptions')
    .select('id')
    .where('customerId', 'in', [...customerIds])
    .where('deletedAt', 'is', null)
    .where('lifecycle', '!=', 'ended')
    .execute()
}

/** The portal's configuration that was made for an app. */
export async function setPortalConfiguration(
  db: Db,
  appId: string,
  portalConfigurationId: string,
): Promise<void> {
  await db.updateTable('apps').set({ portalConfigurationId }).where('id', '=', appId).execute()
}

/**
 * What the links to a Stripe customer name as what is charged (null: Stripe's default), where an invoice waits for another
 * payment method; null when none does.
 */
export async function methodsOfWaiting(
  db: Db,
  of: { readonly appId: string; readonly stripeCustomerId: string },
): Promise<readonly (string | null)[] | null> {
  const rows = await db
    .selectFrom('invoices')
    .leftJoin('customerApps', (join) =>
      join
        .onRef('customerApps.customerId', '=', 'invoices.customerId')
        .onRef('customerApps.appId', '=', 'invoices.appId')
        .onRef('customerApps.stripeCustomerId', '=', 'invoices.stripeCustomerId'),
    )
    .select('customerApps.stripeDefaultPaymentMethodId')
    .where('invoices.appId', '=', of.appId)
    .where('invoices.stripeCustomerId', '=', of.stripeCustomerId)
    .where('invoices.substatus', '=', 'payment_method_needed')
    .execute()
  return rows.length === 0 ? null : rows.map((row) => row.stripeDefaultPaymentMethodId)
}

interface OfStripeCustomer {
  readonly appId: string
  readonly stripeCustomerId: string
}

function linksThatName(db: Db, of: OfStripeCustomer) {
  return db
    .selectFrom('customerApps')
    .select('customerId')
    .where('appId', '=', of.appId)
    .where('stripeCustomerId', '=', of.stripeCustomerId)
    .where('stripeDefaultPaymentMethodId', 'is not', null)
    .where('paymentMethodSetAt', 'is not', null)
}

/** Whether a link to the Stripe customer names the payment method that is charged. */
export async function namesPaymentMethod(db: Db, of: OfStripeCustomer): Promise<boolean> {
  return (await namingLinks(db, of.appId, of.stripeCustomerId)).length > 0
}

const namingLinks = prepared((db, appId: string, stripeCustomerId: string) =>
  linksThatName(db, { appId, stripeCustomerId }).compile(),
)

/**
 * Links that name another payment method name this one from now on. Not where one of them names it already: then naming it
 * here made it the default, for that one. True: one of them changed.
 */
export async function adoptDefault(
  db: Db,
  of: OfStripeCustomer & { readonly paymentMethodId: string; readonly at: Date },
): Promise<boolean> {
  const result = await db
    .updateTable('customerApps')
    .set({ stripeDefaultPaymentMethodId: of.paymentMethodId, paymentMethodSetAt: of.at })
    .where('appId', '=', of.appId)
    .where('customerId', 'in', linksThatName(db, of))
    .where('stripeDefaultPaymentMethodId', '!=', of.paymentMethodId)
    .where((eb) =>
      eb.not(eb.exists(linksThatName(db, of).where('stripeDefaultPaymentMethodId', '=', of.paymentMethodId))),
    )
    .executeTakeFirst()
  return result.numUpdatedRows > 0n
}
