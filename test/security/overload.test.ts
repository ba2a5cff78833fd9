import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { sql } from 'kysely'
import { pino } from 'pino'
import { ulid } from 'ulid'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { defaultLimits } from '../../src/api/admission.ts'
import type { ApiLimits } from '../../src/api/admission.ts'
import { buildApp } from '../../src/api/app.ts'
import { unobserved } from '../../src/api/observer.ts'
import { poolUse } from '../../src/db/connection.ts'
import { generateApiKey, insertApiKey } from '../../src/db/stores/api-keys.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { waitFor } from '../support/scenario.ts'

const NOW = new Date('2026-11-21T12:00:00Z')
const REQUESTS = 4
const PER_KEY = 20

let database: TestDatabase
/** Works on few requests at once. */
let narrow: string
/** Lets few queries wait, and gives each key a rate. */
let strict: string
let apps: readonly FastifyInstance[] = []
let refusals: string[] = []
/** Begun, and neither answered nor left by their clients. */
let requests = 0

beforeAll(async () => {
  database = await createTestDatabase()
  const notUsed = {} as never
  const deps = {
    db: database.db,
    temporal: notUsed,
    stripe: notUsed,
    config: { publicUrl: '' },
    newId: ulid,
    now: () => NOW,
    log: pino({ level: 'silent' }),
    observer: {
      ...unobserved,
      requestBegan: (): void => void (requests += 1),
      requestEnded: (): void => void (requests -= 1),
      refused: (reason: string): void => void refusals.push(reason),
    },
  }
  const start = async (limits: Partial<ApiLimits>): Promise<FastifyInstance> => {
    const app = await buildApp(deps, { limits: { ...defaultLimits, ...limits } })
    await app.listen({ host: '127.0.0.1', port: 0 })
    return app
  }
  apps = [
    await start({ requests: REQUESTS, bodyBytes: 1_000_000 }),
    await start({ queuedQueries: 3, perKeyPerSecond: PER_KEY }),
  ]
  const [first, second] = apps.map(({ listeningOrigin }) => listeningOrigin)
  narrow = first ?? ''
  strict = second ?? ''
})
beforeEach(() => {
  refusals = []
})
afterAll(async () => {
  await Promise.all(apps.map(async (app) => await app.close()))
  await database.drop()
})

/** Whoever reads or writes the table waits until `release`. */
async function locked(table: string): Promise<{ release: () => Promise<unknown> }> {
  const trx = await database.db.startTransaction().execute()
  await sql`LOCK TABLE ${sql.table(table)} IN ACCESS EXCLUSIVE MODE`.execute(trx)
  return { release: async () => await trx.commit().execute() }
}

async function post(url: string, id: number, signal?: AbortSignal): Promise<Response> {
  return await fetch(`${url}/api/v1/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify({ specversion: '1.0', id: `${id}`, source: 's', type: 't', subject: 'c' }),
    ...(signal && { signal }),
  })
}

const ids = Array.from({ length: 60 }, (_, id) => id)

test('what is more than is worked on at once is refused with 429 and Retry-After, and what was accepted is there once', async () => {
  const url = narrow
  const events = await locked('events')
  const answers = ids.map(async (id) => ({ id, answer: await post(url, id) }))
  await waitFor(
    async () => refusals.length,
    (count) => count === ids.length - REQUESTS,
  )
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  await events.release()
  const answered = await Promise.all(answers)
  const refused = answered.filter(({ answer }) => answer.status !== 204)
  expect(refused).toHaveLength(ids.length - REQUESTS)
  for (const { answer } of refused) {
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'too_many_requests', status: 429 })
  }
  for (const { id } of refused) {
    const again = await waitFor(
      async () => await post(url, id),
      ({ status }) => status !== 429,
    )
    expect(again.status).toBe(204)
  }
  const { rows } = await sql<{ n: string; different: string }>`
    SELECT count(*) AS n, count(DISTINCT id) AS different FROM events WHERE id::int < ${ids.length}`.execute(
    database.db,
  )
  expect(rows[0]).toEqual({ n: '60', different: '60' })
})

/** Twice as many calls as there is room for: half of them is refused, the others wait for the locked table. */
async function fill(url: string, signal?: AbortSignal): Promise<readonly Promise<number>[]> {
  const calls = ids.slice(0, 2 * REQUESTS).map(async (id) => {
    const answer = await post(url, id, signal).catch(() => null)
    return answer?.status ?? 0
  })
  await waitFor(
    async () => refusals.length,
    (count) => count === REQUESTS,
  )
  return calls
}

test('work whose client has gone counts until it is done', async () => {
  const url = narrow
  const events = await locked('events')
  const leaving = new AbortController()
  const calls = await fill(url, leaving.signal)
  leaving.abort()
  await Promise.all(calls)
  for (const id of [97, 98, 99]) expect((await post(url, id)).status).toBe(429)
  await events.release()
  await waitFor(
    async () => (await post(url, 99)).status,
    (status) => status === 204,
  )
})

const webhookPath = '/api/v1/apps/none/stripe/webhook'
const signature = `t=${NOW.getTime() / 1000},v1=${'a'.repeat(64)}`

async function postWebhook(url: string): Promise<number> {
  const headers = { 'stripe-signature': signature }
  return (await fetch(`${url}${webhookPath}`, { method: 'POST', headers, body: '{}' })).status
}

test('webhooks have room when calls have none', async () => {
  const url = narrow
  const events = await locked('events')
  const calls = await fill(url)
  // It was looked at: there is no such app.
  expect(await postWebhook(url)).toBe(404)
  await events.release()
  expect((await Promise.all(calls)).filter((status) => status === 204)).toHaveLength(REQUESTS)
})

test('commands that wait for workers leave room for what needs none', async () => {
  const url = narrow
  const subscriptions = await locked('subscriptions')
  const commands = [1, 2, 3].map(
    async () => (await fetch(`${url}/api/v1/subscriptions/none/cancel`, { method: 'POST' })).status,
  )
  await waitFor(
    async () => refusals.length,
    (count) => count === 2,
  )
  expect(refusals).toEqual(['commands', 'commands'])
  expect((await fetch(`${url}/api/v1/meters`)).status).toBe(200)
  await subscriptions.release()
  // There is no such subscription.
  expect((await Promise.all(commands)).toSorted((a, b) => a - b)).toEqual([404, 429, 429])
})

test('more queries than may wait for the database are not begun', async () => {
  const url = strict
  // Each call asks first whether there is a key, and gets no further: it has one query, and keeps it.
  const keys = await locked('api_keys')
  const list = async (): Promise<number> => (await fetch(`${url}/api/v1/meters`)).status
  const asked = (): number => {
    const { open, idle, waiting } = poolUse(database.db)
    return open - idle + waiting
  }
  const begun: Promise<number>[] = []
  while (poolUse(database.db).waiting < 3) {
    const before = asked()
    begun.push(list())
    await waitFor(
      async () => asked(),
      (now) => now === before + 1,
    )
  }
  expect(await list()).toBe(429)
  expect(refusals).toEqual(['database'])
  await keys.release()
  expect(new Set(await Promise.all(begun))).toEqual(new Set([200]))
})

test('who sends a body slowly holds up nobody else, and bodies are bounded together', async () => {
  const url = narrow
  // Twelve of 80 kB fit, the thirteenth does not.
  const slow = Array.from({ length: 13 }, () => announcing(url, 80_000))
  expect(await Promise.race(slow.map(firstLine))).toBe('HTTP/1.1 429 Too Many Requests')
  expect(refusals).toEqual(['bodies'])
  expect((await post(url, 1)).status).toBe(204)
  for (const socket of slow) socket.destroy()
  await waitFor(
    async () => (await fetch(`${url}/api/v1/meters`)).status,
    (status) => status === 200,
  )
})

/** A request whose body is announced and never sent. */
function announcing(url: string, bytes: number, path = '/api/v1/events'): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const headers = ['host: localhost', `stripe-signature: ${signature}`, `content-length: ${bytes}`]
  socket.write(`POST ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\ncontent-type: application/json\r\n\r\n[`)
  return socket
}

test.each([
  ['large', 250_000, 1],
  ['many', 2, 4 * REQUESTS],
])(
  'webhooks whose bodies come slowly (%s) make room for those that come at once',
  async (_how, bytes, count) => {
    const url = narrow
    await untilRequests(0)
    const slow = Array.from({ length: count }, () => announcing(url, bytes, webhookPath))
    const ended = Promise.race(slow.map(firstLine))
    await untilRequests(count)
    expect(await postWebhook(url)).toBe(404)
    expect(await ended).toBe('HTTP/1.1 408 Request Timeout')
    expect(refusals).toEqual(['bodies'])
    for (const socket of slow) socket.destroy()
    await untilRequests(0)
  },
)

async function untilRequests(count: number): Promise<void> {
  await waitFor(
    async () => requests,
    (now) => now === count,
  )
}

async function firstLine(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as readonly Buffer[]
  socket.destroy()
  return chunk?.toString('latin1').split('\r\n')[0] ?? ''
}

test('where a rate is set each key has its own', async () => {
  const keys = [generateApiKey(), generateApiKey()]
  for (const key of keys) await insertApiKey(database.db, { id: ulid(), name: 'k', key, scopes: ['read'] })
  const url = strict
  const list = async (key = ''): Promise<Response> =>
    await fetch(`${url}/api/v1/meters`, { headers: { authorization: `Bearer ${key}` } })
  for (let call = 0; call < PER_KEY; call += 1) expect((await list(keys[0])).status).toBe(200)
  const next = await list(keys[0])
  expect([next.status, next.headers.get('retry-after')]).toEqual([429, '1'])
  expect((await list(keys[1])).status).toBe(200)
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
  expect(refusals).toEqual(['key_rate'])
})
