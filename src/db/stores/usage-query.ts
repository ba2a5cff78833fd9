import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { namingFirstTexts } from '../prepared.ts'
import { readUsage } from './usage-reading.ts'
import type { ReadableSeries } from './usage-series.ts'
import type { Cut } from './usage-segments.ts'
import { aggregateOf } from './usage-sql.ts'
import type { UsageScope } from './usage-sql.ts'
import type { UsageMeter } from '../../domain/meters.ts'
import type { SubjectHold } from '../../domain/subject-holds.ts'

/** Which usage is rated: one meter, the subjects of one customer, a half-open interval (billing rule 2). */
export interface UsageRequest {
  readonly meter: UsageMeter
  readonly subjects: readonly string[]
  /** Of subjects that were the customer's only for a part of it: when. */
  readonly holds?: readonly SubjectHold[] | null
  readonly from: Date
  readonly to: Date
  readonly groupByFilters?: Readonly<Record<string, readonly string[]>>
  /** The meter's series, where it was found just now: one that has moved on since is looked for again. */
  readonly series?: ReadableSeries | null
}

export interface UsageQuantity {
  /** Exact decimal text; SUM and COUNT of nothing are '0', the others null (billing rule 11). */
  readonly quantity: string | null
  /** Events that the meter could use. */
  readonly eventCount: number
}

const askQuantity = namingFirstTexts()

const ofAnyLength: Cut = { longest: 1440, since: Number.NEGATIVE_INFINITY }

/** The usage that is visible now. */
export async function usageQuantity(db: Db, request: UsageRequest): Promise<UsageQuantity> {
  return quantityOf(db, request)
}

/**
 * The usage that a cutoff saw (billing rule 8): run later, it recounts to the same number. For a closing, take
 * `currentCutoff` first and count with it: a count without it may see an event that committed in between.
 */
export async function usageQuantityAtCutoff(
  db: Db,
  request: UsageRequest & { readonly cutoff: string },
): Promise<UsageQuantity> {
  return quantityOf(db, request)
}

/** Whether the meter has usage in the interval that a cutoff did not see: late usage (billing rule 9). */
export async function hasLateUsage(
  db: Db,
  request: UsageRequest & { readonly cutoff: string },
): Promise<boolean> {
  const { cutoff, series, ...rest } = request
  const rows = await readUsage(
    db,
    { scope: rest, buckets: ofAnyLength, series },
    ({ unseenBy }) => sql<{ late: boolean }>`SELECT (${unseenBy(cutoff)}) AS late`,
  )
  return rows[0]?.late ?? false
}

/** The database snapshot of this transaction as text: what `usage_cutoff` columns keep (billing rule 8). */
export async function currentCutoff(db: Db): Promise<string> {
  const { rows } = await sql<{ cutoff: string }>`SELECT pg_current_snapshot()::text AS cutoff`.execute(db)
  const cutoff = rows[0]?.cutoff
  if (cutoff === undefined) throw new Error('PostgreSQL gave no snapshot')
  return cutoff
}

async function quantityOf(
  db: Db,
  { series, ...scope }: UsageScope & Pick<UsageRequest, 'series'>,
): Promise<UsageQuantity> {
  const rows = await readUsage(
    db,
    { scope, buckets: ofAnyLength, series, askOfOne: askQuantity },
    (usage) => sql<{ quantity: string | null; events: string }>`
      SELECT ${aggregateOf(scope.meter)} AS quantity, coalesce(sum(n), 0)::text AS events FROM (${usage.rows}) counted`,
  )
  const row = rows[0]
  if (row === undefined) throw new Error('an aggregate without a row')
  return { quantity: row.quantity, eventCount: Number(row.events) }
}
