import type { Db } from '../connection.ts'
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
    .where('statusCode', '=', 'customer_not_linked')
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
