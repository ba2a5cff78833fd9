import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import type { Outbox } from '../types.gen.ts'

export type OutboxRow = Selectable<Outbox>
export type OutboxKind =
  | 'start_subscription'
  | 'start_invoice'
  | 'start_test_clock'
  | 'invoice_outcome'
  | 'end_subscription'
  | 'customer_linked'
  | 'customer_changed'

/** Asks for something to be started or sent once this transaction has committed. */
export async function insertOutbox(
  db: Db,
  entry: { readonly kind: OutboxKind; readonly subjectId: string; readonly payload?: object },
): Promise<void> {
  await db
    .insertInto('outbox')
    .values({ kind: entry.kind, subjectId: entry.subjectId, payload: JSON.stringify(entry.payload ?? {}) })
    .execute()
}

/** Whether a row is due: asked without a transaction around it, for mostly there is none. */
export async function hasDueOutbox(db: Db): Promise<boolean> {
  return (await due(db)).length > 0
}

const due = prepared((db) =>
  db
    .selectFrom('outbox')
    .select('id')
    .where('doneAt', 'is', null)
    .where('nextAttemptAt', '<=', sql<Date>`now()`)
    .limit(1)
    .compile(),
)

/** Takes up to `limit` due rows for the transaction's length; other relays skip them. */
export async function takeOutbox(db: Db, limit: number): Promise<readonly OutboxRow[]> {
  return await db
    .selectFrom('outbox')
    .selectAll()
    .where('doneAt', 'is', null)
    .where('nextAttemptAt', '<=', sql<Date>`now()`)
    .orderBy('id')
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute()
}

export async function completeOutbox(db: Db, id: string): Promise<void> {
  await db
    .updateTable('outbox')
    .set({ doneAt: sql`now()`, lastError: null })
    .where('id', '=', id)
    .execute()
}

/** Leaves the row for later, with its reason. */
export async function deferOutbox(
  db: Db,
  id: string,
  after: { readonly delayMs: number; readonly error: string },
): Promise<void> {
  await db
    .updateTable('outbox')
    .set((eb) => ({
      attempts: eb('attempts', '+', 1),
      lastError: after.error,
      nextAttemptAt: sql`now() + ${after.delayMs} * interval '1 millisecond'`,
    }))
    .where('id', '=', id)
    .execute()
}
