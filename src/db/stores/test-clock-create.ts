import type { Selectable, Transaction } from 'kysely'
import type { Db } from '../connection.ts'
import type { DB, TestClocks } from '../types.gen.ts'
import { insertOutbox } from './outbox.ts'

export type TestClockRow = Selectable<TestClocks>

/** Inserts a test clock and the request to start its workflow, in one transaction. */
export async function insertTestClock(
  trx: Transaction<DB>,
  clock: { readonly id: string; readonly name: string; readonly frozenTime: Date },
): Promise<TestClockRow> {
  const row = await trx.insertInto('testClocks').values(clock).returningAll().executeTakeFirstOrThrow()
  await insertOutbox(trx, { kind: 'start_test_clock', subjectId: row.id })
  return row
}

/** A test clock that was not deleted. */
export async function findTestClock(db: Db, id: string): Promise<TestClockRow | undefined> {
  return await db
    .selectFrom('testClocks')
    .selectAll()
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .executeTakeFirst()
}

/** The same, held until the transaction ends: no customer is attached to it and no advance begins meanwhile. */
export async function lockTestClock(trx: Transaction<DB>, id: string): Promise<TestClockRow | undefined> {
  const clock = trx.selectFrom('testClocks').selectAll().where('id', '=', id)
  return await clock.where('deletedAt', 'is', null).forUpdate().executeTakeFirst()
}

/** One page of the test clocks, newest first, and how many there are in all. */
export async function listTestClocks(
  db: Db,
  page: { readonly page: number; readonly pageSize: number },
): Promise<{ readonly rows: readonly TestClockRow[]; readonly totalCount: number }> {
  const living = db.selectFrom('testClocks').where('deletedAt', 'is', null)
  const [count, rows] = await Promise.all([
    living.select((eb) => eb.fn.countAll<string>().as('count')).executeTakeFirstOrThrow(),
    living
      .selectAll()
      .orderBy('createdAt', 'desc')
      .orderBy('id', 'desc')
      .limit(page.pageSize)
      .offset((page.page - 1) * page.pageSize)
      .execute(),
  ])
  return { rows, totalCount: Number(count.count) }
}

/**
 * Takes a clock that stands still from `ready` (or a failed advance) to `advancing`; undefined when another advance
 * got there first. The condition is in the update, so two callers at once cannot both win.
 */
export async function beginAdvance(db: Db, id: string, targetTime: Date): Promise<TestClockRow | undefined> {
  return await db
    .updateTable('testClocks')
    .set({ status: 'advancing', statusReason: null, targetTime, updatedAt: new Date() })
    .where('id', '=', id)
    .where('status', '!=', 'advancing')
    .where('deletedAt', 'is', null)
    .where('frozenTime', '<=', targetTime)
    .returningAll()
    .executeTakeFirst()
}

/** How many living customers take their time from the clock. */
export async function countCustomersOnClock(db: Db, id: string): Promise<number> {
  const row = await db
    .selectFrom('customers')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('testClockId', '=', id)
    .where('deletedAt', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

/** Marks a clock as deleted. */
export async function deleteTestClock(db: Db, id: string, at: Date): Promise<void> {
  await db.updateTable('testClocks').set({ deletedAt: at, updatedAt: at }).where('id', '=', id).execute()
}
