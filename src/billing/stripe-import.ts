import type { Transaction } from 'kysely'
import type { Database } from '../db/connection.ts'
import { storedApp } from '../db/stores/billing-settings.ts'
import { insertOutbox } from '../db/stores/outbox.ts'
import { findImport, installedAt, lockStripeCustomer, writeImport } from '../db/stores/stripe-imports.ts'
import type { ImportOutcome, StripeImportRow } from '../db/stores/stripe-imports.ts'
import { endedAfter } from '../db/stores/subscription-create.ts'
import { listPlanMappings } from '../db/stores/stripe-plan-mappings.ts'
import type { PlanMappingRow } from '../db/stores/stripe-plan-mappings.ts'
import type { DB } from '../db/types.gen.ts'
import { DomainError, isDomainError } from '../domain/errors.ts'
import type { StripeSubscriberView, StripeSubscriptionView } from '../stripe/subscription-types.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import { activePlan } from './active-plan.ts'
import { nowForCustomer } from './clock.ts'
import { importFrom, importStart } from './import-start.ts'
import type { ImportFrom } from './import-start.ts'
import { loadSettings } from './settings.ts'
import { insertNewSubscription, newSubscriptionRow, snapshotOfPlan } from './new-subscription.ts'
import type { PlanSnapshot } from './new-subscription.ts'
import { billedThrough, importedCustomer } from './stripe-import-customer.ts'

export interface ImportDeps {
  readonly db: Database
  readonly stripe: StripeGateway
  readonly newId: () => string
  /** Real time. */
  readonly now: () => Date
}

export interface ImportRequest {
  readonly appId: string
  readonly stripeSubscriptionId: string
  /** Where usage begins to count; null: that follows from when it was made. */
  readonly from: ImportFrom | null
}

/** Never became a subscription: the first payment did not come. */
const NOT_YET = new Set(['incomplete'])
const NEVER = new Set(['incomplete_expired'])

/**
 * Makes our customer and subscription from a subscription at Stripe, once, whatever the order and number of events
 * (the unique index on the subscription holds it). What is in the way is written down and not thrown; what may pass by
 * itself is thrown. Errors: clock_busy, stripe_subscription_not_found; StripeFailure.
 */
export async function importSubscription(deps: ImportDeps, request: ImportRequest): Promise<StripeImportRow> {
  const { appId, stripeSubscriptionId } = request
  const key = { appId, stripeSubscriptionId }
  const known = await findImport(deps.db, key)
  if (known !== undefined && known.subscriptionId !== null) return known
  const app = await storedApp(deps.db, appId)
  const there = await deps.stripe.getSubscription(app, stripeSubscriptionId)
  const note = async (status: ImportOutcome['status'], reason: string): Promise<StripeImportRow> =>
    await writeImport(deps.db, { ...key, status, reason, subscriptionId: null })
  if (NEVER.has(there.status)) return await note('ended', 'Its first payment never came.')
  if (NOT_YET.has(there.status)) return await note('failed', 'Its first payment has not come yet.')
  const mapping = mappingOf(there, await listPlanMappings(deps.db, appId))
  if (typeof mapping === 'string') return await note('not_mapped', mapping)
  try {
    const subscriber = await deps.stripe.getSubscriber(app, there.stripeCustomerId)
    const plan = await planOf(deps, mapping, there)
    return await deps.db
      .transaction()
      .execute(async (trx) => await make(deps, trx, { request, there, subscriber, plan }))
  } catch (error) {
    if (!isDomainError(error) || error.code === 'clock_busy') throw error
    return await note('failed', error.message)
  }
}

/** The one plan that its prices stand for, or why there is none. */
function mappingOf(
  { priceIds }: StripeSubscriptionView,
  mappings: readonly PlanMappingRow[],
): PlanMappingRow | string {
  const matching = mappings.filter(({ stripePriceId }) => priceIds.includes(stripePriceId))
  const [first] = matching
  if (first === undefined) return `None of its prices is mapped to a plan: ${priceIds.join(', ')}.`
  const plans = new Set(matching.map(({ planKey, planVersion }) => `${planKey} ${planVersion ?? ''}`.trim()))
  if (plans.size === 1) return first
  return `Its prices are mapped to several plans: ${[...plans].join(', ')}; one subscription here has one plan.`
}

async function planOf(
  { db, now }: ImportDeps,
  { planKey, planVersion }: PlanMappingRow,
  { currency }: StripeSubscriptionView,
): Promise<PlanSnapshot> {
  const plan = await activePlan(db, { key: planKey, version: planVersion ?? undefined }, now())
  if (plan.currency === currency) return snapshotOfPlan(plan)
  const detail = `It is in ${currency} at Stripe, the plan ${planKey} is in ${plan.currency}.`
  throw new DomainError('currency_mismatch', detail)
}

interface Making {
  readonly request: ImportRequest
  readonly there: StripeSubscriptionView
  readonly subscriber: StripeSubscriberView
  readonly plan: PlanSnapshot
}

/** Customer, link, subscription, the request to start its workflow and the note of it, or nothing. */
async function make(deps: ImportDeps, trx: Transaction<DB>, making: Making): Promise<StripeImportRow> {
  const { request, there, plan } = making
  const { appId, stripeSubscriptionId } = request
  await lockStripeCustomer(trx, { appId, stripeCustomerId: there.stripeCustomerId })
  const made = await findImport(trx, request)
  if (made !== undefined && made.subscriptionId !== null) return made

  const customer = await importedCustomer(deps, trx, { ...making, appId })
  await billedThrough(trx, { appId, customerId: customer.id })
  const nowMs = await nowForCustomer(trx, customer.id, deps.now())
  const asked = importStart(there, request.from ?? importFrom(there, await installedAt(trx, appId)))
  // The one before it may have ended here later than at Stripe: what was billed with that is not billed again.
  const endedAt = await endedAfter(trx, { customerId: customer.id, from: asked.activeFrom })
  const start = endedAt === null ? asked : { ...asked, activeFrom: endedAt }
  const { access } = await loadSettings(trx, customer.id)
  const parts = { id: deps.newId(), customer, plan, profileGate: access.gate, start, nowMs }
  const row = newSubscriptionRow(parts)
  const inserted = await insertNewSubscription(trx, {
    row: {
      ...row,
      // Stripe counts its periods in UTC; ours coincide with them.
      timezone: 'UTC',
      stripeAppId: appId,
      stripeSubscriptionId,
    },
    customer,
    start,
    nowMs,
  })
  if (there.endedMs !== null || there.cancelAtMs !== null) {
    await insertOutbox(trx, { kind: 'end_subscription', subjectId: inserted.id })
  }
  return await writeImport(trx, {
    appId,
    stripeSubscriptionId,
    subscriptionId: inserted.id,
    status: 'imported',
    reason: null,
  })
}
