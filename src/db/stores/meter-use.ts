import type { Db } from '../connection.ts'

export interface LostFilter {
  readonly featureKey: string
  readonly groupByKey: string
}

/** A living feature's filter by a group-by key that is not among `keys`, or null: it would match nothing. */
export async function lostFilters(
  db: Db,
  meterId: string,
  keys: readonly string[],
): Promise<LostFilter | null> {
  const features = await db
    .selectFrom('features')
    .select(['key', 'meterGroupByFilters'])
    .where('meterId', '=', meterId)
    .where('archivedAt', 'is', null)
    .execute()
  for (const { key, meterGroupByFilters } of features) {
    const groupByKey = Object.keys(meterGroupByFilters ?? {}).find((name) => !keys.includes(name))
    if (groupByKey !== undefined) return { featureKey: key, groupByKey }
  }
  return null
}
