import type { SubscriptionAccess } from '../../billing/access.ts'
import type { AccessRequestRow } from '../../db/stores/access-requests.ts'
import type { AccessRequest, CustomerAccess, EntitlementValue } from '../schemas/access.ts'
import { instant, withoutNulls } from './without-nulls.ts'

export function presentAccessRequest(row: AccessRequestRow): AccessRequest {
  const { id, customerId, status, subscriptionId, featureKey, metadata } = row
  const optional = { subscriptionId, featureKey, metadata, grantedAt: instant(row.grantedAt) }
  return { id, customerId, status, requestedAt: instant(row.requestedAt), ...withoutNulls(optional) }
}

/** One feature over all subscriptions: to be had where one of them that includes it is open. */
export function presentEntitlement(
  access: readonly SubscriptionAccess[],
  featureKey: string,
): EntitlementValue {
  const having = access.flatMap((each) =>
    each.features.filter((card) => card.featureKey === featureKey).map((card) => ({ ...each, card })),
  )
  const open = having.filter((each) => each.access === 'granted')
  const template = (open[0] ?? having[0])?.card.entitlementTemplate
  return { hasAccess: open.length > 0, ...(template?.type === 'static' && { config: template.config }) }
}

/** What a customer may use, and why. */
export function presentAccess(
  access: readonly SubscriptionAccess[],
  pending: readonly AccessRequestRow[],
): CustomerAccess {
  const keys = new Set(access.flatMap(({ features }) => features.map(({ featureKey }) => featureKey)))
  return {
    entitlements: Object.fromEntries([...keys].map((key) => [key, presentEntitlement(access, key)])),
    subscriptions: access.map(({ subscription, firstInvoice, sinceMs, ...decision }) => ({
      id: subscription.id,
      access: decision.access,
      reason: decision.reason,
      since: new Date(sinceMs).toISOString(),
      ...withoutNulls({ planKey: subscription.planKey, firstInvoiceId: firstInvoice?.id ?? null }),
    })),
    requests: pending.map(presentAccessRequest),
  }
}
