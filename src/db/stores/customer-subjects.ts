import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { frozenTimeOf } from './billing-settings.ts'

/**
 * Gives a customer these subjects and no others, from now on: where the test clock stands, or `realNow`. Usage counts for who had
 * its subject when it happened (billing rule 8), so that the times before are kept. In a transaction of the caller. Fails as a
 * unique violation where another customer has one of them.
 */
export async function setSubjects(
  db: Db,
  customerId: string,
  subjectKeys: readonly string[],
  realNow: Date,
): Promise<void> {
  const now = (await frozenTimeOf(db, customerId)) ?? realNow
  await drop(db, { customerId, kept: subjectKeys, now })
  if (subjectKeys.length === 0) return
  await keepFormerTimes(db, customerId, subjectKeys)
  await add(db, { customerId, subjectKeys, now })
}

async function drop(
  db: Db,
  {
    customerId,
    kept,
    now,
  }: { readonly customerId: string; readonly kept: readonly string[]; readonly now: Date },
): Promise<void> {
  let query = db
    .updateTable('customerSubjects')
    .set({ deletedAt: now })
    .where('customerId', '=', customerId)
    .where('deletedAt', 'is', null)
  if (kept.length > 0) query = query.where('subjectKey', 'not in', [...kept])
  await query.execute()
}

/** The last time that the customer had each of those that it gets again. */
async function keepFormerTimes(db: Db, customerId: string, subjectKeys: readonly string[]): Promise<void> {
  await db
    .insertInto('formerCustomerSubjects')
    .columns(['customerId', 'subjectKey', 'createdAt', 'deletedAt'])
    .expression((eb) =>
      eb
        .selectFrom('customerSubjects')
        .select(['customerId', 'subjectKey', 'createdAt', eb.ref('deletedAt').$notNull().as('deletedAt')])
        .where('customerId', '=', customerId)
        .where('deletedAt', 'is not', null)
        .where('subjectKey', 'in', [...subjectKeys]),
    )
    .execute()
}

async function add(
  db: Db,
  {
    customerId,
    subjectKeys,
    now,
  }: { readonly customerId: string; readonly subjectKeys: readonly string[]; readonly now: Date },
): Promise<void> {
  const rows = [...new Set(subjectKeys)].map((subjectKey) => ({ customerId, subjectKey, createdAt: now }))
  await db
    .insertInto('customerSubjects')
    .values(rows)
    .onConflict((oc) =>
      oc.columns(['customerId', 'subjectKey']).doUpdateSet({
        deletedAt: null,
        createdAt: sql`CASE WHEN customer_subjects.deleted_at IS NULL
          THEN customer_subjects.created_at ELSE excluded.created_at END`,
      }),
    )
    .execute()
}
