import type { Transaction } from 'kysely'
import {
  insertSubscription,
  lockClock,
  lockCustomer,
  overlappingSubscription,
} from '../db/stores/subscription-create.ts'
import type { NewSubscription } from '../db/stores/subscription-create.ts'
import type { PlanRow } from '../db/stores/plans.ts'
import type { SubscriptionRow } from '../db/stores/subscriptions.ts'
import { appendTimeline } from '../db/stores/timeline.ts'
import type { DB } from '../db/types.gen.ts'
import type { AccessGate } from '../domain/access.ts'
import { DomainError } from '../domain/errors.ts'
import type { Phase } from '../domain/rate-card.ts'

/** What a subscription takes from its plan, once and for good (billing rule 23). */
export interface PlanSnapshot {
  readonly planId: string | null
  readonly planKey: string | null
  readonly planVersion: number | null
  readonly name: string
  readonly currency: string
  readonly billingCadence: string
  readonly proRatingEnabled: boolean
  readonly phases: readonly Phase[]
  /** Null: the profile's. */
  readonly accessGate: AccessGate | null
}

export const snapshotOfPlan = (plan: PlanRow): PlanSnapshot => ({
  planId: plan.id,
  planKey: plan.key,
  planVersion: plan.version,
  name: plan.name,
  currency: plan.currency,
  billingCadence: plan.billingCadence,
  proRatingEnabled: plan.proRatingEnabled,
  phases: plan.phases,
  accessGate: plan.accessGate,
})

/** When it starts and what its periods are counted from. */
export interface SubscriptionStart {
  readonly activeFrom: Date
  readonly billingAnchor: Date
}

interface Subscriber {
  readonly id: string
  readonly timezone: string
  readonly testClockId: string | null
}

export interface SubscriptionParts {
  readonly id: string
  readonly customer: Subscriber
  readonly plan: PlanSnapshot
  /** The gate of the customer's profile: the plan's own comes before it. */
  readonly profileGate: AccessGate
  readonly start: SubscriptionStart
  readonly nowMs: number
}

/** The row of a subscription that begins. */
export function newSubscriptionRow(parts: SubscriptionParts): NewSubscription {
  const { id, customer, plan, start, nowMs } = parts
  const { phases, accessGate, ...terms } = plan
  return {
    id,
    customerId: customer.id,
    ...terms,
    phases: JSON.stringify(phases),
    accessGate: accessGate ?? parts.profileGate,
    timezone: customer.timezone,
    ...start,
    lifecycle: start.activeFrom.getTime() <= nowMs ? 'active' : 'scheduled',
    nextDueAt: start.activeFrom,
    nextClosingAt: start.activeFrom,
  }
}

interface Insertion {
  readonly row: NewSubscription
  readonly customer: Subscriber
  readonly start: SubscriptionStart
  readonly nowMs: number
}

/**
 * Inserts it with the request to start its workflow, in the caller's transaction. The customer and its clock are held
 * meanwhile: no second subscription slips in, and time stands still. Errors: not_found, clock_busy, subscription_overlap.
 */
export async function insertNewSubscription(
  trx: Transaction<DB>,
  { row, customer, start, nowMs }: Insertion,
): Promise<SubscriptionRow> {
  if (!(await lockCustomer(trx, customer.id)))
    throw new DomainError('not_found', `The customer ${customer.id} was deleted.`)
  const clock = customer.testClockId === null ? undefined : await lockClock(trx, customer.testClockId)
  if (clock !== undefined && (clock.status === 'advancing' || clock.frozenTime.getTime() !== nowMs)) {
    throw new DomainError('clock_busy', "The customer's test clock is advancing; wait until it is ready.")
  }
  const other = await overlappingSubscription(trx, { customerId: customer.id, from: start.activeFrom })
  if (other !== undefined) {
    const until = other.activeTo === null ? 'has no end' : `ends at ${other.activeTo.toISOString()}`
    throw new DomainError(
      'subscription_overlap',
      `The customer has the subscription ${other.id}, which ${until}.`,
      {
        field: 'timing',
        details: { subscriptionId: other.id },
      },
    )
  }
  const inserted = await insertSubscription(trx, row)
  const plan =
    inserted.planKey === null ? 'a custom plan' : `${inserted.planKey} version ${inserted.planVersion}`
  const detail = `Subscribed to ${plan} from ${start.activeFrom.toISOString()}`
  await appendTimeline(trx, [
    { subjectType: 'subscription', subjectId: inserted.id, at: new Date(nowMs), kind: 'created', detail },
  ])
  return inserted
}
