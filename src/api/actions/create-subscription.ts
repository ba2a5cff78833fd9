import { insertNewSubscription, newSubscriptionRow } from '../../billing/new-subscription.ts'
import type { SubscriptionParts, SubscriptionStart } from '../../billing/new-subscription.ts'
import { loadSettings } from '../../billing/settings.ts'
import type { BillingSettings } from '../../billing/settings.ts'
import type { NewSubscription } from '../../db/stores/subscription-create.ts'
import { findCustomerByIdOrKey } from '../../db/stores/subscription-reads.ts'
import type { CustomerRow } from '../../db/stores/subscription-reads.ts'
import type { SubscriptionRow } from '../../db/stores/subscriptions.ts'
import { nowForCustomer } from '../../billing/clock.ts'
import { DomainError } from '../../domain/errors.ts'
import { boundaryAfter } from '../../domain/periods.ts'
import type { ApiDeps } from '../deps.ts'
import { parseInstant } from '../instants.ts'
import { found } from '../not-found.ts'
import type { SubscriptionCreate } from '../schemas/subscriptions.ts'
import { isPaid, requireCollectable } from './billing-readiness.ts'
import { startedLater } from './started-later.ts'
import { snapshotPlan } from './subscription-plan.ts'

/** A caller's clock may be behind ours by this much; what lies further back is refused. */
const PAST_TOLERANCE_MS = 24 * 60 * 60 * 1000

/**
 * Subscribes a customer: the row and the request to start its workflow in one transaction. Errors: not_found,
 * plan_not_published, currency_mismatch, profile_missing, customer_not_linked, payment_method_missing,
 * customer_email_missing, subscription_overlap, clock_busy, validation_failed.
 */
export async function createSubscription(deps: ApiDeps, input: SubscriptionCreate): Promise<SubscriptionRow> {
  const customer = await customerOf(deps, input)
  const plan = await snapshotPlan(deps.db, input, deps.now())
  const settings = await loadSettings(deps.db, customer.id)
  requireCurrency(settings, plan.currency)
  if (isPaid(plan.phases[0])) await requireCollectable(deps, settings)

  const nowMs = await nowForCustomer(deps.db, customer.id, deps.now())
  const start = resolveStart(input, { nowMs, timeZone: customer.timezone, cadence: plan.billingCadence })
  const row = newRow(input, {
    id: deps.newId(),
    customer,
    plan,
    profileGate: settings.access.gate,
    start,
    nowMs,
  })
  const inserted = await deps.db
    .transaction()
    .execute(async (trx) => await insertNewSubscription(trx, { row, customer, start, nowMs }))
  await startWorkflow(deps, inserted, customer)
  return inserted
}

/** A customer that names no currency is billed in the profile's default one, where it has one. */
function requireCurrency({ customer, defaultCurrency }: BillingSettings, currency: string): void {
  const billed = customer.currency ?? defaultCurrency
  if (billed === null || billed === currency) return
  const why = customer.currency === null ? `${billed}, the default of its profile` : billed
  const detail = `The customer is billed in ${why}; the plan is in ${currency}.`
  throw new DomainError('currency_mismatch', detail, { field: 'plan' })
}

async function customerOf(
  deps: ApiDeps,
  { customerId, customerKey }: SubscriptionCreate,
): Promise<CustomerRow> {
  const named = customerId ?? customerKey
  if (named === undefined || (customerId !== undefined && customerKey !== undefined)) {
    throw new DomainError('validation_failed', 'Name the customer by customerId or by customerKey.', {
      field: 'customerId',
    })
  }
  return found(
    (await findCustomerByIdOrKey(deps.db, customerId === undefined ? { key: named } : { id: named })) ?? null,
    'customer',
    named,
    customerId === undefined ? 'customerKey' : 'customerId',
  )
}

/** When it starts and what its periods are counted from; the default is now (billing rule 6). */
function resolveStart(
  { timing, billingAnchor }: SubscriptionCreate,
  at: { readonly nowMs: number; readonly timeZone: string; readonly cadence: string },
): SubscriptionStart {
  const anchor = billingAnchor === undefined ? null : parseInstant(billingAnchor, 'billingAnchor')
  if (timing === 'next_billing_cycle') {
    if (anchor === null) {
      const detail =
        'There is no billing cycle yet that a next one could follow: give a billingAnchor, or an instant.'
      throw new DomainError('validation_failed', detail, { field: 'timing' })
    }
    const next = boundaryAfter(
      { anchorMs: anchor.getTime(), timeZone: at.timeZone, cadence: at.cadence },
      at.nowMs,
    )
    return { activeFrom: new Date(next), billingAnchor: anchor }
  }
  const activeFrom =
    timing === undefined || timing === 'immediate' ? new Date(at.nowMs) : parseInstant(timing, 'timing')
  if (activeFrom.getTime() < at.nowMs - PAST_TOLERANCE_MS) {
    const detail = `A subscription does not start in the past; for this customer it is ${new Date(at.nowMs).toISOString()}.`
    throw new DomainError('validation_failed', detail, { field: 'timing' })
  }
  return { activeFrom, billingAnchor: anchor ?? activeFrom }
}

/** What its caller says of it comes before what the plan says. */
function newRow(input: SubscriptionCreate, parts: SubscriptionParts): NewSubscription {
  const metadata = input.metadata ?? input.customPlan?.metadata
  return {
    ...newSubscriptionRow(parts),
    name: input.name ?? parts.plan.name,
    description: input.description ?? input.customPlan?.description ?? null,
    metadata: metadata ? JSON.stringify(metadata) : null,
  }
}

/** Starting what runs already is no error. */
export async function startWorkflow(
  deps: ApiDeps,
  row: SubscriptionRow,
  customer: CustomerRow,
): Promise<void> {
  const testNowMs =
    customer.testClockId === null ? null : await nowForCustomer(deps.db, customer.id, deps.now())
  const request = {
    subscriptionId: row.id,
    customerKey: customer.key ?? customer.id,
    planKey: row.planKey ?? 'custom',
    testNowMs,
  }
  await startedLater(deps, deps.temporal.startSubscription(request))
}
