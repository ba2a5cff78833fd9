import { Stripe } from 'stripe'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { insertProfile } from './billing-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

const SECRET = 'whsec_test_of_the_webhook_route'
const gateway = createStripeGateway({ masterKey: 'a master key of at least 32 characters', limits: false })
let api: TestApi
let appId: string

beforeAll(async () => {
  api = await startTestApi({ stripe: gateway })
  appId = (await insertProfile(api.db)).appId
  const webhookSecretEncrypted = gateway.encryptSecret(SECRET, { appId, field: 'webhook_secret' })
  await api.db.updateTable('apps').set({ webhookSecretEncrypted }).where('id', '=', appId).execute()
})
afterAll(async () => await api.close())

let count = 0
const event = (overrides: object = {}) => ({
  id: `evt_${(count += 1)}`,
  object: 'event',
  type: 'invoice.paid',
  created: 1_750_000_000,
  livemode: false,
  api_version: '2025-01-01',
  data: { object: { id: 'in_1', object: 'invoice', metadata: { perennial_invoice_id: 'INV1' } } },
  ...overrides,
})

interface SignOptions {
  readonly secret?: string
  readonly timestamp?: number
}
const sign = (payload: string, { secret = SECRET, timestamp }: SignOptions = {}): string =>
  Stripe.webhooks.generateTestHeaderString({ payload, secret, ...(timestamp !== undefined && { timestamp }) })

async function deliver(payload: string, header: string | undefined, id = appId) {
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    ...(header !== undefined && { 'stripe-signature': header }),
  }
  const response = await api.app.inject({
    method: 'POST',
    url: `/api/v1/apps/${id}/stripe/webhook`,
    payload,
    headers,
  })
  return { status: response.statusCode, body: response.json() }
}
const stored = async (id: string) =>
  await api.db.selectFrom('stripeEvents').selectAll().where('eventId', '=', id).execute()

test('a signed event is stored by ids and type, and answered', async () => {
  const sent = event()
  const payload = JSON.stringify(sent, null, 2)
  expect(await deliver(payload, sign(payload))).toMatchObject({
    status: 200,
    body: { appId, message: 'received' },
  })
  const [row] = await stored(sent.id)
  expect(row).toMatchObject({
    appId,
    type: 'invoice.paid',
    objectId: 'in_1',
    invoiceId: 'INV1',
    processedAt: null,
  })
})

test('rule 30: an event that is delivered twice, also at once, is stored once', async () => {
  const sent = event()
  const payload = JSON.stringify(sent)
  const answers = await Promise.all([1, 2, 3].map(async () => await deliver(payload, sign(payload))))
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
  expect(await stored(sent.id)).toHaveLength(1)
})

test('what nothing follows from is answered, and not kept', async () => {
  const sent = event({ type: 'invoice.created' })
  const payload = JSON.stringify(sent)
  expect((await deliver(payload, sign(payload))).status).toBe(200)
  expect((await deliver(payload, sign(payload, { secret: 'whsec_other' }))).status).toBe(400)
  expect(await stored(sent.id)).toEqual([])
})

test('a type that is not known is taken all the same', async () => {
  const payload = JSON.stringify(event({ type: 'radar.early_fraud_warning.created' }))
  expect((await deliver(payload, sign(payload))).status).toBe(200)
})

const DAY_SECONDS = 86_400
test.each([
  ['no signature', () => undefined],
  ['a signature by another secret', (payload: string) => sign(payload, { secret: 'whsec_other' })],
  [
    'an old signature',
    (payload: string) => sign(payload, { timestamp: Math.floor(Date.now() / 1000) - DAY_SECONDS }),
  ],
  ['a signature of other bytes', (payload: string) => sign(`${payload} `)],
])('%s is refused, without saying what was wrong', async (_name, header) => {
  const sent = event()
  const payload = JSON.stringify(sent)
  const answer = await deliver(payload, header(payload))
  expect(answer).toMatchObject({
    status: 400,
    body: { code: 'webhook_signature_invalid', detail: 'The signature of the webhook is not valid.' },
  })
  expect(await stored(sent.id)).toEqual([])
})

test('an event of the other mode is passed over', async () => {
  const sent = event({ livemode: true })
  const payload = JSON.stringify(sent)
  expect(await deliver(payload, sign(payload))).toMatchObject({
    status: 200,
    body: { message: expect.stringContaining('ignored') },
  })
  expect(await stored(sent.id)).toEqual([])
})

test('an app that was uninstalled has no webhook', async () => {
  const payload = JSON.stringify(event())
  expect(await deliver(payload, sign(payload), 'nobody')).toMatchObject({
    status: 404,
    body: { code: 'not_found' },
  })
})

test('a body of more than a megabyte is refused before it is looked at', async () => {
  const payload = JSON.stringify(event({ padding: 'x'.repeat(1_100_000) }))
  expect(await deliver(payload, sign(payload))).toMatchObject({
    status: 413,
    body: { code: 'body_too_large' },
  })
})

test('a secret that no master key opens any more is replaced by a new one, and no grace is longer than ten years', async () => {
  const foreign = createStripeGateway({ masterKey: 'f'.repeat(32) })
  const webhookSecretEncrypted = foreign.encryptSecret('lost', { appId, field: 'webhook_secret' })
  await api.db.updateTable('apps').set({ webhookSecretEncrypted }).where('id', '=', appId).execute()
  const put = async (payload: object) =>
    api.app.inject({ method: 'PUT', url: `/api/v1/apps/${appId}/stripe/webhook-secret`, payload })
  const endless = await put({ secret: 'whsec_new_one_of_the_app', previousValidFor: 'P9999999Y' })
  expect(endless.json()).toMatchObject({ status: 400, code: 'invalid_duration', field: 'previousValidFor' })
  expect((await put({ secret: 'whsec_new_one_of_the_app' })).statusCode).toBe(204)
  const payload = JSON.stringify(event())
  expect(await deliver(payload, sign(payload, { secret: 'whsec_new_one_of_the_app' }))).toMatchObject({
    status: 200,
  })
})
