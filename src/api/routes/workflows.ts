import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiDeps } from '../deps.ts'
import { parseInstant } from '../instants.ts'
import { PokedWorkflows, WorkflowPoke } from '../schemas/workflows.ts'
import { ref } from '../schemas/reference.ts'

/** Moves what sleeps to the code that runs now, a page at a time: the caller sets the pace. */
export function workflowRoutes(deps: ApiDeps): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.post(
      '/api/v1/workflows/poke',
      {
        config: { scope: 'admin' },
        schema: {
          operationId: 'pokeWorkflows',
          tags: ['Workflows'],
          description:
            'Tells a page of the open workflows to begin a new run and to look again; ask again with `next` until there is none.',
          body: ref(WorkflowPoke),
          response: { 200: ref(PokedWorkflows) },
        },
      },
      async ({ body }) => {
        const startedBefore =
          body.startedBefore === undefined ? deps.now() : parseInstant(body.startedBefore, 'startedBefore')
        const { limit = 100, after = null } = body
        const { workflowIds, next } = await deps.temporal.pokeOpen({ startedBefore, limit, after })
        return {
          poked: workflowIds.length,
          startedBefore: startedBefore.toISOString(),
          ...(next !== null && { next }),
        }
      },
    )
  }
}
