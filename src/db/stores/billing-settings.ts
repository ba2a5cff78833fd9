import { sql } from 'kysely'
import type { RawBuilder, Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import { rowOf } from '../row-document.ts'
import type { DocumentsOf, RowDocument } from '../row-document.ts'
import type {
  Apps,
  BillingOverrides,
  BillingProfiles,
  CustomerApps,
  Customers,
  Features,
  Meters,
  Subscriptions,
} from '../types.gen.ts'
import { storedAppColumns } from './stripe-app-columns.ts'
import { subscriptionColumns } from './subscriptions.ts'
import type { SubscriptionRow } from './subscriptions.ts'
import { seriesOfMeter } from './usage-series.ts'
import type { ReadableSeries } from './usage-series.ts'

/** The rows that decide how a customer is billed; null where there is none. */
export interface BillingRows {
  readonly customer: Selectable<Customers>
  readonly override: Selectable<BillingOverrides> | null
  /** The override's, else the default one; with its app, and who the customer is there. */
  readonly profile: Selectable<BillingProfiles> | null
  readonly app: Selectable<Apps> | null
  readonly link: Selectable<CustomerApps> | null
  readonly subjectKeys: readonly string[]
}

/** Everything that decides how a customer is billed, in one question: every closing asks it. */
export async function billingRows(db: Db, customerId: string): Promise<BillingRows | null> {
  const [found] = await ofCustomer(db, customerId)
  return found === undefined ? null : rowsOf(found)
}

/** The same with a subscription that was not deleted, of whose customer it is asked: every preview asks it. */
export async function subscriptionBillingRows(
  db: Db,
  subscriptionId: string,
): Promise<{ readonly subscription: SubscriptionRow; readonly billing: BillingRows } | null> {
  const [found] = await ofSubscription(db, subscriptionId)
  if (found === undefined) return null
  return {
    subscription: rowOf<Subscriptions>(found.subscription, subscriptionInstants),
    billing: rowsOf(found),
  }
}

/** The same with the subscription whose step asks, locked until the transaction ends: two runs of one step do not interleave. */
export async function lockedSubscriptionBilling(
  db: Db,
  subscriptionId: string,
): Promise<{ readonly subscription: SubscriptionRow; readonly billing: BillingRows } | null> {
  const [found] = await ofLocked(db, subscriptionId)
  if (found === undefined) return null
  const { customer, override, profile, app, link, subjectKeys, ...subscription } = found
  return { subscription, billing: rowsOf({ customer, override, profile, app, link, subjectKeys }) }
}

type BillingDocuments = DocumentsOf<BillingRows>

function rowsOf(found: BillingDocuments): BillingRows {
  return {
    customer: rowOf<Customers>(found.customer, { ...stamps, deletedAt: true }),
    override: found.override && rowOf<BillingOverrides>(found.override, stamps),
    profile: found.profile && rowOf<BillingProfiles>(found.profile, { ...stamps, deletedAt: true }),
    app: found.app && rowOf<Apps>(found.app, appInstants),
    link: found.link && rowOf<CustomerApps>(found.link, linkInstants),
    subjectKeys: found.subjectKeys,
  }
}

const documents = sql`
  to_jsonb(c) AS customer, to_jsonb(o) AS override, to_jsonb(p) AS profile, to_jsonb(a) AS app, to_jsonb(l) AS link,
    ARRAY(SELECT s.subject_key FROM customer_subjects s WHERE s.customer_id = c.id AND s.deleted_at IS NULL
      ORDER BY s.subject_key) AS subject_keys`
const billingOfCustomer = sql`
  LEFT JOIN billing_overrides o ON o.customer_id = c.id
  LEFT JOIN billing_profiles p ON p.deleted_at IS NULL AND p.id = coalesce(o.billing_profile_id,
    (SELECT id FROM billing_profiles WHERE is_default AND deleted_at IS NULL))
  LEFT JOIN apps a ON a.id = p.app_id
  LEFT JOIN customer_apps l ON l.customer_id = c.id AND l.app_id = a.id`

const ofCustomer = prepared((db, customerId: string) =>
  sql<BillingDocuments>`
    SELECT ${documents} FROM customers c ${billingOfCustomer} WHERE c.id = ${customerId}`.compile(db),
)

const ofSubscription = prepared((db, subscriptionId: string) =>
  sql<BillingDocuments & { readonly subscription: RowDocument }>`
    SELECT to_jsonb(sub) AS subscription, ${documents}
    FROM subscriptions sub JOIN customers c ON c.id = sub.customer_id ${billingOfCustomer}
    WHERE sub.id = ${subscriptionId} AND sub.deleted_at IS NULL`.compile(db),
)

const ofLocked = prepared((db, subscriptionId: string) =>
  sql<BillingDocuments & SubscriptionRow>`
    SELECT ${sql.join(subscriptionColumns.map((column) => sql.ref(`sub.${column}`)))}, ${documents}
    FROM subscriptions sub JOIN customers c ON c.id = sub.customer_id ${billingOfCustomer}
    WHERE sub.id = ${subscriptionId} FOR UPDATE OF sub`.compile(db),
)

const stamps = { createdAt: true, updatedAt: true } as const
const linkInstants = { ...stamps, paymentMethodSetAt: true, stripeDeletedAt: true } as const
const appInstants = {
  ...stamps,
  deletedAt: true,
  reconciledAt: true,
  webhookCheckedAt: true,
  webhookSecretPreviousUntil: true,
} as const

const subscriptionInstants = {
  ...stamps,
  deletedAt: true,
  activeFrom: true,
  activeTo: true,
  billingAnchor: true,
  closedThrough: true,
  nextClosingAt: true,
  nextDueAt: true,
} as const

/** The app of a profile, and who the customer is there. */
export async function appAndLink(db: Db, appId: string, customerId: string): Promise<LinkedApp> {
  const [found] = await linkedApp(db, appId, customerId)
  if (found === undefined) throw new Error(`there is no app ${appId}`)
  const { link, ...app } = found
  return { app, link: linkOf(link) }
}

export interface LinkedApp {
  readonly app: StoredAppRow
  readonly link: Selectable<CustomerApps> | null
}

/** A link that was read as a document. */
export const linkOf = (link: RowDocument | null): LinkedApp['link'] =>
  link && rowOf<CustomerApps>(link, linkInstants)

const linkedApp = prepared((db, appId: string, customerId: string) =>
  ofLinkedApp(db, appId, customerId).compile(),
)

/** The question for both, for others to ask more with. */
export const ofLinkedApp = (db: Db, appId: string, customerId: string) =>
  db
    .selectFrom('apps')
    .leftJoin('customerApps', (join) =>
      join.onRef('customerApps.appId', '=', 'apps.id').on('customerApps.customerId', '=', customerId),
    )
    .select(storedAppColumns.map((column) => `apps.${column}` as const))
    .select(sql<RowDocument | null>`to_jsonb(customer_apps)`.as('link'))
    .where('apps.id', '=', appId)

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
export async function storedApp(db: Db, appId: string): Promise<StoredAppRow> {
  const [app] = await appOfId(db, appId)
  if (app === undefined) throw new Error(`there is no app ${appId}`)
  return app
}

type StoredAppRow = Pick<Selectable<Apps>, (typeof storedAppColumns)[number]>

const appOfId = prepared((db, appId: string) =>
  db.selectFrom('apps').select(storedAppColumns).where('id', '=', appId).compile(),
)

/** Features with the meters that count them; an archived feature comes before the living one of its key. */
export async function featureMeters(
  db: Db,
  featureKeys: readonly string[],
): Promise<readonly FeatureMeterRow[]> {
  const [found] = await metersOf(db, featureKeys)
  return (found?.meters ?? []).map((document) => featureMeterOf(document))
}

export type FeatureMeterRow = Pick<Selectable<Features>, 'meterGroupByFilters'> &
  Pick<Selectable<Meters>, 'eventType' | 'eventFrom' | 'aggregation' | 'valueProperty' | 'groupBy'> & {
    readonly featureKey: string
    /** Where its rollups are; null where it has none. */
    readonly series: ReadableSeries | null
  }

/** The same as a value of another question. */
export function metersOfFeatures(featureKeys: RawBuilder<unknown>) {
  return sql<readonly RowDocument[]>`(
    select coalesce(jsonb_agg(jsonb_build_object('feature_key', features.key,
      'meter_group_by_filters', features.meter_group_by_filters, 'event_type', meters.event_type,
      'event_from', meters.event_from, 'aggregation', meters.aggregation, 'value_property', meters.value_property,
      'group_by', meters.group_by, 'series', ${seriesOfMeter}) order by features.archived_at nulls last), '[]')
    from features join meters on meters.id = features.meter_id where features.key = any(${featureKeys}))`
}

export function featureMeterOf(document: RowDocument): FeatureMeterRow {
  return rowOf<FeatureMeterRow>(document, { eventFrom: true })
}

const metersOf = prepared((db, featureKeys: readonly string[]) =>
  sql<{ readonly meters: readonly RowDocument[] }>`
    select ${metersOfFeatures(sql`${featureKeys}::text[]`)} as meters`.compile(db),
)
