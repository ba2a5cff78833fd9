import type { MeterRow } from '../../db/stores/meters.ts'
import type { Meter } from '../schemas/meters.ts'
import { instant, withoutNulls } from './without-nulls.ts'

/** A meter in the contract's words: our key is its slug, which is also its name where it has none. */
export function presentMeter(row: MeterRow): Meter {
  return withoutNulls({
    id: row.id,
    slug: row.key,
    name: row.name ?? row.key,
    description: row.description,
    metadata: row.metadata,
    aggregation: row.aggregation,
    eventType: row.eventType,
    eventFrom: instant(row.eventFrom),
    valueProperty: row.valueProperty,
    groupBy: row.groupBy,
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    deletedAt: instant(row.deletedAt),
  })
}
