import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { pino } from 'pino'
import { Stripe } from 'stripe'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildApp } from '../../src/api/app.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { insertProfile } from '../api/billing-fixtures.ts'
import { startTestApi } from '../api/support.ts'
import type { TestApi } from '../api/support.ts'

const gateway = createStripeGateway({ masterKey: 'a master key of at least 32 characters', limits: false })
const lines: string[] = []
let api: TestApi
let appId: string

beforeAll(async () => {
  api = await startTestApi({
    stripe: gateway,
    log: pino({ level: 'info' }, { write: (line) => void lines.push(line) }),
  })
  appId = (await insertProfile(api.db)).appId
  const webhookSecretEncrypted = gateway.encryptSecret('whsec_real', { appId, field: 'webhook_secret' })
  await api.db.updateTable('apps').set({ webhookSecretEncrypted }).where('id', '=', appId).execute()
})
afterAll(async () => await api.close())

const FORGED = 100

test('a flood of forged webhooks is refused, leaves no row, and one line in the log', async () => {
  const payload = JSON.stringify({ id: 'evt_forged', object: 'event', type: 'invoice.paid', created: 1 })
  const forged = Array.from({ length: FORGED }, async (_, index) =>
    api.app.inject({
      method: 'POST',
      url: `/api/v1/apps/${appId}/stripe/webhook`,
      headers: {
        'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload, secret: `whsec_${index}` }),
        'idempotency-key': `flood-${index}`,
      },
      payload,
    }),
  )
  const statuses = new Set((await Promise.all(forged)).map(({ statusCode }) => statusCode))
  expect([...statuses]).toEqual([400])
  expect(await api.db.selectFrom('stripeEvents').select('eventId').execute()).toEqual([])
  expect(await api.db.selectFrom('idempotencyKeys').select('key').execute()).toEqual([])
  expect(lines.filter((line) => line.includes('a webhook was refused'))).toHaveLength(1)
})

test('calls that are not served leave no error in the log, however many there are', async () => {
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => await api.app.inject('/api/v1/notification/channels')),
  )
  expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([501]))
  expect(lines.filter((line) => line.includes('"level":50'))).toEqual([])
})

test('a webhook whose header is not a signature of now is refused before the body is read and a row is looked up', async () => {
  const url = await listening(api)
  const old = Math.floor(Date.now() / 1000) - 3600
  for (const header of [
    '',
    'x',
    `t=${old},v1=${'a'.repeat(64)}`,
    `t=${Math.floor(Date.now() / 1000)},v1=zz`,
  ]) {
    const socket = await connected(url)
    // A megabyte is announced and never sent: only who does not wait for it answers.
    socket.write(
      `POST /api/v1/apps/${appId}/stripe/webhook HTTP/1.1\r\nhost: x\r\nstripe-signature: ${header}\r\ncontent-length: 1000000\r\n\r\n{`,
    )
    expect(await firstLine(socket), header).toMatch(/^HTTP\/1.1 400/)
    socket.destroy()
  }
})

test('what a client may send, and for how long, is bounded', () => {
  const { server, initialConfig } = api.app
  expect(initialConfig.bodyLimit).toBe(4 * 1024 * 1024)
  expect(server.requestTimeout).toBe(60_000)
  expect(server.headersTimeout).toBe(15_000)
  expect(server.keepAliveTimeout).toBeGreaterThan(0)
  expect(server.maxHeadersCount ?? 1000, 'at most').toBeLessThanOrEqual(2000)
})

test('who sends its headers or its body byte by byte is cut off with 408', async () => {
  const app = await buildApp(api.deps, { requestTimeoutMs: 300 })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  try {
    const inHeaders = await connected(url)
    inHeaders.write('GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ')
    const inBody = await connected(url)
    inBody.write(
      'POST /api/v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cloudevents+json\r\ncontent-length: 100\r\n\r\n{',
    )
    for (const socket of [inHeaders, inBody]) {
      expect(await firstLine(socket)).toBe('HTTP/1.1 408 Request Timeout')
      socket.destroy()
    }
  } finally {
    await app.close()
  }
})

test('what is refused before there is a request is a problem too, and the connection ends', async () => {
  const url = await listening(api)
  const refused = async (request: string): Promise<string> => {
    const socket = await connected(url)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk))
    socket.write(request)
    await once(socket, 'close')
    return Buffer.concat(chunks).toString()
  }
  const long = await refused(`GET /api/v1/events?id=${'x'.repeat(20_000)} HTTP/1.1\r\nhost: x\r\n\r\n`)
  expect(long).toMatch(/^HTTP\/1.1 431 .*\r\ncontent-type: application\/problem\+json\r\n/)
  expect(JSON.parse(long.slice(long.indexOf('{')))).toMatchObject({ code: 'headers_too_large', status: 431 })
  const other = await refused('what is this\r\n\r\n')
  expect(JSON.parse(other.slice(other.indexOf('{')))).toMatchObject({
    code: 'malformed_request',
    status: 400,
  })
})

test('a body over its limit is refused by its announced length, and an unannounced one where it passes it', async () => {
  const url = await listening(api)
  const announced = await connected(url)
  announced.write(
    'POST /api/v1/features HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n{',
  )
  expect(await firstLine(announced)).toMatch(/^HTTP\/1.1 413/)
  announced.destroy()
  const streamed = await fetch(`${url}/api/v1/features`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: new Blob(Array.from({ length: 6 }, () => 'x'.repeat(1024 * 1024))).stream(),
    duplex: 'half',
  })
  expect(streamed.status).toBe(413)
})

test('a batch of more events than one request may hold is refused whole', async () => {
  const event = (id: number) => ({ specversion: '1.0', id: `${id}`, source: 's', type: 't', subject: 'c' })
  const payload = JSON.stringify(Array.from({ length: 10_001 }, (_, id) => event(id)))
  const headers = { 'content-type': 'application/cloudevents-batch+json' }
  const answer = await api.app.inject({ method: 'POST', url: '/api/v1/events', headers, payload })
  expect(answer.statusCode).toBe(400)
  expect(await api.db.selectFrom('events').select('id').execute()).toEqual([])
})

let address: string | null = null
async function listening({ app }: TestApi): Promise<string> {
  address ??= await app.listen({ host: '127.0.0.1', port: 0 })
  return address
}

async function connected(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  return socket
}

async function firstLine(socket: Socket): Promise<string> {
  const chunk = await new Promise<Buffer>((resolve, reject) => {
    socket.once('data', resolve)
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed without an answer')))
  })
  return chunk.toString('latin1').split('\r\n')[0] ?? ''
}
