import { afterEach, expect, test } from 'vitest'
import { classifyStripeError } from '../../src/stripe/failures.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import type { ClassifiedFailure, StoredApp } from '../../src/stripe/types.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { json, scriptedServer } from './scripted-server.ts'
import type { ScriptedServer } from './scripted-server.ts'

let server: ScriptedServer | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

interface Patience {
  /** Left out: what the product waits for. */
  readonly timeoutMs?: number
}

function gatewayTo(baseUrl: string, patience: Patience): { gateway: StripeGateway; app: StoredApp } {
  const gateway = createStripeGateway({
    masterKey: 'a master key of at least thirty-two bytes',
    baseUrl,
    limits: false,
    ...patience,
  })
  const app: StoredApp = {
    id: 'app_1',
    livemode: false,
    apiKeyEncrypted: gateway.encryptSecret('sk_test_x', { appId: 'app_1', field: 'api_key' }),
    webhookSecretEncrypted: null,
    webhookEndpointId: null,
    stripeAccountId: null,
  }
  return { gateway, app }
}

async function failureOf(
  answer: Parameters<typeof scriptedServer>[0],
  patience: Patience = {},
): Promise<ClassifiedFailure> {
  server = await scriptedServer(answer)
  return failureAt(server.url, patience)
}

async function failureAt(url: string, patience: Patience = {}): Promise<ClassifiedFailure> {
  const { gateway, app } = gatewayTo(url, patience)
  const failure = await gateway.createCustomer(app, { customerId: 'c1' }).then(
    () => undefined,
    (error: unknown) => classifyStripeError(error),
  )
  if (failure === undefined) throw new Error('the call succeeded')
  return failure
}

const error = (type: string, code: string, more: object = {}) => ({
  error: { type, code, message: 'No.', ...more },
})
const replayed = { 'idempotent-replayed': 'true' }

test.each([
  [
    '400',
    400,
    error('invalid_request_error', 'parameter_unknown', { param: 'colour' }),
    {},
    { kind: 'final', param: 'colour' },
  ],
  [
    '404',
    404,
    error('invalid_request_error', 'resource_missing'),
    {},
    { kind: 'final', code: 'resource_missing' },
  ],
  ['401', 401, error('invalid_request_error', 'api_key_expired'), {}, { kind: 'auth' }],
  ['403', 403, error('invalid_request_error', 'more_permissions_required'), {}, { kind: 'auth' }],
  [
    '402',
    402,
    error('card_error', 'card_declined', { decline_code: 'lost_card' }),
    {},
    { kind: 'outcome', declineCode: 'lost_card' },
  ],
  [
    '409',
    409,
    error('idempotency_error', 'idempotency_key_in_use'),
    {},
    { kind: 'retryable', afterSend: true },
  ],
  [
    '429',
    429,
    error('invalid_request_error', 'rate_limit'),
    { 'stripe-rate-limited-reason': 'global-rate' },
    { kind: 'retryable', afterSend: false },
  ],
  [
    '429 with Retry-After',
    429,
    error('invalid_request_error', 'rate_limit'),
    { 'retry-after': '2' },
    { kind: 'retryable', retryAfterMs: 2000 },
  ],
  [
    'first 429 lock_timeout',
    429,
    error('invalid_request_error', 'lock_timeout'),
    {},
    { kind: 'retryable', afterSend: true },
  ],
  ['first 500', 500, error('api_error', 'internal'), {}, { kind: 'retryable', afterSend: true }],
])('a %s is classified', async (_name, status, body, headers, expected) => {
  expect(await failureOf(json(status, body, headers))).toMatchObject(expected)
})

test.each([
  ['lock_timeout', 429, error('invalid_request_error', 'lock_timeout')],
  ['server error', 500, error('api_error', 'internal')],
])('rule 31: a %s that is stored under the key asks for the next generation', async (_name, status, body) => {
  expect(await failureOf(json(status, body, replayed))).toMatchObject({ kind: 'pinned', afterSend: true })
})

test('rule 31: a key that was used with other parameters asks for the next generation', async () => {
  const body = {
    error: { type: 'idempotency_error', message: 'Keys for idempotent requests can only be used ...' },
  }
  expect(await failureOf(json(400, body))).toMatchObject({ kind: 'pinned', afterSend: true })
})

test('a 502 page of a proxy is retryable', async () => {
  const failure = await failureOf((_request, response) =>
    response.writeHead(502).end('<html>Bad gateway</html>'),
  )
  expect(failure).toMatchObject({ kind: 'retryable', afterSend: true })
})

test('an answer that is cut in the middle may have been carried out', async () => {
  const failure = await failureOf((_request, response) => {
    response.writeHead(200, { 'content-length': '1000' })
    response.write('{"id":"cus_', () => response.destroy())
  })
  expect(failure).toMatchObject({ kind: 'retryable', afterSend: true })
})

test('a timeout may have been carried out', async () => {
  const failure = await failureOf(() => undefined, { timeoutMs: 500 })
  expect(failure).toMatchObject({ kind: 'retryable', afterSend: true })
})

test('where nobody listens, nothing was sent', async () => {
  expect(await failureAt('http://127.0.0.1:1')).toMatchObject({ kind: 'retryable', afterSend: false })
})

test('our own refusals are final under their code', () => {
  expect(classifyStripeError(new DomainError('stripe_totals_differ'))).toMatchObject({
    kind: 'final',
    code: 'stripe_totals_differ',
  })
})

test('a write is sent once, under our key and the pinned API version', async () => {
  await failureOf(json(500, error('api_error', 'internal')))
  expect(server?.seen).toEqual([
    { method: 'POST', path: '/v1/customers', idempotencyKey: 'customer:c1', apiVersion: '2026-10-28.endive' },
  ])
})
