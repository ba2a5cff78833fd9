import { sql } from 'kysely'
import type { SubjectTime } from '../../domain/subject-holds.ts'
import type { Db } from '../connection.ts'

export interface CustomerSubjects {
  readonly subjects: readonly string[]
  /** The first id that no living customer has. */
  readonly unknown: string | null
}

/** Subject keys whose usage belongs to some customers. */
export async function subjectsOfCustomers(db: Db, customerIds: readonly string[]): Promise<CustomerSubjects> {
  if (customerIds.length === 0) return { subjects: [], unknown: null }
  const rows = await db
    .selectFrom('customers')
    .leftJoin('customerSubjects', (join) =>
      join
        .onRef('customerSubjects.customerId', '=', 'customers.id')
        .on('customerSubjects.deletedAt', 'is', null),
    )
    .select(['customers.id', 'customerSubjects.subjectKey'])
    .where('customers.id', 'in', customerIds)
    .where('customers.deletedAt', 'is', null)
    .execute()
  const known = new Set(rows.map(({ id }) => id))
  return {
    subjects: rows.flatMap(({ subjectKey }) => (subjectKey === null ? [] : [subjectKey])),
    unknown: customerIds.find((id) => !known.has(id)) ?? null,
  }
}

/** When anyone had the subjects that a customer has or had. */
export async function timesOfSubjects(db: Db, customerId: string): Promise<readonly SubjectTime[]> {
  const { rows } = await sql<{ customerId: string; subjectKey: string; from: Date; to: Date | null }>`
    WITH times AS (
      SELECT customer_id, subject_key, created_at, deleted_at FROM customer_subjects
      UNION ALL SELECT customer_id, subject_key, created_at, deleted_at FROM former_customer_subjects
    ) SELECT customer_id, subject_key, created_at AS "from", deleted_at AS "to" FROM times
    WHERE subject_key IN (SELECT subject_key FROM customer_subjects WHERE customer_id = ${customerId})`.execute(
    db,
  )
  return rows.map(({ from, to, ...time }) => ({
    ...time,
    fromMs: from.getTime(),
    toMs: to === null ? null : to.getTime(),
  }))
}
