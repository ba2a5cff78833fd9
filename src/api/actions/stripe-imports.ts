import { importSubscription } from '../../billing/stripe-import.ts'
import type { ImportRequest } from '../../billing/stripe-import.ts'
import type { StripeImportRow } from '../../db/stores/stripe-imports.ts'
import { DomainError } from '../../domain/errors.ts'
import type { ApiDeps } from '../deps.ts'
import { requireApp } from './require-app.ts'

/**
 * Imports one subscription of Stripe's now; one that was imported stays as it is. Errors: not_found,
 * stripe_subscription_not_found, stripe_subscription_not_importable, clock_busy, stripe_unavailable.
 */
export async function importByHand(deps: ApiDeps, request: ImportRequest): Promise<StripeImportRow> {
  await requireApp(deps, request.appId)
  const made = await importSubscription(deps, request)
  if (made.subscriptionId !== null) return made
  throw new DomainError('stripe_subscription_not_importable', made.reason ?? made.status)
}
