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
