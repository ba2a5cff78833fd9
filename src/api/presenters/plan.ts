import { planStatus } from '../../db/stores/plans.ts'
import type { PlanRow } from '../../db/stores/plans.ts'
import { validatePlan } from '../../domain/plan-validation.ts'
import type { Plan, PlanPhase } from '../schemas/plans.ts'
import { instant, withoutNulls } from './without-nulls.ts'

/** What still keeps a draft from being published; a published version was checked then. */
function validationErrors(row: PlanRow): Plan['validationErrors'] {
  if (row.effectiveFrom !== null) return null
  const violations = validatePlan(row)
  return violations.length === 0
    ? null
    : violations.map(({ field, code, message }) => ({ field, code, message }))
}

/** A version of a plan in the contract's words; its status is what it is at `now`. */
export function presentPlan(row: PlanRow, now: Date): Plan {
  const optional = {
    description: row.description,
    metadata: row.metadata,
    accessGate: row.accessGate,
    effectiveFrom: instant(row.effectiveFrom),
    effectiveTo: instant(row.effectiveTo),
    deletedAt: instant(row.deletedAt),
  }
  return {
    id: row.id,
    key: row.key,
    version: row.version,
    name: row.name,
    currency: row.currency,
    billingCadence: row.billingCadence,
    alignment: { billablesMustAlign: true },
    proRatingConfig: { enabled: row.proRatingEnabled, mode: 'prorate_prices' },
    settlementMode: 'credit_then_invoice',
    // Checked against PlanPhase when it was written.
    phases: row.phases as PlanPhase[],
    status: planStatus(row, now),
    validationErrors: validationErrors(row),
    createdAt: instant(row.createdAt),
    updatedAt: instant(row.updatedAt),
    ...withoutNulls(optional),
  }
}
