import type { Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import { json, offsetOf } from '../page.ts'
import type { Page, PageRequest } from '../page.ts'
import { prepared } from '../prepared.ts'
import type { AccessRequests } from '../types.gen.ts'

export type AccessRequestStatus = 'pending' | 'granted' | 'withdrawn'
export type AccessRequestRow = Omit<Selectable<AccessRequests>, 'status' | 'metadata'> & {
  readonly status: AccessRequestStatus
  readonly metadata: Record<string, string> | null
}

const asRequest = (row: unknown): AccessRequestRow => row as AccessRequestRow

export interface NewAccessRequest {
  readonly id: string
  readonly customerId: string
  readonly subscriptionId: string | null
  readonly featureKey: string | null
  readonly requestedAt: Date
  readonly metadata: Readonly<Record<string, string>> | null
}

/** Pending: whether it is granted is decided after. */
export async function insertAccessRequest(db: Db, request: NewAccessRequest): Promise<AccessRequestRow> {
  return asRequest(
    await db
      .insertInto('accessRequests')
      .values({ ...request, status: 'pending', metadata: json(request.metadata) })
      .returningAll()
      .executeTakeFirstOrThrow(),
  )
}

interface RequestKey {
  readonly customerId: string
  readonly id: string
}

export async function findAccessRequest(
  db: Db,
  { customerId, id }: RequestKey,
): Promise<AccessRequestRow | null> {
  const row = await db
    .selectFrom('accessRequests')
    .selectAll()
    .where('customerId', '=', customerId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row === undefined ? null : asRequest(row)
}

export async function pendingAccessRequests(
  db: Db,
  customerId: string,
): Promise<readonly AccessRequestRow[]> {
  return (await pendingOf(db, customerId)).map(asRequest)
}

const requestColumns = [
  'customerId',
  'featureKey',
  'grantedAt',
  'id',
  'metadata',
  'requestedAt',
  'status',
  'subscriptionId',
  'updatedAt',
] as const

const pendingOf = prepared((db, customerId: string) =>
  db
    .selectFrom('accessRequests')
    .select(requestColumns)
    .where('customerId', '=', customerId)
    .where('status', '=', 'pending')
    .orderBy('id')
    .compile(),
)

/** Only what is pending is granted or withdrawn. */
export async function settleAccessRequests(
  db: Db,
  ids: readonly string[],
  change: { readonly status: 'granted' | 'withdrawn'; readonly grantedAt?: Date },
): Promise<readonly AccessRequestRow[]> {
  if (ids.length === 0) return []
  const rows = await db
    .updateTable('accessRequests')
    .set({ ...change, updatedAt: new Date() })
    .where('id', 'in', [...ids])
    .where('status', '=', 'pending')
    .returningAll()
    .execute()
  return rows.map(asRequest)
}

/** Removes a request that is pending beside as many others as there may be. */
export async function deleteIfBeyond(
  db: Db,
  { customerId, id, limit }: RequestKey & { readonly limit: number },
): Promise<void> {
  const others = db
    .selectFrom('accessRequests as other')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('other.customerId', '=', customerId)
    .where('other.status', '=', 'pending')
    .where('other.id', '!=', id)
  await db
    .deleteFrom('accessRequests')
    .where('customerId', '=', customerId)
    .where('id', '=', id)
    .where('status', '=', 'pending')
    .where(others, '>=', String(limit))
    .execute()
}

export async function listAccessRequests(
  db: Db,
  filter: { readonly customerId: string; readonly statuses?: readonly AccessRequestStatus[] | undefined },
  paging: PageRequest,
): Promise<Page<AccessRequestRow>> {
  let query = db.selectFrom('accessRequests').where('customerId', '=', filter.customerId)
  if (filter.statuses) query = query.where('status', 'in', [...filter.statuses])
  const { count } = await query.select((eb) => eb.fn.countAll<string>().as('count')).executeTakeFirstOrThrow()
  const rows = await query.selectAll().orderBy('id').limit(paging.pageSize).offset(offsetOf(paging)).execute()
  return { items: rows.map(asRequest), totalCount: Number(count) }
}
