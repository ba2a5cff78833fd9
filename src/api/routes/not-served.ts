import type { FastifyInstance } from 'fastify'
import { DomainError } from '../../domain/errors.ts'
import { contractOperations } from '../contract-operations.ts'
import type { RouteScope } from '../plugins/authentication.ts'

/** Answers 501 for every call of the OpenMeter client that no other route took. Register it last. */
export async function notServedRoutes(app: FastifyInstance): Promise<void> {
  const missing = contractOperations.filter(({ method, url }) => !app.hasRoute({ method, url }))
  for (const { method, url } of missing) {
    const scope: RouteScope = method === 'GET' ? 'read' : 'admin'
    app.route({
      method,
      url,
      config: { scope },
      schema: { hide: true },
      handler: async () => {
        throw new DomainError(
          'not_implemented',
          `${method} ${url} of the OpenMeter API is not served yet; docs/openmeter.md lists what is.`,
        )
      },
    })
  }
}
