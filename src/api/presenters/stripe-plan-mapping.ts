import type { CheckedMapping } from '../actions/stripe-plan-mappings.ts'
import type { StripePlanMapping } from '../schemas/stripe-plan-mappings.ts'

export function presentPlanMapping({ row, warnings }: CheckedMapping): StripePlanMapping {
  return {
    stripePriceId: row.stripePriceId,
    planKey: row.planKey,
    ...(row.planVersion !== null && { planVersion: row.planVersion }),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    ...(warnings.length > 0 && { warnings: [...warnings] }),
  }
}
