import { activePlan } from '../../billing/active-plan.ts'
import { snapshotOfPlan } from '../../billing/new-subscription.ts'
import type { PlanSnapshot } from '../../billing/new-subscription.ts'
import type { Db } from '../../db/connection.ts'
import { DomainError } from '../../domain/errors.ts'
import { validatePlan } from '../../domain/plan-validation.ts'
import type { Phase } from '../../domain/rate-card.ts'
import type { SubscriptionCreate } from '../schemas/subscriptions.ts'
import { featureProblems, refuse } from './plans.ts'

/** The plan that was named, or the one that was written in place. Errors: not_found, plan_not_published, validation_failed and a plan's own. */
export async function snapshotPlan(db: Db, input: SubscriptionCreate, now: Date): Promise<PlanSnapshot> {
  const { plan, customPlan } = input
  if ((plan === undefined) === (customPlan === undefined)) {
    throw new DomainError('validation_failed', 'Name a plan or write a customPlan: one of the two.', {
      field: 'plan',
    })
  }
  const snapshot =
    plan === undefined
      ? await customSnapshot(db, customPlan)
      : snapshotOfPlan(await activePlan(db, plan, now))
  return { ...snapshot, phases: startingAt(snapshot.phases, input.startingPhase) }
}

/** Held to everything that publishing holds a plan to. */
async function customSnapshot(db: Db, plan: SubscriptionCreate['customPlan']): Promise<PlanSnapshot> {
  if (plan === undefined)
    throw new DomainError('validation_failed', 'Write a customPlan.', { field: 'customPlan' })
  const { name, currency, billingCadence, phases } = plan
  const violations = [
    ...validatePlan({ currency, billingCadence, phases }),
    ...(await featureProblems(db, phases)),
  ]
  refuse(violations.map((violation) => ({ ...violation, field: `customPlan.${violation.field}` })))
  const proRatingEnabled = plan.proRatingConfig?.enabled ?? true
  return {
    planId: null,
    planKey: null,
    planVersion: null,
    name,
    currency,
    billingCadence,
    proRatingEnabled,
    phases,
    accessGate: plan.accessGate ?? null,
  }
}

/** Phases before the starting one are passed over. */
function startingAt(phases: readonly Phase[], key: string | undefined): readonly Phase[] {
  if (key === undefined) return phases
  const index = phases.findIndex((phase) => phase.key === key)
  if (index >= 0) return phases.slice(index)
  const keys = phases.map((phase) => phase.key).join(', ')
  throw new DomainError('validation_failed', `The plan has no phase ${key}; it has: ${keys}.`, {
    field: 'startingPhase',
  })
}
