import { settledStatuses } from '../../domain/invoice-state.ts'
import type { Db } from '../connection.ts'

/** Something that needs an app. */
export interface AppUse {
  readonly kind: 'billing_profile' | 'customer_link' | 'invoice'
  readonly id: string
  readonly name: string
}

const SHOWN = 20

/** What still needs it, at most twenty of each: billing profiles, invoices that are not settled, linked customers. */
export async function findAppUses(db: Db, id: string): Promise<readonly AppUse[]> {
  const profiles = await db
    .selectFrom('billingProfiles')
    .select(['id', 'name'])
    .where('appId', '=', id)
    .where('deletedAt', 'is', null)
    .orderBy('id')
    .limit(SHOWN)
    .execute()
  const invoices = await db
    .selectFrom('invoices')
    .select(['id', 'number', 'draftNumber'])
    .where('appId', '=', id)
    .where('deletedAt', 'is', null)
    .where('status', 'not in', settledStatuses)
    .orderBy('id')
    .limit(SHOWN)
    .execute()
  return [
    ...profiles.map((profile) => ({ kind: 'billing_profile' as const, ...profile })),
    ...invoices.map((row) => ({ kind: 'invoice' as const, id: row.id, name: row.number ?? row.draftNumber })),
    ...(await linksInUse(db, id)),
  ]
}

/** Customers who are linked: with the app, who they are at Stripe would be forgotten. */
async function linksInUse(db: Db, appId: string): Promise<readonly AppUse[]> {
  const links = await db
    .selectFrom('customerApps')
    .innerJoin('customers', 'customers.id', 'customerApps.customerId')
    .select(['customers.id', 'customers.name'])
    .distinct()
    .where('customerApps.appId', '=', appId)
    .where('customers.deletedAt', 'is', null)
    .orderBy('customers.id')
    .limit(SHOWN)
    .execute()
  return links.map((link) => ({ kind: 'customer_link' as const, ...link }))
}
