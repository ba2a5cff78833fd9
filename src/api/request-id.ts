import type { FastifyRequest } from 'fastify'
import type { ApiDeps } from './deps.ts'

/** What makes a command safe to repeat: the caller's Idempotency-Key, kept apart by caller, or a new id. */
export function commandId(deps: Pick<ApiDeps, 'newId'>, request: FastifyRequest): string {
  const { url, config } = request.routeOptions
  // Each waits for a worker: without this its number would have no bound.
  if (config.admission !== 'command') throw new Error(`the route ${url} takes commands: set config.admission`)
  const key = request.headers['idempotency-key']
  return typeof key === 'string' ? `${request.caller}/${key}` : deps.newId()
}
