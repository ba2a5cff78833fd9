import { storedApp } from '../db/stores/billing-settings.ts'
import type { OutboxRow } from '../db/stores/outbox.ts'
import { setImportEnded, setImportReason } from '../db/stores/stripe-imports.ts'
import { listPlanMappings } from '../db/stores/stripe-plan-mappings.ts'
import { getSubscription, lastCancelRequest } from '../db/stores/subscriptions.ts'
import type { SubscriptionRow } from '../db/stores/subscriptions.ts'
import { isDomainError } from '../domain/errors.ts'
import type { RelayDeps } from './relay.ts'

type EndDeps = Pick<RelayDeps, 'db' | 'stripe' | 'temporal'>

/** What our cancelations because of Stripe are known by. */
const PREFIX = 'stripe-end-'

/**
 * Brings the end of a subscription in line with the end of the one at Stripe that it was made from: where that ended, or
 * is canceled for a later instant, ours ends at that instant, or as of what is billed already. A cancelation that was
 * taken back at Stripe is taken back here, unless it was made here.
 */
export async function endWithStripe(deps: EndDeps, outbox: OutboxRow): Promise<void> {
  const row = await getSubscription(deps.db, outbox.subjectId)
  if (row === undefined || row.stripeAppId === null || row.stripeSubscriptionId === null) return
  const app = await storedApp(deps.db, row.stripeAppId)
  // Uninstalled: nobody can ask any more.
  if (app.apiKeyEncrypted === null) return
  const there = await deps.stripe.getSubscription(app, row.stripeSubscriptionId)
  await moveEnd(deps, row, { endMs: there.endedMs ?? there.cancelAtMs, tries: outbox.attempts })
  await setImportReason(deps.db, row.id, await otherPlan(deps, row, there.priceIds))
  if (there.endedMs !== null) await setImportEnded(deps.db, row.id)
}

/** Another price at Stripe does not change the plan here: what is billed is for a person to decide. */
async function otherPlan(
  { db }: EndDeps,
  row: SubscriptionRow,
  priceIds: readonly string[],
): Promise<string | null> {
  const mappings = await listPlanMappings(db, row.stripeAppId ?? '')
  const plans = mappings.filter(({ stripePriceId }) => priceIds.includes(stripePriceId))
  if (plans.some(({ planKey }) => planKey === row.planKey)) return null
  const prices = priceIds.join(', ')
  const [other] = plans
  return other === undefined
    ? `At Stripe its price is ${prices} now, which is not mapped; here it stays on ${row.planKey ?? 'its plan'}.`
    : `At Stripe its price is ${prices} now, which stands for ${other.planKey}; here it stays on ${row.planKey ?? 'its plan'}.`
}

interface End {
  /** null: it goes on. */
  readonly endMs: number | null
  readonly tries: number
}

async function moveEnd(deps: EndDeps, row: SubscriptionRow, { endMs, tries }: End): Promise<void> {
  const ourMs = row.activeTo?.getTime() ?? null
  const billedMs = row.closedThrough?.getTime() ?? -Infinity
  const isOver = row.lifecycle === 'ended' || (ourMs !== null && billedMs >= ourMs)
  const effectiveAtMs = endMs === null ? null : Math.max(endMs, billedMs, row.activeFrom.getTime())
  if (isOver || ourMs === effectiveAtMs) return
  // An update that was refused is refused again under its id: each try has its own.
  const requestId = `${PREFIX}${effectiveAtMs ?? 'none'}-${row.version}-${tries}`
  // One that comes forward needs no withdrawal, which is refused once a fee was billed only up to it.
  const bringsForward = ourMs !== null && effectiveAtMs !== null && effectiveAtMs < ourMs
  if (ourMs !== null && !bringsForward) {
    const isStripes = (await lastCancelRequest(deps.db, row.id))?.startsWith(PREFIX) === true
    // Canceled here, and for an earlier instant: that stands.
    if (!isStripes) return
    const undo = { kind: 'unschedule_cancelation', requestId: `${requestId}-undo` } as const
    if (!(await isUndone(deps.temporal.updateSubscription(row.id, undo)))) return
  }
  if (effectiveAtMs === null) return
  // Refused where another delivery was faster: the next try sees whether it was for the same instant.
  await deps.temporal.updateSubscription(row.id, { kind: 'cancel', requestId, effectiveAtMs, bringsForward })
}

/** False where trying again would not change that it is refused. */
async function isUndone(update: Promise<void>): Promise<boolean> {
  try {
    await update
    return true
  } catch (error) {
    if (isDomainError(error) && ['conflict', 'subscription_overlap'].includes(error.code)) return false
    throw error
  }
}
