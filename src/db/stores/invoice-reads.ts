import { sql } from 'kysely'
import type { Expression, SqlBool } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { InvoiceLineRow, InvoiceRow } from './invoices.ts'

/** Filters of a list of invoices; bounds of time are inclusive, as the contract has them. */
export interface InvoiceFilter {
  readonly statuses?: readonly string[] | undefined
  /** `status.substatus`, or a status alone for an invoice without a finer state. */
  readonly extendedStatuses?: readonly string[] | undefined
  readonly customers?: readonly string[] | undefined
  /** Numbers that invoices were issued under; a draft has none yet. */
  readonly numbers?: readonly string[] | undefined
  readonly subscriptionId?: string | undefined
  readonly issuedAfter?: Date | undefined
  readonly issuedBefore?: Date | undefined
  readonly createdAfter?: Date | undefined
  readonly createdBefore?: Date | undefined
  readonly periodStartAfter?: Date | undefined
  readonly periodStartBefore?: Date | undefined
  readonly includeDeleted?: boolean | undefined
}

type InvoiceOrder = 'customer.name' | 'issuedAt' | 'status' | 'createdAt' | 'updatedAt' | 'periodStart'

export interface InvoicePageQuery {
  readonly page: number
  readonly pageSize: number
  readonly order: 'ASC' | 'DESC'
  readonly orderBy: InvoiceOrder
}

/** What may be null comes last, either way; said of the others too, it would keep an index from being used. */
const orderColumns = {
  'customer.name': sql`customer_snapshot ->> 'name'`,
  issuedAt: sql.ref('issuedAt'),
  status: sql.ref('status'),
  createdAt: sql.ref('createdAt'),
  updatedAt: sql.ref('updatedAt'),
  periodStart: sql.ref('periodFrom'),
} as const

const mayBeNull: ReadonlySet<InvoiceOrder> = new Set<InvoiceOrder>(['customer.name', 'issuedAt'])

/** An invoice that was not deleted. */
export async function findInvoice(db: Db, id: string): Promise<InvoiceRow | undefined> {
  return await db
    .selectFrom('invoices')
    .selectAll()
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .executeTakeFirst()
}

/** The invoice of the subscription's last closing. */
export async function latestInvoice(db: Db, subscriptionId: string): Promise<InvoiceRow | undefined> {
  return await db
    .selectFrom('invoices')
    .selectAll()
    .where('subscriptionId', '=', subscriptionId)
    .where('deletedAt', 'is', null)
    .orderBy('closingAt', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/** One page of the invoices that match, and how many there are in all. */
export async function listInvoices(
  db: Db,
  filter: InvoiceFilter,
  page: InvoicePageQuery,
): Promise<{ readonly rows: readonly InvoiceRow[]; readonly totalCount: number }> {
  const matching = db.selectFrom('invoices').where((eb) => eb.and(conditions(filter)))
  const direction = page.order === 'ASC' ? 'asc' : 'desc'
  const [count, rows] = await Promise.all([
    matching.select((eb) => eb.fn.countAll<string>().as('count')).executeTakeFirstOrThrow(),
    matching
      .selectAll()
      .orderBy(orderColumns[page.orderBy], (order) =>
        mayBeNull.has(page.orderBy) ? order[direction]().nullsLast() : order[direction](),
      )
      .orderBy('id', direction)
      .limit(page.pageSize)
      .offset((page.page - 1) * page.pageSize)
      .execute(),
  ])
  return { rows, totalCount: Number(count.count) }
}

function conditions(filter: InvoiceFilter): readonly Expression<SqlBool>[] {
  const all: Expression<SqlBool>[] = []
  const oneOf = (column: string, values: readonly string[] | undefined) => {
    if (values !== undefined) all.push(sql<SqlBool>`${sql.ref(column)} = any(${[...values]}::text[])`)
  }
  const bound = (column: string, operator: '>=' | '<=', at: Date | undefined) => {
    if (at !== undefined) all.push(sql<SqlBool>`${sql.ref(column)} ${sql.raw(operator)} ${at}`)
  }
  oneOf('status', filter.statuses)
  oneOf('customerId', filter.customers)
  oneOf('number', filter.numbers)
  oneOf('subscriptionId', filter.subscriptionId === undefined ? undefined : [filter.subscriptionId])
  if (filter.extendedStatuses !== undefined) {
    all.push(sql<SqlBool>`concat_ws('.', status, substatus) = any(${[...filter.extendedStatuses]}::text[])`)
  }
  bound('issuedAt', '>=', filter.issuedAfter)
  bound('issuedAt', '<=', filter.issuedBefore)
  bound('createdAt', '>=', filter.createdAfter)
  bound('createdAt', '<=', filter.createdBefore)
  bound('periodFrom', '>=', filter.periodStartAfter)
  bound('periodFrom', '<=', filter.periodStartBefore)
  if (filter.includeDeleted !== true) all.push(sql<SqlBool>`deleted_at is null`)
  return all
}

/** What is said of lines without showing them, for each invoice that has any. */
export async function sumsOfLines(
  db: Db,
  invoiceIds: readonly string[],
): Promise<readonly { invoiceId: string; count: number; chargesMinor: bigint }[]> {
  if (invoiceIds.length === 0) return []
  const rows = await summedLines(db, invoiceIds)
  return rows.map(({ invoiceId, count, chargesMinor }) => ({
    invoiceId,
    count: Number(count),
    chargesMinor: BigInt(chargesMinor),
  }))
}

const summedLines = prepared((db, invoiceIds: readonly string[]) => {
  const charges = sql<string>`coalesce(sum((
    select sum((detail ->> 'amountMinor')::bigint) from jsonb_array_elements(details) detail
    where detail ->> 'category' = 'commitment')), 0)::text`
  return db
    .selectFrom('invoiceLines')
    .select(['invoiceId', (eb) => eb.fn.countAll<string>().as('count'), charges.as('chargesMinor')])
    .where('invoiceId', '=', sql<string>`any(${invoiceIds}::text[])`)
    .groupBy('invoiceId')
    .compile()
})

/** The lines of some invoices, in their order on each. */
export async function linesOfInvoices(
  db: Db,
  invoiceIds: readonly string[],
): Promise<ReadonlyMap<string, readonly InvoiceLineRow[]>> {
  if (invoiceIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('invoiceLines')
    .selectAll()
    .where('invoiceId', 'in', [...invoiceIds])
    .orderBy('invoiceId')
    .orderBy('position')
    .execute()
  const grouped = new Map<string, InvoiceLineRow[]>(invoiceIds.map((id) => [id, []]))
  for (const row of rows) grouped.get(row.invoiceId)?.push(row)
  return grouped
}
