import type { Db } from '../db/connection.ts'
import { accessRows, currentSubscriptions } from '../db/stores/access.ts'
import type { OwedInvoice } from '../db/stores/access.ts'
import type { SubscriptionRow } from '../db/stores/subscriptions.ts'
import { decideAccess } from '../domain/access.ts'
import type { AccessDecision, AccessGate, FirstInvoice } from '../domain/access.ts'
import { graceEndsAt } from '../domain/dunning.ts'
import type { DunningPolicy } from '../domain/dunning.ts'
import type { RateCard } from '../domain/rate-card.ts'
import { phaseSpans } from '../domain/schedule.ts'
import { termsOf } from './terms.ts'

/** Whether one of a customer's subscriptions may be used, and for what. */
export interface SubscriptionAccess extends AccessDecision {
  readonly subscription: SubscriptionRow
  /** The invoice that opens it where it is gated; null: there is none yet. */
  readonly firstInvoice: FirstInvoice | null
  /** Rate cards of the phase in effect that name a feature. */
  readonly features: readonly (RateCard & { readonly featureKey: string })[]
}

/** Access of a customer at an instant of their own time. */
export async function loadAccess(
  db: Db,
  customerId: string,
  nowMs: number,
): Promise<readonly SubscriptionAccess[]> {
  const subscriptions = await currentSubscriptions(db, customerId)
  // One after the other: in a transaction they share a connection.
  const loaded: SubscriptionAccess[] = []
  for (const subscription of subscriptions) loaded.push(await accessOf(db, subscription, nowMs))
  return loaded
}

async function accessOf(db: Db, subscription: SubscriptionRow, nowMs: number): Promise<SubscriptionAccess> {
  const { opened, isStartBilled, firstInvoice: row, failed } = await accessRows(db, subscription.id)
  const firstInvoice =
    row === undefined
      ? null
      : {
          id: row.id,
          status: row.status,
          substatus: row.substatus,
          closedAtMs: row.closingAt.getTime(),
          paidAtMs: row.paidAt?.getTime() ?? null,
        }
  const decision = decideAccess({
    nowMs,
    // The column takes no other.
    gate: subscription.accessGate as AccessGate,
    activeFromMs: subscription.activeFrom.getTime(),
    activeToMs: subscription.activeTo?.getTime() ?? null,
    isStartBilled,
    openedAtMs: opened?.openedAt.getTime() ?? null,
    firstInvoice,
    graceEndsMs: failed.flatMap(graceEnds),
  })
  return { ...decision, subscription, firstInvoice, features: featuresOf(subscription, nowMs) }
}

function graceEnds({ firstFailedAt, dunningSnapshot }: OwedInvoice): readonly number[] {
  if (firstFailedAt === null) return []
  return [graceEndsAt(dunningSnapshot as unknown as DunningPolicy, firstFailedAt.getTime())]
}

/** Before the start it is the first phase, after the end the last: what would be had, or was. */
function featuresOf(subscription: SubscriptionRow, nowMs: number): SubscriptionAccess['features'] {
  const spans = phaseSpans(termsOf(subscription))
  const span = spans.findLast(({ from }) => from <= nowMs) ?? spans[0]
  return (span?.phase.rateCards ?? []).flatMap((card) =>
    card.featureKey === undefined ? [] : [{ ...card, featureKey: card.featureKey }],
  )
}
