import { sql } from 'kysely'
import type { RawBuilder } from 'kysely'
import { assertNever } from '../../domain/errors.ts'
import type { Db } from '../connection.ts'
import { ACCRUING } from './running-invoices.ts'
import { appsWithEvents, storedAppColumns } from './stripe-app-columns.ts'
import { unsettled } from './unsettled.ts'

export interface Page {
  /** The last id of the page before; null: the first page. */
  readonly after: string | null
  readonly limit: number
}

/** Subscriptions whose workflow has something to come; a page of ids, in order. */
export async function livingSubscriptions(db: Db, { after, limit }: Page): Promise<readonly string[]> {
  const rows = await living(db)
    .select('id')
    .where('id', '>', after ?? '')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

function living(db: Db) {
  return (
    db
      .selectFrom('subscriptions')
      .where((eb) => eb.or([eb('nextDueAt', 'is not', null), eb('lifecycle', '!=', 'ended')]))
      // Canceled before it began: it never has anything to do.
      .where((eb) => eb.or([eb('activeTo', 'is', null), eb('activeTo', '>', eb.ref('activeFrom'))]))
  )
}

/**
 * Invoices with a workflow of their own that something is still to be done about (`unsettled`); a page of ids, in order. Each
 * kind as its index is written, so that it is used.
 */
export async function waitingInvoices(db: Db, page: Page): Promise<readonly string[]> {
  const waiting = sql<boolean>`status NOT IN ('paid', 'voided', 'uncollectible')`
  const writtenOff = sql<boolean>`status = 'uncollectible' AND next_due_at IS NOT NULL`
  const rows = await db
    .selectFrom(
      withWorkflow(db, waiting, page)
        .unionAll(withWorkflow(db, writtenOff, page))
        .as('either'),
    )
    .select('id')
    .orderBy('id')
    .limit(page.limit)
    .execute()
  return rows.map(({ id }) => id)
}

const withWorkflow = (db: Db, isUnsettled: RawBuilder<boolean>, { after, limit }: Page) =>
  db
    .selectFrom((eb) =>
      eb
        .selectFrom('invoices')
        .select('id')
        .where(isUnsettled)
        .where('hasWorkflow', '=', true)
        .where('id', '>', after ?? '')
        .orderBy('id')
        .limit(limit)
        .as('page'),
    )
    .select('id')

/** Test clocks on their way; a page of ids, in order. */
export async function advancingClocks(db: Db, { after, limit }: Page): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('testClocks')
    .select('id')
    .where('status', '=', 'advancing')
    .where('deletedAt', 'is', null)
    .where('id', '>', after ?? '')
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

/** Something of a customer in real time that was due before the instant, and is not done. */
export interface Overdue {
  readonly kind: 'subscription' | 'invoice' | 'inline_invoice'
  readonly id: string
  readonly dueAt: Date
}

/** What is due and not done, the oldest first. Customers on a test clock are their clock's to move. */
export async function overdueSubjects(db: Db, before: Date, limit: number): Promise<readonly Overdue[]> {
  const subscriptions = await db
    .selectFrom('subscriptions')
    .innerJoin('customers', 'customers.id', 'subscriptions.customerId')
    .select(['subscriptions.id', 'subscriptions.nextDueAt'])
    .where('subscriptions.nextDueAt', '<', before)
    .where('subscriptions.lifecycle', '!=', 'parked')
    .where('customers.testClockId', 'is', null)
    .orderBy('subscriptions.nextDueAt')
    .limit(limit)
    .execute()
  const invoices = await db
    .selectFrom('invoices')
    .innerJoin('customers', 'customers.id', 'invoices.customerId')
    .select(['invoices.id', 'invoices.nextDueAt', 'invoices.hasWorkflow'])
    .where('invoices.nextDueAt', '<', before)
    .where(unsettled)
    // Its period is open: it is its subscription's.
    .where('invoices.substatus', 'is distinct from', ACCRUING)
    .where('customers.testClockId', 'is', null)
    .orderBy('invoices.nextDueAt')
    .limit(limit)
    .execute()
  return [
    ...subscriptions.map(({ id, nextDueAt }) => ({
      kind: 'subscription' as const,
      id,
      dueAt: nextDueAt ?? before,
    })),
    ...invoices.map(({ id, nextDueAt, hasWorkflow }) => ({
      kind: hasWorkflow ? ('invoice' as const) : ('inline_invoice' as const),
      id,
      dueAt: nextDueAt ?? before,
    })),
  ]
}

export type SubjectKind = 'subscription' | 'invoice' | 'test_clock'

/** Of these ids, those that have a living row, or one that ended after the instant: its workflow may be ending too. */
export async function knownSubjects(
  db: Db,
  kind: SubjectKind,
  { ids, endedAfter }: { readonly ids: readonly string[]; readonly endedAfter: Date },
): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const rows = await livingAmong(db, kind, { ids, endedAfter })
  return new Set(rows.map(({ id }) => id))
}

type Ids = { readonly ids: readonly string[]; readonly endedAfter: Date }

async function livingAmong(
  db: Db,
  kind: SubjectKind,
  { ids, endedAfter }: Ids,
): Promise<readonly { readonly id: string }[]> {
  switch (kind) {
    case 'subscription':
      return await db
        .selectFrom('subscriptions')
        .select('id')
        .where('id', 'in', ids)
        .where((eb) =>
          eb.or([
            eb('nextDueAt', 'is not', null),
            eb('lifecycle', '!=', 'ended'),
            eb('updatedAt', '>', endedAfter),
          ]),
        )
        .execute()
    case 'invoice':
      return await db
        .selectFrom('invoices')
        .select('id')
        .where('id', 'in', ids)
        .where((eb) => eb.or([unsettled, eb('updatedAt', '>', endedAfter)]))
        .execute()
    case 'test_clock':
      return await db
        .selectFrom('testClocks')
        .select('id')
        .where('id', 'in', ids)
        .where((eb) => eb.or([eb('deletedAt', 'is', null), eb('deletedAt', '>', endedAfter)]))
        .execute()
    default:
      return assertNever(kind)
  }
}

/** Installed Stripe accounts whose events come by webhook and may be read; those that are polled are read anyway. */
export async function reconciledApps(db: Db, { lookedBefore }: { readonly lookedBefore: Date }) {
  return await appsWithEvents(db)
    .select([...storedAppColumns, 'reconciledEvent', 'reconciledAt'])
    .where('webhookEndpointId', 'is not', null)
    .where('pollsEvents', '=', false)
    .where((eb) => eb.or([eb('reconciledAt', 'is', null), eb('reconciledAt', '<=', lookedBefore)]))
    .orderBy('id')
    .execute()
}

/** How far the app's events were read; `isDone`: all that Stripe has by now. */
export async function setReconciledEvent(
  db: Db,
  appId: string,
  read: { readonly event: string | null; readonly at: Date; readonly isDone: boolean },
): Promise<void> {
  await db
    .updateTable('apps')
    .set({ reconciledEvent: read.event, ...(read.isDone && { reconciledAt: read.at }) })
    .where('id', '=', appId)
    .execute()
}

/** Of these invoice ids, those that are here. */
export async function invoicesHere(db: Db, ids: readonly string[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set()
  const rows = await db.selectFrom('invoices').select('id').where('id', 'in', ids).execute()
  return new Set(rows.map(({ id }) => id))
}
