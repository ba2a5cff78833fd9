import { sql } from 'kysely'
import type { Db } from '../connection.ts'
import { prepared } from '../prepared.ts'
import { featureMeterOf, metersOfFeatures } from './billing-settings.ts'
import type { FeatureMeterRow } from './billing-settings.ts'
import { ratedUsageBetween, ratedUsageColumns } from './closings.ts'
import type { RatedUsageRow } from './closings.ts'
import { isInlineSql } from './invoice-handover.ts'
import { carriedBalanceOf } from './ledger.ts'
import { ACCRUING } from './running-invoices.ts'

export interface ClosingBasis {
  /** The snapshot of the transaction as text, which `usage_cutoff` columns keep (billing rule 8). */
  readonly cutoff: string
  /** What is carried to the closing (rule 21). */
  readonly carriedInMinor: bigint
  /** Slices that were billed before, and may have gained late usage (rule 9). */
  readonly billed: readonly RatedUsageRow[]
  /** What counts the features asked for, and those of the slices. */
  readonly meters: readonly FeatureMeterRow[]
  readonly present: PresentRows
}

/** What a closing finds there: mostly nothing, and then none of it is asked for again. */
export interface PresentRows {
  /** The closing itself, of an earlier run (billing rule 29). */
  readonly isClosed: boolean
  /** Closings in the day that ends with this one (billing rule 33). */
  readonly closingsInLastDay: number
  readonly hasRunningInvoice: boolean
  /** An invoice under the id that the closing's would have. */
  readonly isIdTaken: boolean
  readonly hasAccessRequests: boolean
  /** Invoices that an earlier step made and did not get to collect. */
  readonly hasUncollected: boolean
  /** A subject of the customer came from another one, or went, while the usage to be billed was made (billing rule 8). */
  readonly hasMovedSubjects: boolean
}

interface BasisRequest {
  readonly subscription: { readonly id: string; readonly customerId: string; readonly currency: string }
  readonly closing: { readonly at: Date; readonly reason: string; readonly invoiceId: string }
  readonly featureKeys: readonly string[]
  /** Since when usage is to be billed; null: there is none. */
  readonly usageFrom: Date | null
  /** The service periods that end in it are looked at again, both ends included; null: none are. */
  readonly lateWindow: { readonly from: Date; readonly to: Date } | null
}

/** What a closing is planned from besides its subscription and how that is billed, in one question. */
export async function closingBasis(
  db: Db,
  { subscription, closing, featureKeys, usageFrom, lateWindow }: BasisRequest,
): Promise<ClosingBasis> {
  const rows = await basisOfClosing(
    db,
    subscription.id,
    subscription.customerId,
    subscription.currency,
    closing.at,
    closing.reason,
    closing.invoiceId,
    featureKeys,
    usageFrom,
    lateWindow?.from ?? null,
    lateWindow?.to ?? null,
  )
  const [first] = rows
  if (first === undefined) throw new Error('an aggregate without a row')
  return {
    cutoff: first.cutoff,
    carriedInMinor: BigInt(first.balance),
    billed: rows.flatMap(
      ({ cutoff: _cutoff, balance: _balance, meters: _meters, present: _present, ...slice }) =>
        slice.lineKey === null ? [] : [slice as RatedUsageRow],
    ),
    meters: first.meters.map((document) => featureMeterOf(document)),
    present: first.present,
  }
}

const basisOfClosing = prepared(
  (
    db,
    subscriptionId: string,
    customerId: string,
    currency: string,
    closingAt: Date,
    reason: string,
    invoiceId: string,
    featureKeys: readonly string[],
    usageFrom: Date | null,
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
        presentRows({ subscriptionId, customerId, closingAt, reason, invoiceId, usageFrom }).as('present'),
      ])
      .select(ratedUsageColumns.map((column) => `billed.${column}` as const))
      .orderBy('billed.serviceFrom')
      .orderBy('billed.lineKey')
      .compile(),
)

interface Asked {
  readonly subscriptionId: string
  readonly customerId: string
  readonly closingAt: Date
  readonly reason: string
  readonly invoiceId: string
  readonly usageFrom: Date | null
}

const presentRows = ({
  subscriptionId,
  customerId,
  closingAt,
  reason,
  invoiceId,
  usageFrom,
}: Asked) => sql<PresentRows>`
  jsonb_build_object(
    'isClosed', exists (select from closings
      where subscription_id = ${subscriptionId} and period_at = ${closingAt}::timestamptz and reason = ${reason}),
    'closingsInLastDay', (select count(*) from closings where subscription_id = ${subscriptionId}
      and period_at > ${closingAt}::timestamptz - interval '24 hours' and period_at <= ${closingAt}::timestamptz),
    'hasRunningInvoice', exists (select from invoices
      where subscription_id = ${subscriptionId} and substatus = ${sql.lit(ACCRUING)}),
    'isIdTaken', exists (select from invoices where id = ${invoiceId}),
    'hasAccessRequests', exists (select from access_requests
      where customer_id = ${customerId} and status = 'pending'),
    'hasUncollected', exists (select from invoices where subscription_id = ${subscriptionId} and ${isInlineSql}),
    'hasMovedSubjects', exists (select from customer_subjects own where own.customer_id = ${customerId}
      and (own.deleted_at > ${usageFrom}::timestamptz or (own.deleted_at is null and exists (
        select from customer_subjects former where former.subject_key = own.subject_key
          and former.deleted_at > ${usageFrom}::timestamptz and former.customer_id <> own.customer_id)))))`
