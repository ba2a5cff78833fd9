import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { DomainError } from '../../domain/errors.ts'
import { anyApiKeyExists, findApiKey, hashApiKey, touchApiKey } from '../../db/stores/api-keys.ts'
import type { ApiKey, ApiKeyScope } from '../../db/stores/api-keys.ts'
import type { ApiDeps } from '../deps.ts'
import { heldLookup } from '../held-lookup.ts'

/** What a route asks of its caller; `public` asks nothing. */
export type RouteScope = ApiKeyScope | 'public'

/** A route with what it asks of its caller. */
export interface ScopedRoute {
  readonly method: string
  readonly url: string
  readonly scope: RouteScope
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route that was registered, in order. */
    scopedRoutes: ScopedRoute[]
  }
  interface FastifyContextConfig {
    scope?: RouteScope
  }
  interface FastifyRequest {
    /** The id of the API key that called, or `anonymous`: idempotency keys are kept per caller. */
    caller: string
  }
}

const ANONYMOUS = 'anonymous'
const TOUCH_AFTER_MS = 60_000
const KNOWN_FOR_MS = 1000
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/** Whether only this machine reaches what listens there. */
export const isLoopback = (host: string): boolean => LOOPBACK.has(host)

/** Without any key everyone may do everything, so only this machine may reach us then. */
export function assertBindAllowed(host: string, keyCount: number): void {
  if (keyCount > 0 || isLoopback(host)) return
  throw new DomainError(
    'bind_refused',
    `Without an API key the server listens on loopback only, not on ${host}; create one with \`perennial keys create\`.`,
  )
}

/**
 * Whether the caller knows us by an address of this machine. A page in this machine's browser reaches loopback too, under
 * a name of its own that it points here (DNS rebinding), and so does a tunnel.
 */
function namesThisMachine({ headers: { host } }: FastifyRequest): boolean {
  if (host === undefined) return true
  if (!URL.canParse(`http://${host}`)) return false
  const { hostname } = new URL(`http://${host}`)
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

function requireThisMachine(request: FastifyRequest): void {
  if (namesThisMachine(request)) return
  throw new DomainError(
    'unauthorized',
    'Until an API key exists only this machine may call, at 127.0.0.1 or localhost; create one with `perennial keys create`.',
  )
}

function presentedKey(request: FastifyRequest): string | null {
  const header = request.headers.authorization
  if (header === undefined) return null
  return /^Bearer +([\x21-\x7e]+)$/i.exec(header)?.[1] ?? ''
}

function allows(scopes: readonly string[], needed: ApiKeyScope): boolean {
  return scopes.includes('admin') || scopes.includes(needed)
}

/** Swagger's own routes carry no config of ours. */
function scopeOf(url: string, config: { readonly scope?: RouteScope } | undefined): RouteScope {
  if (config?.scope !== undefined) return config.scope
  if (url === '/docs' || url.startsWith('/docs/')) return 'public'
  throw new Error(`the route ${url} names no scope: set config.scope to ingest, read, admin or public`)
}

/** Finds keys, and notes that they are used: a revoked one is refused after a second at the latest. */
function keyLookup({ db, now, log }: ApiDeps): (presented: string) => Promise<ApiKey | null> {
  const touching = new Set<string>()
  /** Nobody waits for it, as it is a write to the disk. */
  const touch = (id: string, at: Date): void => {
    if (touching.has(id)) return
    touching.add(id)
    touchApiKey(db, id, at)
      .catch((error: unknown) => log.warn({ err: error }, 'the use of an API key could not be noted'))
      .finally(() => touching.delete(id))
  }
  const { find } = heldLookup(KNOWN_FOR_MS, async (hash) => {
    const key = await findApiKey(db, Buffer.from(hash, 'base64'))
    const at = now()
    const isFresh = key?.lastUsedAt && at.getTime() - key.lastUsedAt.getTime() <= TOUCH_AFTER_MS
    if (key !== null && key.revokedAt === null && !isFresh) touch(key.id, at)
    return key
  })
  return async (presented) => await find(hashApiKey(presented).toString('base64'))
}

/**
 * API keys: `Authorization: Bearer <key>`. A database that never had a key is open, except to an API that others than this
 * machine can call (`beyondLoopback`); revoking the last one does not open it again.
 */
export function authentication(deps: ApiDeps, beyondLoopback = false) {
  let closed = beyondLoopback
  const isOpen = async (): Promise<boolean> => {
    if (!closed) closed = await anyApiKeyExists(deps.db)
    return !closed
  }
  const find = keyLookup(deps)
  const authenticate = async (presented: string, needed: ApiKeyScope): Promise<string> => {
    const key = await find(presented)
    if (key === null || key.revokedAt !== null)
      throw new DomainError('unauthorized', 'This API key is not known here, or was revoked.')
    if (!allows(key.scopes, needed)) {
      throw new DomainError(
        'forbidden',
        `This API key may ${key.scopes.join(', ')}; this call needs ${needed}.`,
      )
    }
    return key.id
  }
  return fp(async (app) => {
    app.decorateRequest('caller', ANONYMOUS)
    app.decorate('scopedRoutes', [])
    app.addHook('onRoute', (route) => {
      const scope = scopeOf(route.url, route.config)
      route.config = { ...route.config, scope }
      for (const method of [route.method].flat()) app.scopedRoutes.push({ method, url: route.url, scope })
    })
    app.addHook('onRequest', async (request) => {
      const scope = request.routeOptions.config.scope
      if (scope === undefined || scope === 'public') return
      if (await isOpen()) return requireThisMachine(request)
      const presented = presentedKey(request)
      if (presented === null)
        throw new DomainError('unauthorized', 'Send an API key: `Authorization: Bearer <key>`.')
      request.caller = await authenticate(presented, scope)
    })
  })
}
