import type { Selectable } from 'kysely'
import type { Db } from '../connection.ts'
import type { StripePlanMappings } from '../types.gen.ts'

/** Which plan a price at Stripe stands for, when a subscription is made there. */
export type PlanMappingRow = Selectable<StripePlanMappings>

export interface PlanMapping {
  readonly stripePriceId: string
  readonly planKey: string
  /** null: the version that is active when a subscription is imported. */
  readonly planVersion: number | null
}

/** All mappings of an app, by price. */
export async function listPlanMappings(db: Db, appId: string): Promise<readonly PlanMappingRow[]> {
  return await db
    .selectFrom('stripePlanMappings')
    .selectAll()
    .where('appId', '=', appId)
    .orderBy('stripePriceId')
    .execute()
}

export async function upsertPlanMapping(
  db: Db,
  appId: string,
  mapping: PlanMapping,
  now: Date,
): Promise<PlanMappingRow> {
  const { planKey, planVersion } = mapping
  return await db
    .insertInto('stripePlanMappings')
    .values({ ...mapping, appId, createdAt: now, updatedAt: now })
    .onConflict((oc) =>
      oc.columns(['appId', 'stripePriceId']).doUpdateSet({ planKey, planVersion, updatedAt: now }),
    )
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** False when there was no such mapping. */
export async function deletePlanMapping(db: Db, appId: string, stripePriceId: string): Promise<boolean> {
  const result = await db
    .deleteFrom('stripePlanMappings')
    .where('appId', '=', appId)
    .where('stripePriceId', '=', stripePriceId)
    .executeTakeFirst()
  return result.numDeletedRows > 0n
}

/** In a transaction of the caller. */
export async function deletePlanMappingsExcept(
  db: Db,
  appId: string,
  kept: readonly string[],
): Promise<void> {
  let query = db.deleteFrom('stripePlanMappings').where('appId', '=', appId)
  if (kept.length > 0) query = query.where('stripePriceId', 'not in', [...kept])
  await query.execute()
}
