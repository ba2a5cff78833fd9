import { DomainError } from '../../domain/errors.ts'
import type { ErrorCode } from '../../domain/errors.ts'
import { validatePlan } from '../../domain/plan-validation.ts'
import type { Violation } from '../../domain/plan-validation.ts'
import type { Phase } from '../../domain/rate-card.ts'
import type { Db } from '../../db/connection.ts'
import { findFeaturesByKey } from '../../db/stores/features.ts'
import {
  deletePlan,
  findPlan,
  findPlanVersions,
  insertPlanDraft,
  lockPlanVersions,
  planStatus,
  replacePlanDraft,
  setPlanEffective,
} from '../../db/stores/plans.ts'
import type { PlanContent, PlanRow } from '../../db/stores/plans.ts'
import type { ApiDeps } from '../deps.ts'
import { found } from '../not-found.ts'
import type { PlanCreate, PlanReplaceUpdate } from '../schemas/plans.ts'

/** Refused already when it is written (billing rules 12 and 18); everything else may still be wrong in a draft. */
const refusedInDrafts: ReadonlySet<string> = new Set<ErrorCode>([
  'unknown_currency',
  'invalid_decimal',
  'invalid_duration',
  'tier_open_end_missing',
  'tier_bounds_not_increasing',
])

/** The first problem is the error; all of them are listed beside it. */
export function refuse(problems: readonly Violation[]): void {
  const [first] = problems
  if (first === undefined) return
  throw new DomainError(first.code, first.message, {
    field: first.field,
    details: { validationErrors: problems },
  })
}

function contentOf(input: PlanReplaceUpdate): PlanContent {
  return {
    name: input.name,
    description: input.description ?? null,
    metadata: input.metadata ?? null,
    billingCadence: input.billingCadence,
    proRatingEnabled: input.proRatingConfig?.enabled ?? true,
    phases: input.phases,
    accessGate: input.accessGate ?? null,
  }
}

function checkDraft(currency: string, content: PlanContent): void {
  refuse(validatePlan({ currency, ...content }).filter(({ code }) => refusedInDrafts.has(code)))
}

/** Every feature that is sold exists, and what is billed by usage is measured. */
export async function featureProblems(db: Db, phases: readonly Phase[]): Promise<readonly Violation[]> {
  const cards = phases.flatMap((phase, p) =>
    phase.rateCards.map((card, c) => ({ card, field: `phases[${p}].rateCards[${c}].featureKey` })),
  )
  const keys = [...new Set(cards.flatMap(({ card }) => card.featureKey ?? []))]
  const features = new Map((await findFeaturesByKey(db, keys)).map((feature) => [feature.key, feature]))
  return cards.flatMap(({ card, field }): Violation[] => {
    if (card.featureKey === undefined) return []
    const feature = features.get(card.featureKey)
    const code = 'validation_failed'
    if (feature === undefined)
      return [{ field, code, message: `There is no feature ${card.featureKey}; create it first.` }]
    if (card.type === 'flat_fee' || feature.meterId !== null) return []
    return [
      { field, code, message: `The feature ${card.featureKey} has no meter, so its usage cannot be billed.` },
    ]
  })
}

/** A living version. Errors: not_found. */
export async function requirePlan(db: Db, id: string): Promise<PlanRow> {
  const plan = found(await findPlan(db, id), 'plan', id)
  if (plan.deletedAt !== null) throw new DomainError('not_found', `The plan ${id} was deleted.`)
  return plan
}

/** By id, deleted or not; by key the version in force, or with `includeLatest` the newest. */
export async function readPlan(
  { db, now }: ApiDeps,
  idOrKey: string,
  includeLatest: boolean,
): Promise<PlanRow> {
  const plan = await findPlan(db, idOrKey)
  if (plan !== null) return plan
  const versions = await findPlanVersions(db, idOrKey)
  const active = versions.find((version) => planStatus(version, now()) === 'active')
  return found((includeLatest ? versions[0] : (active ?? versions[0])) ?? null, 'plan', idOrKey)
}

export async function createPlan(deps: ApiDeps, input: PlanCreate): Promise<PlanRow> {
  const content = contentOf(input)
  checkDraft(input.currency, content)
  return insertPlanDraft(deps.db, {
    ...content,
    id: deps.newId(),
    key: input.key,
    currency: input.currency,
    now: deps.now(),
  })
}

export async function updatePlan(deps: ApiDeps, id: string, input: PlanReplaceUpdate): Promise<PlanRow> {
  const plan = await requirePlan(deps.db, id)
  const content = contentOf(input)
  checkDraft(plan.currency, content)
  const replaced = await replacePlanDraft(deps.db, id, content, deps.now())
  if (replaced === null)
    throw new DomainError(
      'plan_not_draft',
      `Version ${plan.version} of ${plan.key} is published; create its next version and change that.`,
    )
  return replaced
}

/** The version becomes the one in force, and the one before it ends at the same instant. */
export async function publishPlan(deps: ApiDeps, id: string): Promise<PlanRow> {
  const { key } = await requirePlan(deps.db, id)
  return deps.db.transaction().execute(async (trx) => {
    const now = deps.now()
    const versions = await lockPlanVersions(trx, key)
    const plan = found(versions.find((version) => version.id === id) ?? null, 'plan', id)
    if (plan.effectiveFrom !== null)
      throw new DomainError(
        'plan_already_published',
        `Version ${plan.version} of ${key} is published already.`,
      )
    refuse([...validatePlan(plan), ...(await featureProblems(trx, plan.phases))])
    const before = versions.filter((version) => ['active', 'scheduled'].includes(planStatus(version, now)))
    for (const version of before) await setPlanEffective(trx, version.id, { effectiveTo: now }, now)
    return setPlanEffective(trx, id, { effectiveFrom: now, effectiveTo: null }, now)
  })
}

/** No new subscriptions from now on; the ones there are go on. */
export async function archivePlan(deps: ApiDeps, id: string): Promise<PlanRow> {
  const { key } = await requirePlan(deps.db, id)
  return deps.db.transaction().execute(async (trx) => {
    const now = deps.now()
    const plan = found(
      (await lockPlanVersions(trx, key)).find((version) => version.id === id) ?? null,
      'plan',
      id,
    )
    const status = planStatus(plan, now)
    if (status !== 'active' && status !== 'scheduled')
      throw new DomainError('plan_not_published', `Version ${plan.version} of ${key} is ${status}.`)
    return setPlanEffective(trx, id, { effectiveTo: now }, now)
  })
}

/** A draft of the next version, with what the newest one has. */
export async function nextPlan(deps: ApiDeps, idOrKey: string): Promise<PlanRow> {
  const byId = await findPlan(deps.db, idOrKey)
  const key = byId?.key ?? idOrKey
  const latest = found((await findPlanVersions(deps.db, key))[0] ?? null, 'plan', idOrKey)
  const { name, description, metadata, billingCadence, proRatingEnabled, phases, accessGate } = latest
  const content = { name, description, metadata, billingCadence, proRatingEnabled, phases, accessGate }
  return insertPlanDraft(deps.db, {
    ...content,
    currency: latest.currency,
    key,
    id: deps.newId(),
    now: deps.now(),
  })
}

export async function removePlan(deps: ApiDeps, id: string): Promise<void> {
  const { key } = await requirePlan(deps.db, id)
  await deps.db.transaction().execute(async (trx) => {
    const versions = await lockPlanVersions(trx, key)
    const plan = found(versions.find((version) => version.id === id) ?? null, 'plan', id)
    const status = planStatus(plan, deps.now())
    if (status === 'active' || status === 'scheduled') {
      throw new DomainError(
        'plan_not_draft',
        `Version ${plan.version} of ${plan.key} is ${status}; archive it first.`,
      )
    }
    await deletePlan(trx, id, deps.now())
  })
}
