import { sql } from 'kysely'
import type { Insertable, Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared, preparedForms } from '../prepared.ts'
import type { RowDocument } from '../row-document.ts'
import { aliveSince } from './continuity.ts'
import { lineColumns, linesAsDocuments, lineToSendOf } from './invoice-to-send.ts'
import type { LineToSend } from './invoice-to-send.ts'
import { invoiceColumns } from './invoices.ts'
import type { InvoiceRow } from './invoices.ts'
import { movedSubscription } from './subscriptions.ts'
import type { SubscriptionChange } from './subscriptions.ts'
import type { TimelineEntry } from './timeline.ts'
import type { Closings, InvoiceLines, Invoices, RatedUsage } from '../types.gen.ts'

export type RatedUsageRow = Selectable<RatedUsage>

/** A closing with all that it made. */
export interface NewClosing {
  readonly closing: Insertable<Closings>
  /** Left out where a running invoice became the closing's, or nothing was billed. */
  readonly invoice?: Insertable<Invoices> | undefined
  readonly lines?: readonly Insertable<InvoiceLines>[] | undefined
  /** What each usage slice has been billed by now, the base of the next difference (rule 9). */
  readonly slices?: readonly Insertable<RatedUsage>[] | undefined
  readonly told?: readonly TimelineEntry[] | undefined
  /** How far its subscription is with it, which is locked. */
  readonly moved?: SubscriptionChange | undefined
}

/** An invoice as it was stored, with what Stripe is sent of its lines. */
export interface StoredInvoice {
  readonly invoice: InvoiceRow
  readonly lines: readonly LineToSend[]
  /** Since when nothing of the database was lost; null: that is not known. */
  readonly aliveSince: Date | null
  /** By the database's clock. */
  readonly storedAt: Date
}

/**
 * Writes a closing with all that it made, in one statement, which answers the invoice: who collects it need not ask for it. Null
 * where its period was closed by another since the snapshot was taken: the primary key is what makes it exactly once (rule 29),
 * and the transaction has to be rolled back.
 */
export async function insertClosing(
  db: Db,
  made: NewClosing,
): Promise<{ readonly stored: StoredInvoice | null } | null> {
  const [closed] = await insertingClosing(db, { ...made, ...withoutEmpty(made) })
  if (closed === undefined) return null
  if (made.invoice === undefined) return { stored: null }
  const { lines, aliveSince, storedAt, ...invoice } = closed as InvoiceRow & StoredDocuments
  return { stored: { invoice, lines: lines.map((line) => lineToSendOf(line)), aliveSince, storedAt } }
}

type StoredDocuments = Omit<StoredInvoice, 'invoice' | 'lines'> & { readonly lines: readonly RowDocument[] }

/** An empty list is nothing to insert. */
function withoutEmpty({ lines, slices, told }: NewClosing): Pick<NewClosing, 'lines' | 'slices' | 'told'> {
  return { lines: orNothing(lines), slices: orNothing(slices), told: orNothing(told) }
}

const orNothing = <T>(rows: readonly T[] | undefined): readonly T[] | undefined =>
  rows === undefined || rows.length === 0 ? undefined : rows

const insertingClosing = preparedForms((db, made: NewClosing) => {
  const { closing, invoice, lines, slices, told, moved } = made
  const closed = db
    .insertInto('closings')
    .values(closing)
    .onConflict((oc) => oc.doNothing())
    .returning('subscriptionId')
  const parts = [
    sql`closed AS (${closed})`,
    ...(invoice === undefined
      ? []
      : [sql`made AS (${db.insertInto('invoices').values(invoice).returning(invoiceColumns)})`]),
    ...(lines === undefined ? [] : [sql`listed AS (${listedLines(db, lines)})`]),
    ...(slices === undefined ? [] : [sql`rated AS (${billedSlices(db, slices)})`]),
    ...(moved === undefined ? [] : [sql`moved AS (${movedSubscription(db, moved)})`]),
    ...(told === undefined ? [] : [sql`told AS (${db.insertInto('timeline').values([...told])})`]),
  ]
  const answered =
    invoice === undefined
      ? sql`closed.subscription_id FROM closed`
      : sql`${sql.join(invoiceColumns.map((column) => sql.ref(`made.${column}`)))},
        ${lines === undefined ? sql`'[]'::jsonb` : sql`(SELECT ${linesAsDocuments} FROM listed)`} AS lines,
        ${aliveSince} AS alive_since, now() AS stored_at FROM closed, made`
  return sql`WITH ${sql.join(parts)} SELECT ${answered}`.compile(db)
})

const listedLines = (db: Db, lines: readonly Insertable<InvoiceLines>[]) =>
  db
    .insertInto('invoiceLines')
    .values([...lines])
    .returning(lineColumns)

const billedSlices = (db: Db, slices: readonly Insertable<RatedUsage>[]) =>
  db
    .insertInto('ratedUsage')
    .values([...slices])
    .onConflict((oc) =>
      oc.columns(['subscriptionId', 'lineKey']).doUpdateSet((eb) => ({
        quantity: eb.ref('excluded.quantity'),
        billedMinor: eb.ref('excluded.billedMinor'),
        usageCutoff: eb.ref('excluded.usageCutoff'),
        updatedAt: sql`now()`,
      })),
    )

/** Usage slices that were billed and may still gain late usage: their service period ends in the window. */
export async function ratedUsageSince(
  db: Db,
  subscriptionId: string,
  window: { readonly from: Date; readonly to: Date },
): Promise<readonly RatedUsageRow[]> {
  return await ratedUsageEnding(db, subscriptionId, window.from, window.to)
}

const ratedUsageEnding = prepared((db, subscriptionId: string, from: Date, to: Date) =>
  ratedUsageBetween(db, subscriptionId, from, to).orderBy('serviceFrom').orderBy('lineKey').compile(),
)

/** Nothing where the bounds are null. */
export const ratedUsageBetween = (db: Db, subscriptionId: string, from: Date | null, to: Date | null) =>
  db
    .selectFrom('ratedUsage')
    .select(ratedUsageColumns)
    .where('subscriptionId', '=', subscriptionId)
    .where('serviceTo', '>=', sql<Date>`${from}::timestamptz`)
    .where('serviceTo', '<=', sql<Date>`${to}::timestamptz`)

export const ratedUsageColumns = [
  'billedMinor',
  'featureKey',
  'fullServiceFrom',
  'fullServiceTo',
  'lineKey',
  'phaseKey',
  'quantity',
  'rateCard',
  'serviceFrom',
  'serviceTo',
  'subjectHolds',
  'subjectKeys',
  'subscriptionId',
  'updatedAt',
  'usageCutoff',
] as const

/** Whether a fee in advance was billed short because the subscription was to end: the rest would be billed by nobody. */
export async function isFeeCut(db: Db, subscriptionId: string, activeTo: Date): Promise<boolean> {
  return (await feeCut(db, subscriptionId, activeTo)).length > 0
}

const feeCut = prepared((db, subscriptionId: string, activeTo: Date) =>
  db
    .selectFrom('invoiceLines')
    // Of a closing: on a running invoice nothing is billed yet.
    .innerJoin('closings', 'closings.invoiceId', 'invoiceLines.invoiceId')
    .select('invoiceLines.id')
    .where('closings.subscriptionId', '=', subscriptionId)
    .where('invoiceLines.kind', '=', 'flat')
    .where('invoiceLines.serviceTo', '=', activeTo)
    .where('invoiceLines.fullServiceTo', '>', activeTo)
    .limit(1)
    .compile(),
)
