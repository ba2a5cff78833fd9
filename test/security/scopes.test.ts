import { afterAll, beforeAll, expect, test } from 'vitest'
import { ulid } from 'ulid'
import type { RouteScope } from '../../src/api/plugins/authentication.ts'
import { generateApiKey, insertApiKey, revokeApiKey } from '../../src/db/stores/api-keys.ts'
import type { ApiKeyScope } from '../../src/db/stores/api-keys.ts'
import { startTestApi } from '../api/support.ts'
import type { TestApi } from '../api/support.ts'

let api: TestApi
const keys = new Map<string, string>()

beforeAll(async () => {
  api = await startTestApi()
  for (const scope of ['ingest', 'read', 'admin', 'revoked'] as const) {
    const key = generateApiKey()
    const scopes: readonly ApiKeyScope[] = [scope === 'revoked' ? 'admin' : scope]
    const { id } = await insertApiKey(api.db, { id: ulid(), name: scope, key, scopes })
    if (scope === 'revoked') await revokeApiKey(api.db, id, new Date())
    keys.set(scope, key)
  }
})
afterAll(() => api.close())

/** Who calls, and what each scope answers: a number, or `in` for whatever the route itself says. */
const callers: readonly (readonly [string, Record<RouteScope, number | 'in'>])[] = [
  ['nobody', { public: 'in', ingest: 401, read: 401, admin: 401 }],
  ['unknown', { public: 'in', ingest: 401, read: 401, admin: 401 }],
  ['revoked', { public: 'in', ingest: 401, read: 401, admin: 401 }],
  ['ingest', { public: 'in', ingest: 'in', read: 403, admin: 403 }],
  ['read', { public: 'in', ingest: 403, read: 'in', admin: 403 }],
  ['admin', { public: 'in', ingest: 'in', read: 'in', admin: 'in' }],
]

async function statusOf(caller: string, method: string, url: string): Promise<number> {
  const key = caller === 'unknown' ? generateApiKey() : keys.get(caller)
  const { statusCode } = await api.app.inject({
    method: method as 'GET',
    url: url.replaceAll(/:\w+|\*/g, 'none'),
    headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
  })
  return statusCode
}

test.each(callers)(
  'on every route, %s gets in where the scope of the route says so',
  async (caller, says) => {
    expect(api.app.scopedRoutes.length).toBeGreaterThan(150)
    for (const { method, url, scope } of api.app.scopedRoutes) {
      const expected = says[scope]
      const status = await statusOf(caller, method, url)
      if (expected === 'in') expect([401, 403], `${method} ${url} (${scope})`).not.toContain(status)
      else expect(status, `${method} ${url} (${scope})`).toBe(expected)
    }
  },
)

const open = ['GET /', 'GET /api/openapi.json', 'GET /api/v1', 'GET /healthz', 'GET /readyz']
const signed = ['POST /api/v1/apps/:id/stripe/webhook']
const ingesting = ['POST /api/v1/events']
/** What reads by POST, since a query may be long; what is no mere read though it is a GET. */
const exceptions = new Map<string, RouteScope>([
  ['POST /api/v1/meters/:meterIdOrSlug/query', 'read'],
  ['GET /api/v1/marketplace/listings/:type/install/oauth2', 'admin'],
  ['GET /api/v1/marketplace/listings/:type/install/oauth2/authorize', 'admin'],
])

test('what is open to everyone, and what a key for sending events may do, is listed here by name', () => {
  const named = (scope: RouteScope): readonly string[] =>
    api.app.scopedRoutes
      .filter((route) => route.scope === scope && route.method !== 'HEAD' && !route.url.startsWith('/docs'))
      .map(({ method, url }) => `${method} ${url}`)
      .sort()
  expect(named('public')).toEqual([...open, ...signed].sort())
  expect(named('ingest')).toEqual(ingesting)
})

test('what writes needs admin, and what reads does not', () => {
  for (const { method, url, scope } of api.app.scopedRoutes) {
    if (scope === 'public' || scope === 'ingest') continue
    const usual = ['GET', 'HEAD'].includes(method) ? 'read' : 'admin'
    const listed = exceptions.get(`${method.replace('HEAD', 'GET')} ${url}`)
    expect(scope, `${method} ${url}`).toBe(listed ?? usual)
  }
})

test('every operation of the OpenAPI document is a route of the table above', () => {
  const known = new Set(
    api.app.scopedRoutes.map(({ method, url }) => `${method} ${url.replaceAll(/:(\w+)/g, '{$1}')}`),
  )
  for (const [url, path] of Object.entries(api.app.swagger().paths ?? {}))
    for (const method of Object.keys(path ?? {}))
      expect(known, `${method} ${url}`).toContain(`${method.toUpperCase()} ${url}`)
})
