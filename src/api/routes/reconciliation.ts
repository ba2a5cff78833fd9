import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { reconcileSlice } from '../../reconcile/reconcile.ts'
import type { ApiDeps } from '../deps.ts'
import { Reconciliation, ReconciliationRequest } from '../schemas/reconciliation.ts'
import { ref } from '../schemas/reference.ts'

/** Compares rows, workflows and Stripe when somebody asks; the worker does so by itself every few minutes. */
export function reconciliationRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/reconciliation',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'reconcile',
          tags: ['Reconciliation'],
          description: 'Compares a page and repairs what differs; ask again with `next` until there is none.',
          body: ref(ReconciliationRequest),
          response: { 200: ref(Reconciliation) },
        },
      },
      async ({ body }) => {
        const look = { dryRun: body.dryRun ?? false, now: deps.now(), lookedAt: null }
        const { examined, findings, next } = await reconcileSlice(deps, look, body.after ?? null)
        return { examined, findings: [...findings], ...(next !== null && { next }) }
      },
    )
  }
}
