import { afterAll, beforeAll, expect, test } from 'vitest'
import { fastify } from 'fastify'
import { sql } from 'kysely'
import { ulid } from 'ulid'
import { authentication } from '../../src/api/plugins/authentication.ts'
import { generateApiKey, insertApiKey, revokeApiKey } from '../../src/db/stores/api-keys.ts'
import type { ApiKeyScope } from '../../src/db/stores/api-keys.ts'
import {
  claimIdempotencyKey,
  completeIdempotencyKey,
  releaseIdempotencyKey,
} from '../../src/db/stores/idempotency-keys.ts'
import type { KeyClaim } from '../../src/db/stores/idempotency-keys.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
const keys: Partial<Record<ApiKeyScope, string>> = {}
let adminId = ''

beforeAll(async () => {
  api = await startTestApi()
  expect((await api.app.inject('/api/v1/features')).statusCode, 'open while there is no key').toBe(200)
  for (const scope of ['ingest', 'read', 'admin'] as const) {
    const key = generateApiKey()
    const { id } = await insertApiKey(api.db, { id: ulid(), name: scope, key, scopes: [scope] })
    keys[scope] = key
    if (scope === 'admin') adminId = id
  }
})
afterAll(() => api.close())

interface Call {
  readonly key?: string | undefined
  readonly idempotencyKey?: string
  readonly payload?: string | object
}

const post = async (url: string, { key = keys.admin, idempotencyKey, payload }: Call) =>
  api.app.inject({
    method: 'POST',
    url,
    headers: {
      authorization: `Bearer ${key ?? ''}`,
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      ...(typeof payload === 'string' && { 'content-type': 'application/json' }),
    },
    ...(payload !== undefined && { payload }),
  })

const get = async (url: string, key: string | undefined) =>
  api.app.inject({ url, headers: key === undefined ? {} : { authorization: `Bearer ${key}` } })

test('without any key, a caller who does not name this machine is turned away', async () => {
  const open = await startTestApi()
  const call = async (host: string, url = '/api/v1/features') =>
    (await open.app.inject({ url, headers: { host } })).statusCode
  try {
    for (const host of [
      'evil.example',
      'evil.example:8888',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
    ])
      expect(await call(host), host).toBe(401)
    for (const host of ['127.0.0.1:8888', 'localhost:8888', '[::1]:8888', 'perennial.localhost'])
      expect(await call(host), host).toBe(200)
    expect(await call('evil.example', '/healthz')).toBe(200)
  } finally {
    await open.close()
  }
})

test('with a key in the database, a caller without one is turned away', async () => {
  expect((await get('/api/v1/features', undefined)).json()).toMatchObject({
    status: 401,
    code: 'unauthorized',
  })
  expect((await get('/api/v1/features', 'per_wrong')).json()).toMatchObject({ status: 401 })
  expect((await get('/healthz', undefined)).statusCode).toBe(200)
})

test('a key may do what its scope says, and admin everything', async () => {
  expect((await get('/api/v1/features', keys.read)).statusCode).toBe(200)
  expect((await get('/api/v1/features', keys.admin)).statusCode).toBe(200)
  expect((await get('/api/v1/features', keys.ingest)).json()).toMatchObject({
    status: 403,
    code: 'forbidden',
  })
  expect(
    (await post('/api/v1/features', { key: keys.read, payload: { key: 'x', name: 'X' } })).statusCode,
  ).toBe(403)
})

test('a revoked key is refused within a second, and revoking every key does not open the API', async () => {
  const key = generateApiKey()
  const { id } = await insertApiKey(api.db, { id: ulid(), name: 'short', key, scopes: ['read'] })
  expect((await get('/api/v1/features', key)).statusCode).toBe(200)
  await revokeApiKey(api.db, id, new Date())
  const status = async (): Promise<number> => (await get('/api/v1/features', key)).statusCode
  await expect.poll(status).toBe(401)
})

test('that a key is used is noted, and no request waits for the note', async () => {
  const key = generateApiKey()
  const { id } = await insertApiKey(api.db, { id: ulid(), name: 'noted', key, scopes: ['read'] })
  await api.db.transaction().execute(async (trx) => {
    await trx.selectFrom('apiKeys').select('id').where('id', '=', id).forUpdate().execute()
    expect((await get('/api/v1/features', key)).statusCode, 'while the row is locked').toBe(200)
  })
  const lastUsedAt = async (): Promise<Date | null> =>
    (await api.db.selectFrom('apiKeys').select('lastUsedAt').where('id', '=', id).executeTakeFirstOrThrow())
      .lastUsedAt
  await expect.poll(lastUsedAt).not.toBeNull()
})

test('only the hash of a key is stored', async () => {
  const rows = await api.db.selectFrom('apiKeys').selectAll().execute()
  for (const key of Object.values(keys)) expect(JSON.stringify(rows)).not.toContain(key)
})

test('the same write under one idempotency key happens once, and its answer is given again', async () => {
  const call = { idempotencyKey: 'create-seats', payload: { key: 'seats', name: 'Seats' } }
  const first = await post('/api/v1/features', call)
  const second = await post('/api/v1/features', call)
  expect([first.statusCode, second.statusCode]).toEqual([201, 201])
  expect(second.body).toBe(first.body)
  expect(second.headers['idempotent-replayed']).toBe('true')
  expect(first.headers['idempotent-replayed']).toBeUndefined()
  expect(second.headers['content-type']).toBe(first.headers['content-type'])
})

test('what a repeated batch of events is told under its key is what the first was told', async () => {
  const payload = { specversion: '1.0', id: 'kept-1', source: 'test', type: 'none', subject: 'acme' }
  const send = async () =>
    post('/api/v1/events', { key: keys.ingest, idempotencyKey: 'events-1', payload: JSON.stringify(payload) })
  const [first, second] = [await send(), await send()]
  expect(first.headers).toMatchObject({ 'perennial-events-stored': '1', 'perennial-events-duplicate': '0' })
  expect(second.statusCode).toBe(204)
  expect(second.headers).toMatchObject({
    'idempotent-replayed': 'true',
    'perennial-events-stored': '1',
    'perennial-events-duplicate': '0',
    'perennial-events-invalid': '1',
  })
})

test('an idempotency key with another body is refused, and another caller has keys of their own', async () => {
  await post('/api/v1/features', { idempotencyKey: 'one', payload: { key: 'one', name: 'One' } })
  const reused = await post('/api/v1/features', {
    idempotencyKey: 'one',
    payload: { key: 'other', name: 'Other' },
  })
  expect(reused.json()).toMatchObject({ status: 422, code: 'idempotency_key_reused' })
  const key = generateApiKey()
  await insertApiKey(api.db, { id: ulid(), name: 'second admin', key, scopes: ['admin'] })
  expect(
    (await post('/api/v1/features', { key, idempotencyKey: 'one', payload: { key: 'two', name: 'Two' } }))
      .statusCode,
  ).toBe(201)
})

test('a refusal is an answer too: it is replayed', async () => {
  const call = { idempotencyKey: 'twice', payload: { key: 'seats', name: 'Seats' } }
  expect((await post('/api/v1/features', call)).statusCode).toBe(409)
  const again = await post('/api/v1/features', call)
  expect(again.statusCode).toBe(409)
  expect(again.headers['content-type']).toBe('application/problem+json')
  expect(again.headers['idempotent-replayed']).toBe('true')
})

test('the same write at the same time: one does it, the other is told to wait', async () => {
  const call = { idempotencyKey: 'race', payload: { key: 'race', name: 'Race' } }
  const answers = await Promise.all([1, 2, 3, 4].map(() => post('/api/v1/features', call)))
  const created = answers.filter(
    (answer) => answer.statusCode === 201 && answer.headers['idempotent-replayed'] === undefined,
  )
  expect(created).toHaveLength(1)
  const others = answers.filter((answer) => !created.includes(answer))
  for (const other of others) {
    const isReplay = other.headers['idempotent-replayed'] === 'true'
    expect(isReplay ? other.body : other.json()).toEqual(
      isReplay ? created[0]?.body : expect.objectContaining({ status: 409, code: 'idempotency_key_in_use' }),
    )
  }
})

/** As if its holder had held it for longer than a minute; in its words. */
async function expire(key: string): Promise<{ readonly claimedAt: string }> {
  return await api.db
    .updateTable('idempotencyKeys')
    .set({ createdAt: sql<Date>`created_at - interval '61 seconds'` })
    .where('key', '=', key)
    .returning(sql<string>`created_at::text`.as('claimedAt'))
    .executeTakeFirstOrThrow()
}

const claimOf = (key: string): KeyClaim => ({
  caller: adminId,
  key,
  method: 'POST',
  path: '/x',
  bodyHash: Buffer.from('same'),
})

const answerOf = (status: number) => ({ status, headers: {}, body: null })

test('a claim whose holder crashed is taken over by the same request after a minute, and by no other', async () => {
  const claim = claimOf('crashed')
  expect(await claimIdempotencyKey(api.db, claim)).toMatchObject({ kind: 'claimed' })
  expect(await claimIdempotencyKey(api.db, claim)).toEqual({ kind: 'in_flight' })
  await expire('crashed')
  const other = { ...claim, bodyHash: Buffer.from('other') }
  expect(await claimIdempotencyKey(api.db, other)).toEqual({ kind: 'reused' })
  expect(await claimIdempotencyKey(api.db, claim)).toMatchObject({ kind: 'claimed' })
})

test('a holder that was slow neither answers nor gives up the claim that another took over', async () => {
  const claim = claimOf('slow')
  await claimIdempotencyKey(api.db, claim)
  const slow = { ...claim, ...(await expire('slow')) }
  const taken = await claimIdempotencyKey(api.db, claim)
  if (taken.kind !== 'claimed') throw new Error(`it is ${taken.kind}`)

  await releaseIdempotencyKey(api.db, slow)
  await completeIdempotencyKey(api.db, slow, answerOf(409))
  expect(await claimIdempotencyKey(api.db, claim)).toEqual({ kind: 'in_flight' })
  await completeIdempotencyKey(api.db, { ...claim, claimedAt: taken.claimedAt }, answerOf(201))
  await completeIdempotencyKey(api.db, slow, answerOf(409))
  expect(await claimIdempotencyKey(api.db, claim)).toEqual({ kind: 'answered', answer: answerOf(201) })
})

test('a claim of a process whose clock is behind is not one of a process that crashed', async () => {
  const behind = await startTestApi({ now: () => new Date(Date.now() - 5 * 60_000) })
  try {
    const { statusCode } = await behind.app.inject({
      method: 'POST',
      url: '/api/v1/features',
      headers: { 'idempotency-key': 'behind' },
      payload: { key: 'behind', name: 'Behind' },
    })
    expect(statusCode).toBe(201)
    const claims = behind.db.selectFrom('idempotencyKeys').select('key')
    expect(await claims.where('createdAt', '<', sql<Date>`now() - interval '1 minute'`).execute()).toEqual([])
  } finally {
    await behind.close()
  }
})

test('a body of 10 MB, a broken one, one of another kind and one with a NUL character are refused', async () => {
  expect(
    (await post('/api/v1/features', { payload: { key: 'x', name: 'x'.repeat(10_000_000) } })).json(),
  ).toMatchObject({ status: 413, code: 'body_too_large' })
  expect((await post('/api/v1/features', { payload: '{"key": ' })).json()).toMatchObject({
    status: 400,
    code: 'malformed_body',
  })
  expect(
    (await post('/api/v1/features', { payload: '{"key": "x", "name": "a\\u0000b"}' })).json(),
  ).toMatchObject({ status: 400, code: 'nul_character', field: 'name' })
  expect((await post('/api/v1/features', { payload: '' })).json()).toMatchObject({
    status: 400,
    code: 'validation_failed',
  })
  expect((await get('/api/v1/features/%00', keys.admin)).json()).toMatchObject({
    status: 400,
    code: 'nul_character',
  })
  const xml = await api.app.inject({
    method: 'POST',
    url: '/api/v1/features',
    headers: { authorization: `Bearer ${keys.admin ?? ''}`, 'content-type': 'text/xml' },
    payload: '<a/>',
  })
  expect(xml.json()).toMatchObject({ status: 415, code: 'unsupported_media_type' })
})

test('a wrong field is named with what would be right, and null or a number is not taken for text', async () => {
  expect((await post('/api/v1/features', { payload: { name: 'X' } })).json()).toMatchObject({
    field: 'key',
    detail: 'key must be given.',
  })
  expect((await post('/api/v1/features', { payload: { key: 'x', name: 5 } })).json()).toMatchObject({
    field: 'name',
    detail: 'name must be of type string.',
  })
  expect((await post('/api/v1/features', { payload: { key: 'x', name: null } })).json()).toMatchObject({
    field: 'name',
  })
  expect((await get('/api/v1/features?page=0', keys.read)).json()).toMatchObject({
    status: 400,
    field: 'page',
  })
  expect((await get('/api/v1/features?orderBy=bad', keys.read)).json()).toMatchObject({
    status: 400,
    field: 'orderBy',
  })
})

test('a route that names no scope does not start', async () => {
  const app = fastify()
  await app.register(authentication(api.deps))
  expect(() => app.get('/forgotten', async () => 'x')).toThrow(/names no scope/)
  expect(() => app.get('/known', { config: { scope: 'read' } }, async () => 'x')).not.toThrow()
})
