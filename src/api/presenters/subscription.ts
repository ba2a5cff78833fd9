import type { Feature as FeatureRow } from '../../db/stores/features.ts'
import type { SubscriptionRow } from '../../db/stores/subscriptions.ts'
import type { TimelineRow } from '../../db/stores/subscription-reads.ts'
import { termsOf } from '../../billing/terms.ts'
import type { AccessGate } from '../../domain/access.ts'
import { DomainError } from '../../domain/errors.ts'
import type { Period } from '../../domain/periods.ts'
import type { RateCard } from '../../domain/rate-card.ts'
import { billingPeriod, phaseSpans } from '../../domain/schedule.ts'
import type { PhaseSpan, Terms } from '../../domain/schedule.ts'
import { presentDiscounts, presentPrice } from '../schemas/documents.ts'
import type {
  Subscription,
  SubscriptionExpanded,
  SubscriptionItem,
  SubscriptionPhase,
  TimelineEntry,
} from '../schemas/subscriptions.ts'
import { derivedId } from './derived-id.ts'
import { presentFeature } from './feature.ts'

type Status = Subscription['status']

/** Our finer lifecycle as the contract's status: a parked subscription has not ended, so it is active there. */
const statusOfLifecycle: Readonly<Record<string, Status>> = {
  scheduled: 'scheduled',
  active: 'active',
  parked: 'active',
  canceled: 'canceled',
  ended: 'inactive',
}

/** The lifecycles that show as a status: what a filter by status looks for. */
export function lifecyclesOfStatus(status: Status): readonly string[] {
  return Object.keys(statusOfLifecycle).filter((lifecycle) => statusOfLifecycle[lifecycle] === status)
}

function statusOf(lifecycle: string): Status {
  const status = statusOfLifecycle[lifecycle]
  if (status === undefined)
    throw new DomainError('internal_error', `the lifecycle ${lifecycle} has no status`)
  return status
}

const stamps = (row: {
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly deletedAt: Date | null
}) => ({
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
  ...(row.deletedAt && { deletedAt: row.deletedAt.toISOString() }),
})

const described = (part: { readonly description?: string | null; readonly metadata?: unknown }) => ({
  ...(typeof part.description === 'string' && { description: part.description }),
  ...(typeof part.metadata === 'object' &&
    part.metadata && { metadata: part.metadata as Record<string, string> }),
})

/** A subscription as the contract has it, with what we add. */
export function presentSubscription(row: SubscriptionRow): Subscription {
  return {
    id: row.id,
    name: row.name,
    ...described(row),
    ...stamps(row),
    activeFrom: row.activeFrom.toISOString(),
    ...(row.activeTo && { activeTo: row.activeTo.toISOString() }),
    status: statusOf(row.lifecycle),
    customerId: row.customerId,
    ...planReference(row),
    currency: row.currency,
    billingCadence: row.billingCadence,
    proRatingConfig: { enabled: row.proRatingEnabled, mode: 'prorate_prices' },
    billingAnchor: row.billingAnchor.toISOString(),
    settlementMode: 'credit_then_invoice',
    alignment: { billablesMustAlign: true },
    lifecycle: row.lifecycle,
    ...(row.lifecycleReason !== null && { lifecycleReason: row.lifecycleReason }),
    ...(row.stripeAppId !== null &&
      row.stripeSubscriptionId !== null && {
        stripe: { appId: row.stripeAppId, subscriptionId: row.stripeSubscriptionId },
      }),
    // The column takes no other.
    accessGate: row.accessGate as AccessGate,
    timezone: row.timezone,
    ...(row.nextClosingAt && { nextBillingAt: row.nextClosingAt.toISOString() }),
    ...waitingFor(row),
    temporalWorkflowId: `subscription/${row.id}`,
  }
}

function planReference(row: SubscriptionRow): Pick<Subscription, 'plan'> {
  if (row.planId === null || row.planKey === null || row.planVersion === null) return {}
  return { plan: { id: row.planId, key: row.planKey, version: row.planVersion } }
}

/** The wait in words; nothing for one that has ended. */
function waitingFor(row: SubscriptionRow): Pick<Subscription, 'waitingFor'> {
  if (row.lifecycle === 'parked') return { waitingFor: 'an operator to release it' }
  if (row.nextDueAt === null || row.nextClosingAt === null) return {}
  const closing = row.nextClosingAt.toISOString()
  if (row.closedThrough === null) return { waitingFor: `its start at ${closing}` }
  if (row.nextDueAt.getTime() < row.nextClosingAt.getTime()) {
    return {
      waitingFor: `the next bill at ${row.nextDueAt.toISOString()}, then the end of its period at ${closing}`,
    }
  }
  if (row.nextDueAt.getTime() > row.nextClosingAt.getTime()) {
    return { waitingFor: `late usage until ${row.nextDueAt.toISOString()}, then to bill ${closing}` }
  }
  return { waitingFor: `the end of its billing period at ${closing}` }
}

export interface ExpandOptions {
  /** The customer's now. */
  readonly nowMs: number
  /** The features of its items, by key. */
  readonly features: ReadonlyMap<string, FeatureRow>
}

/** A subscription with its phases and items. */
export function presentSubscriptionExpanded(
  row: SubscriptionRow,
  options: ExpandOptions,
): SubscriptionExpanded {
  const terms = termsOf(row)
  // Not by a spread with members behind it: in Node 20 each such object has a hidden class of its own (performance.md).
  return Object.assign({}, presentSubscription(row), {
    alignment: { billablesMustAlign: true, ...currentBillingPeriod(terms, options.nowMs) },
    phases: phaseSpans(terms).map((span) => presentPhase(row, span, options.features)),
  })
}

/** The billing period that contains now, as the subscription's ends cut it; only while it is active. */
function currentBillingPeriod(terms: Terms, nowMs: number) {
  if (nowMs < terms.activeFromMs || nowMs >= (terms.activeToMs ?? Infinity)) return {}
  const { from, to } = billingPeriod(terms, nowMs)
  return {
    currentAlignedBillingPeriod: { from: new Date(from).toISOString(), to: new Date(to).toISOString() },
  }
}

type Features = ExpandOptions['features']

function presentPhase(row: SubscriptionRow, span: PhaseSpan, features: Features): SubscriptionPhase {
  const { phase } = span
  const items = phase.rateCards.map((rateCard) => {
    const feature = rateCard.featureKey === undefined ? undefined : features.get(rateCard.featureKey)
    return presentItem(row, { span, rateCard, feature })
  })
  return {
    id: derivedId(row.id, `phase/${phase.key}`),
    key: phase.key,
    name: phase.name,
    ...described(phase),
    ...stamps(row),
    ...cadence(span),
    items,
    itemTimelines: Object.fromEntries(items.map((item) => [item.key, [item]])),
  }
}

const cadence = (window: Period) => ({
  activeFrom: new Date(window.from).toISOString(),
  ...(Number.isFinite(window.to) && { activeTo: new Date(window.to).toISOString() }),
})

function presentItem(
  row: SubscriptionRow,
  item: { readonly span: PhaseSpan; readonly rateCard: RateCard; readonly feature: FeatureRow | undefined },
): SubscriptionItem {
  const { span, rateCard, feature } = item
  return {
    id: derivedId(row.id, `phase/${span.phase.key}/item/${rateCard.key}`),
    key: rateCard.key,
    name: rateCard.name,
    ...described(rateCard),
    ...stamps(row),
    ...cadence(span),
    ...(rateCard.featureKey !== undefined && { featureKey: rateCard.featureKey }),
    billingCadence: rateCard.billingCadence,
    price: rateCard.price && presentPrice(rateCard.price),
    ...(rateCard.discounts && { discounts: presentDiscounts(rateCard.discounts) }),
    ...(rateCard.taxConfig && { taxConfig: { ...rateCard.taxConfig } }),
    ...(feature && { included: { feature: presentFeature(feature) } }),
  }
}

/** An entry of a timeline. */
export function presentTimelineEntry(row: TimelineRow): TimelineEntry {
  return {
    at: row.at.toISOString(),
    kind: row.kind,
    detail: row.detail,
    recordedAt: row.recordedAt.toISOString(),
  }
}
