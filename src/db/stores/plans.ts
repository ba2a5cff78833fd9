import { sql } from 'kysely'
import type { ExpressionBuilder, Selectable } from 'kysely'
import type { AccessGate } from '../../domain/access.ts'
import type { Phase } from '../../domain/rate-card.ts'
import { DomainError } from '../../domain/errors.ts'
import type { Db } from '../connection.ts'
import { json, offsetOf } from '../page.ts'
import type { Ordering, Page, PageRequest } from '../page.ts'
import type { DB, Plans } from '../types.gen.ts'
import { isUniqueViolation } from '../unique-violation.ts'

/** A version of a plan. Without `effectiveFrom` it is a draft; a published version's prices never change (billing rule 23). */
export interface PlanRow extends Omit<Selectable<Plans>, 'metadata' | 'phases' | 'accessGate'> {
  readonly metadata: Record<string, string> | null
  readonly phases: readonly Phase[]
  readonly accessGate: AccessGate | null
}

/** What an update of a draft replaces. */
export interface PlanContent {
  readonly name: string
  readonly description: string | null
  readonly metadata: Readonly<Record<string, string>> | null
  readonly billingCadence: string
  readonly proRatingEnabled: boolean
  readonly phases: readonly Phase[]
  /** Null: the profile's. */
  readonly accessGate: AccessGate | null
}

export interface NewPlan extends PlanContent {
  readonly id: string
  readonly key: string
  readonly currency: string
  readonly now: Date
}

export type StoredPlanStatus = 'draft' | 'active' | 'archived' | 'scheduled'

/** What a version is at an instant; half-open, as every interval (billing rule 2). */
export function planStatus(
  { effectiveFrom, effectiveTo }: Pick<PlanRow, 'effectiveFrom' | 'effectiveTo'>,
  now: Date,
): StoredPlanStatus {
  if (effectiveFrom === null) return 'draft'
  if (effectiveTo !== null && effectiveTo <= now) return 'archived'
  return effectiveFrom > now ? 'scheduled' : 'active'
}

const asPlan = (row: unknown): PlanRow => row as PlanRow

const documents = (content: PlanContent) => ({
  ...content,
  metadata: json(content.metadata),
  phases: JSON.stringify(content.phases),
})

/** The next version of the key, as a draft. Errors: conflict (the key has a draft already). */
export async function insertPlanDraft(db: Db, { now, ...plan }: NewPlan): Promise<PlanRow> {
  const { latest } = await db
    .selectFrom('plans')
    .select((eb) => eb.fn.max('version').as('latest'))
    .where('key', '=', plan.key)
    .executeTakeFirstOrThrow()
  const version = (latest ?? 0) + 1
  try {
    const row = {
      ...documents(plan),
      id: plan.id,
      key: plan.key,
      currency: plan.currency,
      version,
      createdAt: now,
      updatedAt: now,
    }
    return asPlan(await db.insertInto('plans').values(row).returningAll().executeTakeFirstOrThrow())
  } catch (error) {
    if (!isUniqueViolation(error, 'plans_draft') && !isUniqueViolation(error, 'plans_version_live'))
      throw error
    throw new DomainError(
      'duplicate_key',
      `The plan ${plan.key} has a draft already: change or publish that one.`,
      { field: 'key' },
    )
  }
}

export async function findPlan(db: Db, id: string): Promise<PlanRow | null> {
  const row = await db.selectFrom('plans').selectAll().where('id', '=', id).executeTakeFirst()
  return row === undefined ? null : asPlan(row)
}

/** All versions of a key that were not deleted, the newest first. */
export async function findPlanVersions(db: Db, key: string): Promise<readonly PlanRow[]> {
  const rows = await db
    .selectFrom('plans')
    .selectAll()
    .where('key', '=', key)
    .where('deletedAt', 'is', null)
    .orderBy('version', 'desc')
    .execute()
  return rows.map(asPlan)
}

/** The same, locked until the transaction ends: publishing decides over all versions of a key. */
export async function lockPlanVersions(db: Db, key: string): Promise<readonly PlanRow[]> {
  const rows = await db
    .selectFrom('plans')
    .selectAll()
    .where('key', '=', key)
    .where('deletedAt', 'is', null)
    .orderBy('version', 'desc')
    .forUpdate()
    .execute()
  return rows.map(asPlan)
}

/** Replaces a draft; null when it is no draft any more. */
export async function replacePlanDraft(
  db: Db,
  id: string,
  content: PlanContent,
  now: Date,
): Promise<PlanRow | null> {
  const row = await db
    .updateTable('plans')
    .set({ ...documents(content), updatedAt: now })
    .where('id', '=', id)
    .where('deletedAt', 'is', null)
    .where('effectiveFrom', 'is', null)
    .returningAll()
    .executeTakeFirst()
  return row === undefined ? null : asPlan(row)
}

export interface EffectivePeriod {
  readonly effectiveFrom?: Date
  readonly effectiveTo?: Date | null
}

export async function setPlanEffective(
  db: Db,
  id: string,
  period: EffectivePeriod,
  now: Date,
): Promise<PlanRow> {
  return asPlan(
    await db
      .updateTable('plans')
      .set({ ...period, updatedAt: now })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow(),
  )
}

export async function deletePlan(db: Db, id: string, now: Date): Promise<void> {
  await db.updateTable('plans').set({ deletedAt: now, updatedAt: now }).where('id', '=', id).execute()
}

export interface PlanFilter {
  readonly includeDeleted: boolean
  readonly ids?: readonly string[] | undefined
  readonly keys?: readonly string[] | undefined
  /** Versions by key. */
  readonly keyVersions?: Readonly<Record<string, readonly number[]>> | undefined
  readonly statuses?: readonly StoredPlanStatus[] | undefined
  readonly currencies?: readonly string[] | undefined
  readonly now: Date
}

function hasStatus(eb: ExpressionBuilder<DB, 'plans'>, status: StoredPlanStatus, now: Date) {
  const ended = eb('effectiveTo', '<=', now)
  const notEnded = eb.or([eb('effectiveTo', 'is', null), eb('effectiveTo', '>', now)])
  switch (status) {
    case 'draft':
      return eb('effectiveFrom', 'is', null)
    case 'archived':
      return eb.and([eb('effectiveFrom', 'is not', null), ended])
    case 'scheduled':
      return eb.and([eb('effectiveFrom', '>', now), notEnded])
    case 'active':
      return eb.and([eb('effectiveFrom', '<=', now), notEnded])
  }
}

export async function listPlans(
  db: Db,
  filter: PlanFilter,
  paging: PageRequest & Ordering<'id' | 'key' | 'version' | 'createdAt' | 'updatedAt'>,
): Promise<Page<PlanRow>> {
  const { ids, keys, keyVersions, statuses, currencies } = filter
  let query = db.selectFrom('plans')
  if (!filter.includeDeleted) query = query.where('deletedAt', 'is', null)
  if (ids) query = query.where('id', 'in', [...ids])
  if (keys) query = query.where('key', 'in', [...keys])
  if (currencies) query = query.where('currency', 'in', [...currencies])
  if (statuses)
    query = query.where((eb) => eb.or(statuses.map((status) => hasStatus(eb, status, filter.now))))
  if (keyVersions) {
    query = query.where((eb) =>
      eb.or(
        Object.entries(keyVersions).map(([key, versions]) =>
          eb.and([eb('key', '=', key), eb('version', 'in', [...versions])]),
        ),
      ),
    )
  }
  const { count } = await query.select(sql<string>`count(*)`.as('count')).executeTakeFirstOrThrow()
  const rows = await query
    .selectAll()
    .orderBy(paging.orderBy, paging.order)
    .orderBy('id')
    .limit(paging.pageSize)
    .offset(offsetOf(paging))
    .execute()
  return { items: rows.map(asPlan), totalCount: Number(count) }
}
