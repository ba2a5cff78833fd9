import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { RowDocument } from '../row-document.ts'
import { featureOfDocument } from './features.ts'
import type { Feature } from './features.ts'
import type { Customers, Timeline } from '../types.gen.ts'
import { subscriptionColumns } from './subscriptions.ts'
import type { SubscriptionRow } from './subscriptions.ts'

export type TimelineRow = Selectable<Timeline>
export type CustomerRow = Selectable<Customers>

/** A living customer, by id or by key. */
export async function findCustomerByIdOrKey(
  db: Db,
  by: { readonly id: string } | { readonly key: string } | { readonly idOrKey: string },
): Promise<CustomerRow | undefined> {
  const living = db.selectFrom('customers').selectAll().where('deletedAt', 'is', null)
  if ('id' in by) return await living.where('id', '=', by.id).executeTakeFirst()
  if ('key' in by) return await living.where('key', '=', by.key).executeTakeFirst()
  const { idOrKey } = by
  return await living
    .where((eb) => eb.or([eb('id', '=', idOrKey), eb('key', '=', idOrKey)]))
    .executeTakeFirst()
}

export interface SubscriptionQuery {
  readonly customerIds?: readonly string[] | undefined
  readonly lifecycles?: readonly string[] | undefined
  readonly page: number
  readonly pageSize: number
  readonly order: 'ASC' | 'DESC'
  readonly orderBy: 'activeFrom' | 'activeTo' | 'createdAt'
}

/** A subscription that was not deleted. */
export async function findSubscription(db: Db, id: string): Promise<SubscriptionRow | undefined> {
  return (await livingSubscription(db, id))[0]
}

const livingSubscription = prepared((db, id: string) =>
  db
    .selectFrom('subscriptions')
    .select(subscriptionColumns)
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .compile(),
)

export interface SubscriptionView {
  readonly row: SubscriptionRow
  /** Where the customer's test clock stands; null in real time. */
  readonly frozenTime: Date | null
  /** Those that its rate cards name and that are not archived. */
  readonly features: readonly Feature[]
}

/** A subscription that was not deleted, with what an answer about it needs besides. */
export async function viewSubscription(db: Db, id: string): Promise<SubscriptionView | undefined> {
  const [found] = await viewedSubscription(db, id)
  if (found === undefined) return undefined
  // The row as it was found: a copy of its thirty columns without the other two costs more than to have them in it.
  return { row: found, frozenTime: found.frozenTime, features: found.features.map(featureOfDocument) }
}

const featuresOfRateCards = sql<readonly RowDocument[]>`(
  select coalesce(jsonb_agg(to_jsonb(f) || jsonb_build_object('meter_key', m.key)), '[]') from features f
  left join meters m on m.id = f.meter_id
  where f.archived_at is null and f.key in (
    select key #>> '{}' from jsonb_path_query(subscriptions.phases, '$[*].rateCards[*].featureKey') key))`.as(
  'features',
)

const viewedSubscription = prepared((db, id: string) =>
  db
    .selectFrom('subscriptions')
    .innerJoin('customers', 'customers.id', 'subscriptions.customerId')
    .leftJoin('testClocks', 'testClocks.id', 'customers.testClockId')
    .select(subscriptionColumns.map((column) => `subscriptions.${column}` as const))
    .select(['testClocks.frozenTime', featuresOfRateCards])
    .where('subscriptions.id', '=', id)
    .where('subscriptions.deletedAt', 'is', null)
    .compile(),
)

/** A subscription that something is asked of, with what decides whether it may be. */
export interface CommandedSubscription {
  readonly row: SubscriptionRow
  /** Where the customer's test clock stands; null in real time. */
  readonly frozenTime: Date | null
  /** Carried out already, under this request id. */
  readonly isRepeat: boolean
}

/** A subscription that was not deleted, and whether it was asked for this before: as one moment shows both. */
export async function commandedSubscription(
  db: Db,
  asked: { readonly id: string; readonly requestId: string },
): Promise<CommandedSubscription | undefined> {
  const [found] = await commanded(db, asked.id, asked.requestId)
  if (found === undefined) return undefined
  const { frozenTime, isRepeat, ...row } = found
  return { row, frozenTime, isRepeat }
}

const commanded = prepared((db, id: string, requestId: string) =>
  db
    .selectFrom('subscriptions')
    .innerJoin('customers', 'customers.id', 'subscriptions.customerId')
    .leftJoin('testClocks', 'testClocks.id', 'customers.testClockId')
    .select(subscriptionColumns.map((column) => `subscriptions.${column}` as const))
    .select('testClocks.frozenTime')
    .select(
      sql<boolean>`exists (select from subscription_commands accepted
        where accepted.subscription_id = subscriptions.id and accepted.request_id = ${requestId})`.as(
        'isRepeat',
      ),
    )
    .where('subscriptions.id', '=', id)
    .where('subscriptions.deletedAt', 'is', null)
    .compile(),
)

/** One page of the subscriptions that match, and how many there are in all. */
export async function listSubscriptions(
  db: Db,
  query: SubscriptionQuery,
): Promise<{ readonly rows: readonly SubscriptionRow[]; readonly totalCount: number }> {
  const direction = query.order === 'ASC' ? 'asc' : 'desc'
  let matching = db.selectFrom('subscriptions').where('deletedAt', 'is', null)
  if (query.customerIds !== undefined) matching = matching.where('customerId', 'in', [...query.customerIds])
  if (query.lifecycles !== undefined) matching = matching.where('lifecycle', 'in', [...query.lifecycles])
  const [count, rows] = await Promise.all([
    matching.select((eb) => eb.fn.countAll<string>().as('count')).executeTakeFirstOrThrow(),
    matching
      .selectAll()
      .orderBy(query.orderBy, direction)
      .orderBy('id', direction)
      .limit(query.pageSize)
      .offset((query.page - 1) * query.pageSize)
      .execute(),
  ])
  return { rows, totalCount: Number(count.count) }
}

/** What happened to a subscription or an invoice, oldest first. */
export async function listTimeline(
  db: Db,
  subject: { readonly type: 'subscription' | 'invoice'; readonly id: string },
): Promise<readonly TimelineRow[]> {
  return await db
    .selectFrom('timeline')
    .selectAll()
    .where('subjectType', '=', subject.type)
    .where('subjectId', '=', subject.id)
    .orderBy('id')
    .execute()
}
