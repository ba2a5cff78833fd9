import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { Db } from '../connection.ts'
import { json, offsetOf } from '../page.ts'
import type { Ordering, Page, PageRequest } from '../page.ts'
import { rowOf } from '../row-document.ts'
import type { RowDocument } from '../row-document.ts'
import type { Features } from '../types.gen.ts'
import { isUniqueViolation } from '../unique-violation.ts'

export type TextMap = Readonly<Record<string, string>>

export interface Feature extends Omit<Selectable<Features>, 'metadata' | 'meterGroupByFilters'> {
  readonly metadata: Record<string, string> | null
  readonly meterGroupByFilters: Record<string, string> | null
  /** The key of its meter. */
  readonly meterKey: string | null
}

export interface NewFeature {
  readonly id: string
  readonly key: string
  readonly name: string
  readonly metadata: TextMap | null
  readonly meterId: string | null
  readonly meterGroupByFilters: TextMap | null
  readonly now: Date
}

export interface FeatureFilter {
  readonly meterKeys?: readonly string[] | undefined
  readonly includeArchived?: boolean | undefined
}

/** A feature, with the key of its meter, that was read as a document. */
export function featureOfDocument(document: RowDocument): Feature {
  const row = rowOf<Features>(document, { createdAt: true, updatedAt: true, archivedAt: true })
  return row as unknown as Feature
}

function features(db: Db) {
  return db
    .selectFrom('features')
    .leftJoin('meters', 'meters.id', 'features.meterId')
    .selectAll('features')
    .select('meters.key as meterKey')
}

/** Errors: duplicate_key. */
export async function insertFeature(db: Db, feature: NewFeature): Promise<void> {
  const { now, metadata, meterGroupByFilters, ...columns } = feature
  const documents = { metadata: json(metadata), meterGroupByFilters: json(meterGroupByFilters) }
  try {
    await db
      .insertInto('features')
      .values({ ...columns, ...documents, createdAt: now, updatedAt: now })
      .execute()
  } catch (error) {
    if (!isUniqueViolation(error, 'features_key_live')) throw error
    throw new DomainError('duplicate_key', `There is a feature with the key ${feature.key} already.`, {
      field: 'key',
    })
  }
}

/** By id, archived or not, or by the key of one that is not archived. */
export async function findFeature(db: Db, idOrKey: string): Promise<Feature | null> {
  const row = await features(db)
    .where((eb) =>
      eb.or([
        eb('features.id', '=', idOrKey),
        eb.and([eb('features.key', '=', idOrKey), eb('features.archivedAt', 'is', null)]),
      ]),
    )
    .orderBy(sql`features.id = ${idOrKey}`, 'desc')
    .executeTakeFirst()
  return (row as Feature | undefined) ?? null
}

export async function listFeatures(
  db: Db,
  filter: FeatureFilter,
  paging: PageRequest & Ordering<'id' | 'key' | 'name' | 'createdAt' | 'updatedAt'>,
): Promise<Page<Feature>> {
  let query = features(db)
  if (filter.includeArchived !== true) query = query.where('features.archivedAt', 'is', null)
  if (filter.meterKeys !== undefined) query = query.where('meters.key', 'in', [...filter.meterKeys])
  const { count } = await query
    .clearSelect()
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  const rows = await query
    .orderBy(`features.${paging.orderBy}`, paging.order)
    .orderBy('features.id')
    .limit(paging.pageSize)
    .offset(offsetOf(paging))
    .execute()
  return { items: rows as unknown as Feature[], totalCount: Number(count) }
}

/** The features with these keys that are not archived: what plans are checked against. */
export async function findFeaturesByKey(db: Db, keys: readonly string[]): Promise<readonly Feature[]> {
  if (keys.length === 0) return []
  const rows = await features(db)
    .where('features.key', 'in', [...keys])
    .where('features.archivedAt', 'is', null)
    .execute()
  return rows as unknown as Feature[]
}

/** What still bills by this feature: a plan that is not archived, or a subscription that has not ended. */
export async function findFeatureUse(db: Db, featureKey: string, now: Date): Promise<string | null> {
  const uses = sql<boolean>`jsonb_path_exists(phases, '$[*].rateCards[*] ? (@.featureKey == $key)', jsonb_build_object('key', ${featureKey}::text))`
  const plan = await db
    .selectFrom('plans')
    .select(['key', 'version'])
    .where('deletedAt', 'is', null)
    .where((eb) => eb.or([eb('effectiveTo', 'is', null), eb('effectiveTo', '>', now)]))
    .where(uses)
    .limit(1)
    .executeTakeFirst()
  if (plan !== undefined) return `version ${plan.version} of the plan ${plan.key}`
  const subscription = await db
    .selectFrom('subscriptions')
    .select('id')
    .where('deletedAt', 'is', null)
    .where('lifecycle', '!=', 'ended')
    .where(uses)
    .limit(1)
    .executeTakeFirst()
  return subscription === undefined ? null : `the subscription ${subscription.id}`
}

/** Archiving twice keeps the first instant. */
export async function archiveFeature(db: Db, id: string, now: Date): Promise<void> {
  await db
    .updateTable('features')
    .set({ archivedAt: now, updatedAt: now })
    .where('id', '=', id)
    .where('archivedAt', 'is', null)
    .execute()
}
