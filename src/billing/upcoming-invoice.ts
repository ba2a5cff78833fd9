import type { Db } from '../db/connection.ts'
import { subscriptionBillingRows } from '../db/stores/billing-settings.ts'
import { DomainError } from '../domain/errors.ts'
import { planClosing } from './closing-plan.ts'
import type { ClosingPlan } from './closing-plan.ts'
import { upcomingClosing } from './next-due.ts'
import { settingsOf } from './settings.ts'

/**
 * What the subscription's next invoice would be if it were billed with the usage that is known now: the plan that the
 * close executes, not executed. null when nothing will be billed any more. Errors: not_found.
 */
export async function upcomingInvoice(
  db: Db,
  request: { readonly subscriptionId: string },
): Promise<ClosingPlan | null> {
  const found = await subscriptionBillingRows(db, request.subscriptionId)
  if (found === null)
    throw new DomainError('not_found', `subscription ${request.subscriptionId} does not exist`)
  const { subscription, billing } = found
  const closing = upcomingClosing(subscription)
  if (closing === null) return null
  const settings = settingsOf(billing)
  return await planClosing(db, { subscription, settings, closing, reason: 'period' })
}
