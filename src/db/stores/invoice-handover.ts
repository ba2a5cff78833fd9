import { sql } from 'kysely'
import type { Database, Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import { invoiceColumns } from './invoices.ts'
import type { InvoiceRow } from './invoices.ts'
import { insertOutbox } from './outbox.ts'
import { ACCRUING } from './running-invoices.ts'
import { settledStatuses } from '../../domain/invoice-state.ts'
import type { InvoiceStatus } from '../../domain/invoice-state.ts'

/** Invoices that the subscription's own step is collecting: not settled, and without a workflow. */
export async function inlineInvoices(db: Db, subscriptionId: string): Promise<readonly InvoiceRow[]> {
  return await inlineOf(db, subscriptionId)
}

const inlineOf = prepared((db, subscriptionId: string) =>
  db
    .selectFrom('invoices')
    .select(invoiceColumns)
    .where('subscriptionId', '=', subscriptionId)
    .where(isInlineSql)
    .orderBy('closingAt')
    .compile(),
)

/** Whether a step of the subscription has an invoice to look after: one that still runs, or one to collect. */
export async function hasInvoiceInHand(db: Db, subscriptionId: string): Promise<boolean> {
  return (await inHandOf(db, subscriptionId)).length > 0
}

const inHandOf = prepared((db, subscriptionId: string) =>
  db
    .selectFrom('invoices')
    .select('id')
    .where('subscriptionId', '=', subscriptionId)
    .where('status', 'not in', settledStatuses)
    .where((eb) => eb.or([eb('hasWorkflow', '=', false), eb('substatus', '=', ACCRUING)]))
    .limit(1)
    .compile(),
)

/** Which those are. One that still runs is not collected yet. */
export const isInlineSql = sql<boolean>`(not has_workflow and substatus is distinct from ${sql.lit(ACCRUING)}
  and status not in (${sql.join(settledStatuses.map((status) => sql.lit(status)))}))`

/** Whether a row is one of those. */
export const isInline = ({ hasWorkflow, status, substatus }: InvoiceRow): boolean =>
  !hasWorkflow && substatus !== ACCRUING && !settledStatuses.includes(status as InvoiceStatus)

/** Gives the invoice a workflow of its own: the mark and the request to start it are one transaction. */
export async function handOver(db: Database, invoiceId: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const marked = await trx
      .updateTable('invoices')
      .set((eb) => ({ hasWorkflow: true, version: eb('version', '+', 1) }))
      .where('id', '=', invoiceId)
      .where('hasWorkflow', '=', false)
      .executeTakeFirst()
    if (marked.numUpdatedRows === 1n) await insertOutbox(trx, { kind: 'start_invoice', subjectId: invoiceId })
  })
}
