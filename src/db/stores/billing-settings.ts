import type { Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import type { Apps, BillingOverrides, BillingProfiles, CustomerApps, Customers } from '../types.gen.ts'
import { storedAppColumns } from './stripe-app-columns.ts'

/** The rows that decide how a customer is billed; undefined where there is none. */
export interface BillingRows {
  readonly customer: Selectable<Customers> | undefined
  readonly override: Selectable<BillingOverrides> | undefined
  readonly profile: Selectable<BillingProfiles> | undefined
  readonly subjectKeys: readonly string[]
}

/** The customer with their override and the profile that applies: the override's, else the default one. */
export async function billingRows(db: Db, customerId: string): Promise<BillingRows> {
  const customer = await db
    .selectFrom('customers')
    .selectAll()
    .where('id', '=', customerId)
    .executeTakeFirst()
  const override = await db
    .selectFrom('billingOverrides')
    .selectAll()
    .where('customerId', '=', customerId)
    .executeTakeFirst()
  const profile = await db
    .selectFrom('billingProfiles')
    .selectAll()
    .where('deletedAt', 'is', null)
    .where((eb) =>
      override?.billingProfileId ? eb('id', '=', override.billingProfileId) : eb('isDefault', '=', true),
    )
    .executeTakeFirst()
  const subjects = await db
    .selectFrom('customerSubjects')
    .select('subjectKey')
    .where('customerId', '=', customerId)
    .where('deletedAt', 'is', null)
    .orderBy('subjectKey')
    .execute()
  return { customer, override, profile, subjectKeys: subjects.map((subject) => subject.subjectKey) }
}

/** The app of a profile, and who the customer is there. */
export async function appAndLink(
  db: Db,
  appId: string,
  customerId: string,
): Promise<{ readonly app: Selectable<Apps>; readonly link: Selectable<CustomerApps> | null }> {
  const app = await db.selectFrom('apps').selectAll().where('id', '=', appId).executeTakeFirstOrThrow()
  const link = await db
    .selectFrom('customerApps')
    .selectAll()
    .where('customerId', '=', customerId)
    .where('appId', '=', appId)
    .executeTakeFirst()
  return { app, link: link ?? null }
}

/** Where a customer's test clock stands; null for a customer in real time. */
export async function frozenTimeOf(db: Db, customerId: string): Promise<Date | null> {
  const row = await db
    .selectFrom('customers')
    .innerJoin('testClocks', 'testClocks.id', 'customers.testClockId')
    .select('testClocks.frozenTime')
    .where('customers.id', '=', customerId)
    .executeTakeFirst()
  return row?.frozenTime ?? null
}

/** What src/stripe needs of an installed app. */
export async function storedApp(db: Db, appId: string) {
  return await db
    .selectFrom('apps')
    .select(storedAppColumns)
    .where('id', '=', appId)
    .executeTakeFirstOrThrow()
}

/** Features with the meters that count them; an archived feature comes before the living one of its key. */
export async function featureMeters(db: Db, featureKeys: readonly string[]) {
  return await db
    .selectFrom('features')
    .innerJoin('meters', 'meters.id', 'features.meterId')
    .selectAll('meters')
    .select(['features.key as featureKey', 'features.meterGroupByFilters'])
    .where('features.key', 'in', [...new Set(featureKeys)])
    .orderBy('features.archivedAt', (order) => order.asc().nullsLast())
    .execute()
}
