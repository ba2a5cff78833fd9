import type { StripeImportRow } from '../../db/stores/stripe-imports.ts'
import type { StripeImportedSubscription } from '../schemas/stripe-plan-mappings.ts'

export function presentImport(row: StripeImportRow): StripeImportedSubscription {
  return {
    stripeSubscriptionId: row.stripeSubscriptionId,
    ...(row.subscriptionId !== null && { subscriptionId: row.subscriptionId }),
    // Held by a constraint of the table.
    status: row.status as StripeImportedSubscription['status'],
    ...(row.reason !== null && { reason: row.reason }),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  }
}
