import type { Db } from '../db/connection.ts'
import { featureMeters } from '../db/stores/billing-settings.ts'
import type { FeatureMeterRow } from '../db/stores/billing-settings.ts'
import { hasLateUsage, usageQuantity } from '../db/stores/usage-query.ts'
import { Decimal } from '../domain/decimal.ts'
import { DomainError } from '../domain/errors.ts'
import type { Aggregation, UsageMeter } from '../domain/meters.ts'
import type { BillableItem } from '../domain/schedule.ts'
import type { SliceSubjects } from '../domain/subject-holds.ts'

interface FeatureMeter {
  readonly meter: UsageMeter
  readonly groupByFilters: Readonly<Record<string, readonly string[]>>
  readonly series: FeatureMeterRow['series']
}

/** By feature key: the meter that counts it, and which of its groups. */
export type UsageMeters = ReadonlyMap<string, FeatureMeter>

/** Loads what counts the given features. A feature that was archived meanwhile still bills what was sold. */
export async function usageMeters(db: Db, featureKeys: readonly string[]): Promise<UsageMeters> {
  if (featureKeys.length === 0) return new Map()
  return metersByFeature(await featureMeters(db, featureKeys))
}

/** The living feature comes last and wins over an archived one of the same key. */
export function metersByFeature(rows: readonly FeatureMeterRow[]): UsageMeters {
  return new Map(rows.map((row) => [row.featureKey, featureMeter(row)]))
}

function featureMeter(row: FeatureMeterRow): FeatureMeter {
  const filters = (row.meterGroupByFilters ?? {}) as Record<string, string | readonly string[]>
  return {
    meter: {
      eventType: row.eventType,
      eventFrom: row.eventFrom,
      aggregation: row.aggregation as Aggregation,
      valueProperty: row.valueProperty,
      groupBy: row.groupBy as Record<string, string>,
    },
    groupByFilters: Object.fromEntries(
      Object.entries(filters).map(([key, value]) => [key, typeof value === 'string' ? [value] : value]),
    ),
    series: row.series,
  }
}

interface MeteringContext {
  readonly meters: UsageMeters
  /** Whose usage counts: of a slice that was rated before, the subjects it was rated with. */
  readonly whose: SliceSubjects
}

/** The quantity of an item's service period that is visible now; null where no event is no value (rule 11). */
export async function meterQuantity(
  db: Db,
  context: MeteringContext,
  item: BillableItem,
): Promise<Decimal | null>
/** The same, only if something is visible that the cutoff did not see. */
export async function meterQuantity(
  db: Db,
  context: MeteringContext & { readonly unseenBy: string },
  item: BillableItem,
): Promise<Decimal | null | 'nothing_new'>
export async function meterQuantity(
  db: Db,
  context: MeteringContext & { readonly unseenBy?: string },
  item: BillableItem,
): Promise<Decimal | null | 'nothing_new'> {
  const found = item.featureKey === null ? undefined : context.meters.get(item.featureKey)
  if (!found) {
    throw new DomainError(
      'not_found',
      `feature ${item.featureKey ?? '(none)'} of rate card ${item.rateCard.key} has no meter`,
    )
  }
  const request = {
    meter: found.meter,
    subjects: context.whose.subjectKeys,
    holds: context.whose.subjectHolds,
    from: new Date(item.service.from),
    to: new Date(item.service.to),
    groupByFilters: found.groupByFilters,
    series: found.series,
  }
  if (context.unseenBy !== undefined && !(await hasLateUsage(db, { ...request, cutoff: context.unseenBy }))) {
    return 'nothing_new'
  }
  const { quantity } = await usageQuantity(db, request)
  return quantity === null ? null : new Decimal(quantity)
}
