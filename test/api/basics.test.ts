import { afterAll, beforeAll, expect, test } from 'vitest'
import { assertBindAllowed } from '../../src/api/plugins/authentication.ts'
import { openDatabase } from '../../src/db/connection.ts'
import { fastify } from 'fastify'
import { healthRoutes } from '../../src/api/routes/health.ts'
import type { TemporalGateway } from '../../src/temporal/gateway.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api.close())

test('the server is live without its dependencies', async () => {
  const answer = await api.app.inject('/healthz')
  expect(answer.json()).toEqual({ status: 'ok' })
})

test('it is not ready while Temporal is not reachable, and says which part fails', async () => {
  const answer = await api.app.inject('/readyz')
  expect(answer.statusCode).toBe(503)
  expect(answer.json()).toMatchObject({
    checks: { database: { ok: true }, migrations: { ok: true }, temporal: { ok: false } },
  })
})

test('that every connection of the pool is in use does not make it not ready', async () => {
  const pool = openDatabase({ connectionString: api.url, maxConnections: 1 })
  const temporal = { checkHealth: async () => ({ ok: true, detail: 'there' }) } as unknown as TemporalGateway
  const app = fastify().decorate('isDraining', () => false)
  await app.register(healthRoutes({ ...api.deps, db: pool, watch: api.db, temporal }))
  const answer = await pool.connection().execute(async () => await app.inject('/readyz'))
  expect(answer.json()).toMatchObject({ status: 'ready', checks: { database: { ok: true } } })
  await app.close()
  await pool.destroy()
})

test('an unknown route is a 404 in the shape of a problem, under the exact media type the client reads', async () => {
  const answer = await api.app.inject('/api/v1/nothing')
  expect(answer.statusCode).toBe(404)
  expect(answer.headers['content-type']).toBe('application/problem+json')
  expect(answer.json()).toMatchObject({
    code: 'not_found',
    status: 404,
    instance: `urn:request:${String(answer.headers['x-request-id'])}`,
  })
})

test('a call of the OpenMeter client that is not served answers 501 with a code', async () => {
  const answer = await api.app.inject('/api/v1/notification/channels')
  expect(answer.statusCode).toBe(501)
  expect(answer.json()).toMatchObject({ code: 'not_implemented' })
})

test('the OpenAPI document is 3.1, and every reference in it resolves', async () => {
  const document = (await api.app.inject('/api/openapi.json')).json()
  expect(document.openapi).toBe('3.1.0')
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
    ([, reference]) => reference ?? '',
  )
  for (const reference of references) {
    expect(reference).toMatch(/^#\/components\/schemas\//)
    expect(document.components.schemas).toHaveProperty([reference.slice('#/components/schemas/'.length)])
  }
})

test('the OpenAPI document says which tag names which schema, and which calls need no key', async () => {
  const document = (await api.app.inject('/api/openapi.json')).json()
  expect(document.components.schemas.RateCard.discriminator).toEqual({
    propertyName: 'type',
    mapping: {
      flat_fee: '#/components/schemas/RateCardFlatFee',
      usage_based: '#/components/schemas/RateCardUsageBased',
    },
  })
  const unions = [...JSON.stringify(document).matchAll(/"discriminator":(\{.*?\}\})/g)]
  for (const [, union = ''] of unions)
    expect(Object.keys(JSON.parse(union).mapping).length).toBeGreaterThan(1)
  expect(document.paths['/healthz'].get.security).toEqual([])
  expect(document.paths['/api/v1/plans'].get.security).toBeUndefined()
})

test('every call of the OpenAPI document has a name of its own, and says how it fails', async () => {
  const document: {
    readonly paths: Readonly<
      Record<string, Readonly<Record<string, { readonly operationId?: string; readonly responses: object }>>>
    >
  } = (await api.app.inject('/api/openapi.json')).json()
  const calls = Object.values(document.paths).flatMap((path) => Object.values(path))
  const names = calls.map(({ operationId }) => operationId)
  expect(new Set(names).size).toBe(names.length)
  expect(names).not.toContain(undefined)
  for (const call of calls) expect(call.responses).toHaveProperty('default')
})

test('every call of the OpenAPI document says what it does', async () => {
  const document: {
    readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly description?: string }>>>>
  } = (await api.app.inject('/api/openapi.json')).json()
  const silent = Object.entries(document.paths).flatMap(([path, calls]) =>
    Object.entries(calls)
      .filter(([, { description = '' }]) => description.trim() === '')
      .map(([method]) => `${method} ${path}`),
  )
  expect(silent).toEqual([])
})

test('the reference page is served under our name', async () => {
  const page = await api.app.inject('/docs/')
  expect(page.statusCode).toBe(200)
  expect(page.body).toContain('<title>Perennial API</title>')
})

test('every call of the OpenAPI document is in a group, and the groups are listed in their order', async () => {
  const document: {
    readonly tags: readonly { readonly name: string }[]
    readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly tags?: readonly string[] }>>>>
  } = (await api.app.inject('/api/openapi.json')).json()
  const calls = Object.values(document.paths).flatMap((path) => Object.values(path))
  for (const { tags } of calls) expect(tags).toHaveLength(1)
  const used = new Set(calls.flatMap(({ tags }) => tags ?? []))
  expect(document.tags.map(({ name }) => name).toSorted()).toEqual([...used].toSorted())
})

test('without a key only loopback may be bound', () => {
  expect(() => assertBindAllowed('127.0.0.1', 0)).not.toThrow()
  expect(() => assertBindAllowed('0.0.0.0', 1)).not.toThrow()
  expect(() => assertBindAllowed('0.0.0.0', 0)).toThrow(/loopback/)
})
