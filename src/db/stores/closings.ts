import { sql } from 'kysely'
import type { Insertable, Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared, preparedForms } from '../prepared.ts'
import type { TimelineEntry } from './timeline.ts'
import type { Closings, RatedUsage } from '../types.gen.ts'

export type ClosingRow = Selectable<Closings>
export type RatedUsageRow = Selectable<RatedUsage>

/** Inserts the closing; false when this period was closed before: the primary key is what makes it exactly once (rule 29). */
export async function insertClosing(db: Db, closing: Insertable<Closings>): Promise<boolean> {
  return (await insertingClosing(db, closing)).length > 0
}

const insertingClosing = preparedForms((db, closing: Insertable<Closings>) =>
  db
    .insertInto('closings')
    .values(closing)
    .onConflict((oc) => oc.doNothing())
    .returning('subscriptionId')
    .compile(),
)

/**
 * What the closing made: its invoice, what each usage slice has been billed by now, the base of the next difference (rule 9),
 * and what is told of it.
 */
export async function recordBilled(
  db: Db,
  closing: Pick<ClosingRow, 'subscriptionId' | 'periodAt' | 'reason'>,
  { invoiceId, slices, told }: Made,
): Promise<void> {
  const { subscriptionId, periodAt, reason } = closing
  const billed = { subscriptionId, periodAt, reason, invoiceId }
  if (slices.length === 0) await recordingClosed(db, { billed, told })
  else await recording(db, { billed, slices, told })
}

interface Made {
  readonly invoiceId: string
  readonly slices: readonly Insertable<RatedUsage>[]
  readonly told: readonly TimelineEntry[]
}

interface Billed {
  readonly subscriptionId: string
  readonly periodAt: Date
  readonly reason: string
  readonly invoiceId: string
}

const closedWith = (db: Db, { subscriptionId, periodAt, reason, invoiceId }: Billed) =>
  db
    .updateTable('closings')
    .set({ invoiceId })
    .where('subscriptionId', '=', subscriptionId)
    .where('periodAt', '=', periodAt)
    .where('reason', '=', reason)

const recordingClosed = preparedForms(
  (db, { billed, told }: Pick<Made, 'told'> & { readonly billed: Billed }) =>
    db
      .with('closed', () => closedWith(db, billed))
      .insertInto('timeline')
      .values([...told])
      .compile(),
)

const recording = preparedForms(
  (db, { billed, slices, told }: Pick<Made, 'slices' | 'told'> & { readonly billed: Billed }) =>
    db
      .with('closed', () => closedWith(db, billed))
      .with('rated', () =>
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
          ),
      )
      .insertInto('timeline')
      .values([...told])
      .compile(),
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
  'subjectKeys',
  'subscriptionId',
  'updatedAt',
  'usageCutoff',
] as const

/** Whether a fee in advance was billed short because the subscription was to end: the rest would be billed by nobody. */
export async function isFeeCut(db: Db, subscriptionId: string, activeTo: Date): Promise<boolean> {
  const row = await db
    .selectFrom('invoiceLines')
    // Of a closing: on a running invoice nothing is billed yet.
    .innerJoin('closings', 'closings.invoiceId', 'invoiceLines.invoiceId')
    .select('invoiceLines.id')
    .where('closings.subscriptionId', '=', subscriptionId)
    .where('invoiceLines.kind', '=', 'flat')
    .where('invoiceLines.serviceTo', '=', activeTo)
    .where('invoiceLines.fullServiceTo', '>', activeTo)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
