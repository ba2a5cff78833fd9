import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { lateUsageReport } from '../../billing/late-usage-report.ts'
import type { UnbilledLateUsage } from '../../billing/late-usage-report.ts'
import { currency } from '../../domain/currency.ts'
import type { Currency } from '../../domain/currency.ts'
import { formatMinor } from '../../domain/money.ts'
import { subscriptionOf } from '../actions/cancel-subscription.ts'
import type { ApiDeps } from '../deps.ts'
import { LateUsage } from '../schemas/late-usage.ts'
import { ref } from '../schemas/reference.ts'
import { SubscriptionParams } from '../schemas/subscriptions.ts'

/** Late usage that no invoice has billed: waiting for the next one, left out by policy, or after the window. */
export function lateUsageRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/api/v1/subscriptions/:subscriptionId/late-usage',
      {
        config: { scope: 'read' },
        schema: {
          operationId: 'listLateUsage',
          tags: ['Subscriptions'],
          description:
            'Usage of closed periods that no invoice has billed, and what it would cost: what the next ' +
            "closing will bill, what the profile's policy leaves out, and what came after the window. " +
            'Computed when asked.',
          params: SubscriptionParams,
          response: { 200: Type.Array(ref(LateUsage)) },
        },
      },
      async ({ params: { subscriptionId } }) => {
        const row = await subscriptionOf(deps, subscriptionId)
        const c = currency(row.currency)
        return (await lateUsageReport(deps.db, row.id)).map((one) => present(one, c))
      },
    )
  }
}

function present(
  { slice, quantity, differenceMinor, description }: UnbilledLateUsage,
  c: Currency,
): LateUsage {
  return {
    lineKey: slice.lineKey,
    featureKey: slice.featureKey,
    period: { from: slice.serviceFrom.toISOString(), to: slice.serviceTo.toISOString() },
    billedQuantity: slice.quantity,
    quantity,
    billedAmount: formatMinor(BigInt(slice.billedMinor), c),
    difference: formatMinor(differenceMinor, c),
    currency: c.code,
    description,
  }
}
