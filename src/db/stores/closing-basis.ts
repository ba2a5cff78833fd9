import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import { featureMeterOf, metersOfFeatures } from './billing-settings.ts'
import type { FeatureMeterRow } from './billing-settings.ts'
import { ratedUsageBetween, ratedUsageColumns } from './closings.ts'
import type { RatedUsageRow } from './closings.ts'
import { carriedBalanceOf } from './ledger.ts'

export interface ClosingBasis {
  /** The snapshot of the transaction as text, which `usage_cutoff` columns keep (billing rule 8). */
  readonly cutoff: string
  /** What is carried to the closing (rule 21). */
  readonly carriedInMinor: bigint
  /** Slices that were billed before, and may have gained late usage (rule 9). */
  readonly billed: readonly RatedUsageRow[]
  /** What counts the features asked for, and those of the slices. */
  readonly meters: readonly FeatureMeterRow[]
}

interface BasisRequest {
  readonly subscription: { readonly id: string; readonly currency: string }
  readonly featureKeys: readonly string[]
  /** The service periods that end in it are looked at again, both ends included; null: none are. */
  readonly lateWindow: { readonly from: Date; readonly to: Date } | null
}

/** What a closing is planned from besides its subscription and how that is billed, in one question. */
export async function closingBasis(
  db: Db,
  { subscription, featureKeys, lateWindow }: BasisRequest,
): Promise<ClosingBasis> {
  const { id, currency } = subscription
  const rows = await basisOfClosing(
    db,
    id,
    currency,
    featureKeys,
    lateWindow?.from ?? null,
    lateWindow?.to ?? null,
  )
  const [first] = rows
  if (first === undefined) throw new Error('an aggregate without a row')
  return {
    cutoff: first.cutoff,
    carriedInMinor: BigInt(first.balance),
    billed: rows.flatMap(({ cutoff: _cutoff, balance: _balance, meters: _meters, ...slice }) =>
      slice.lineKey === null ? [] : [slice as RatedUsageRow],
    ),
    meters: first.meters.map((document) => featureMeterOf(document)),
  }
}

const basisOfClosing = prepared(
  (
    db,
    subscriptionId: string,
    currency: string,
    featureKeys: readonly string[],
    from: Date | null,
    to: Date | null,
  ) =>
    db
      .with('billed', () => ratedUsageBetween(db, subscriptionId, from, to))
      .selectFrom(carriedBalanceOf(db, subscriptionId, currency).as('carried'))
      .leftJoin('billed', (join) => join.onTrue())
      .select([
        'carried.balance',
        sql<string>`pg_current_snapshot()::text`.as('cutoff'),
        metersOfFeatures(sql`${featureKeys}::text[] || array(select feature_key from billed)`).as('meters'),
      ])
      .select(ratedUsageColumns.map((column) => `billed.${column}` as const))
      .orderBy('billed.serviceFrom')
      .orderBy('billed.lineKey')
      .compile(),
)
