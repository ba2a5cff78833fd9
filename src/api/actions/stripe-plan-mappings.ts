import {
  deletePlanMapping,
  deletePlanMappingsExcept,
  listPlanMappings,
  upsertPlanMapping,
} from '../../db/stores/stripe-plan-mappings.ts'
import { reopenUnmapped } from '../../db/stores/stripe-imports.ts'
import type { PlanMapping, PlanMappingRow } from '../../db/stores/stripe-plan-mappings.ts'
import { parseDuration } from '../../domain/calendar.ts'
import { DomainError } from '../../domain/errors.ts'
import { activePlan } from '../../billing/active-plan.ts'
import { isInAdvance } from '../../domain/schedule.ts'
import type { Phase } from '../../domain/rate-card.ts'
import { lacksPermission } from '../../stripe/permissions.ts'
import type { StripePriceView } from '../../stripe/subscription-types.ts'
import type { AppRow } from '../../db/stores/apps.ts'
import type { ApiDeps } from '../deps.ts'
import { requireApp } from './require-app.ts'

export interface CheckedMapping {
  readonly row: PlanMappingRow
  readonly warnings: readonly string[]
}

/** Which plans the prices of an app stand for. Errors: not_found. */
export async function planMappings(deps: ApiDeps, appId: string): Promise<readonly PlanMappingRow[]> {
  await requireApp(deps, appId)
  return await listPlanMappings(deps.db, appId)
}

/**
 * Maps a price to a plan; what waited for it is imported. Errors: not_found, plan_not_published, stripe_price_not_found, stripe_price_not_mappable,
 * stripe_unavailable.
 */
export async function putPlanMapping(
  deps: ApiDeps,
  appId: string,
  mapping: PlanMapping,
): Promise<CheckedMapping> {
  const app = await requireApp(deps, appId)
  const warnings = await check(deps, app, { mapping, at: '' })
  const row = await deps.db.transaction().execute(async (trx) => {
    await reopenUnmapped(trx, appId)
    return await upsertPlanMapping(trx, appId, mapping, deps.now())
  })
  return { row, warnings }
}

/** Replaces all mappings of an app; all are checked before one is stored. Errors: those of {@link putPlanMapping}. */
export async function replacePlanMappings(
  deps: ApiDeps,
  appId: string,
  mappings: readonly PlanMapping[],
): Promise<readonly CheckedMapping[]> {
  const app = await requireApp(deps, appId)
  const prices = mappings.map(({ stripePriceId }) => stripePriceId)
  const twice = prices.find((price, index) => prices.indexOf(price) !== index)
  if (twice !== undefined)
    throw new DomainError('validation_failed', `The price ${twice} is named twice.`, { field: 'items' })
  const warnings: (readonly string[])[] = []
  for (const [index, mapping] of mappings.entries())
    warnings.push(await check(deps, app, { mapping, at: `items[${index}].` }))
  return await deps.db.transaction().execute(async (trx) => {
    await deletePlanMappingsExcept(trx, appId, prices)
    await reopenUnmapped(trx, appId)
    const checked: CheckedMapping[] = []
    for (const [index, mapping] of mappings.entries()) {
      const row = await upsertPlanMapping(trx, appId, mapping, deps.now())
      checked.push({ row, warnings: warnings[index] ?? [] })
    }
    return checked
  })
}

/** Subscriptions that were imported by it go on. Errors: not_found. */
export async function removePlanMapping(deps: ApiDeps, appId: string, stripePriceId: string): Promise<void> {
  await requireApp(deps, appId)
  if (await deletePlanMapping(deps.db, appId, stripePriceId)) return
  throw new DomainError('not_found', `The price ${stripePriceId} is not mapped.`)
}

interface Checking {
  readonly mapping: PlanMapping
  /** What the names of its fields begin with in the caller's document. */
  readonly at: string
}

/** Refuses what could only fail, or bill other periods than Stripe's, at the first import; returns what to think about. */
async function check(deps: ApiDeps, app: AppRow, { mapping, at }: Checking): Promise<readonly string[]> {
  const plan = await activePlan(
    deps.db,
    { key: mapping.planKey, version: mapping.planVersion ?? undefined, field: `${at}planKey` },
    deps.now(),
  )
  const warnings = feeWarnings(plan.phases)
  const price = await readPrice(deps, app, mapping.stripePriceId)
  if (typeof price === 'string') return [...warnings, price]
  const refuse = (why: string): never => {
    throw new DomainError('stripe_price_not_mappable', `${why}.`, { field: `${at}stripePriceId` })
  }
  if (price.cadence === null) return refuse(`The price ${price.id} is charged once; map a recurring price`)
  if (!isSameCadence(price.cadence, plan.billingCadence)) {
    const plans = `the plan ${plan.key} bills every ${plan.billingCadence}`
    return refuse(`The price ${price.id} is charged every ${price.cadence}, ${plans}`)
  }
  if (price.currency !== plan.currency)
    return refuse(`The price ${price.id} is in ${price.currency}, the plan ${plan.key} in ${plan.currency}`)
  return warnings
}

/** The price; or what to tell, where the key may not read prices. */
async function readPrice(deps: ApiDeps, app: AppRow, priceId: string): Promise<StripePriceView | string> {
  try {
    return await deps.stripe.getPrice(app, priceId)
  } catch (error) {
    if (!lacksPermission(error)) throw error
    return `The key may not read prices: interval and currency of ${priceId} were not compared.`
  }
}

/** What Stripe's price bills already must not be in the plan as well. */
function feeWarnings(phases: readonly Phase[]): readonly string[] {
  const fees = phases.flatMap((phase) => phase.rateCards).filter(isInAdvance)
  return fees.map(
    ({ key }) =>
      `The rate card ${key} is a fee in advance: where Stripe's price charges it, the customer pays it twice.`,
  )
}

/** `P12M` is `P1Y`, `P7D` is `P1W`. */
function isSameCadence(one: string, other: string): boolean {
  const parts = (text: string): string => {
    const { years, months, weeks, days } = parseDuration(text)
    return `${years * 12 + months}m${weeks * 7 + days}d`
  }
  return parts(one) === parts(other)
}
