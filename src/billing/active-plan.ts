import type { Db } from '../db/connection.ts'
import { findPlanVersions, planStatus } from '../db/stores/plans.ts'
import type { PlanRow } from '../db/stores/plans.ts'
import { DomainError } from '../domain/errors.ts'

interface NamedPlan {
  readonly key: string
  readonly version?: number | undefined
  /** Where the caller's document names it. */
  readonly field?: string
}

/**
 * The version that was named, else the newest that is published and not archived. Publishing takes effect at once: a version
 * that seems to begin later was published by a process whose clock is ahead of this one's. Errors: not_found,
 * plan_not_published.
 */
export async function activePlan(
  db: Db,
  { key, version, field = 'plan' }: NamedPlan,
  now: Date,
): Promise<PlanRow> {
  const versions = await findPlanVersions(db, key)
  const named = version === undefined ? versions : versions.filter((plan) => plan.version === version)
  const [newest] = named
  if (newest === undefined) {
    const which = version === undefined ? key : `${key} version ${version}`
    throw new DomainError('not_found', `There is no plan ${which}.`, { field })
  }
  const active = named.find((plan) => ['active', 'scheduled'].includes(planStatus(plan, now)))
  if (active === undefined) {
    const status = planStatus(newest, now)
    throw new DomainError(
      'plan_not_published',
      `The plan ${key} version ${newest.version} is ${status}; subscribe to an active version.`,
      { field },
    )
  }
  return active
}
