import type { Feature as FeatureRow } from '../../db/stores/features.ts'
import type { Feature } from '../schemas/features.ts'
import { instant, withoutNulls } from './without-nulls.ts'

/** A feature in the contract's words; its filters in both of the contract's forms. */
export function presentFeature(row: FeatureRow): Feature {
  const filters = row.meterGroupByFilters
  const advanced =
    filters === null
      ? null
      : Object.fromEntries(Object.entries(filters).map(([key, value]) => [key, { $eq: value }]))
  return withoutNulls({
    id: row.id,
    key: row.key,
    name: row.name,
    metadata: row.metadata,
    meterSlug: row.meterKey,
    meterGroupByFilters: filters,
    advancedMeterGroupByFilters: advanced,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    archivedAt: instant(row.archivedAt),
  })
}
