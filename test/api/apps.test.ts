import { Stripe } from 'stripe'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { keyWatch } from '../../src/billing/key-watch.ts'
import { careForApps } from '../../src/relay/app-care.ts'
import { pollEvents } from '../../src/relay/poll-events.ts'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import { stripeGet, stripePost } from '../support/stripe-client.ts'
import { recordingTemporal } from './billing-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

const config = { publicUrl: 'http://127.0.0.1:8888' }
let api: TestApi
let sandbox: Awaited<ReturnType<typeof startSandbox>>
let gateway: StripeGateway
const watch: { current: ReturnType<typeof keyWatch> | null } = { current: null }
const recorded = recordingTemporal()

beforeAll(async () => {
  sandbox = await startSandbox({ port: 0 })
  gateway = createStripeGateway({
    masterKey: 'a master key of at least thirty-two bytes',
    baseUrl: sandbox.url,
    limits: false,
    keyWatch: {
      refused: async (...args) => await watch.current?.refused(...args),
      accepted: async (...args) => (await watch.current?.accepted(...args)) ?? false,
    },
  })
  api = await startTestApi({ stripe: gateway, temporal: recorded.temporal, config })
  watch.current = keyWatch(api.db, api.deps.log)
})
afterAll(async () => {
  await api.close()
  await sandbox.close()
})
beforeEach(async () => {
  await fetch(`${sandbox.url}/_sandbox/reset`, { method: 'POST' })
  config.publicUrl = 'http://127.0.0.1:8888'
  recorded.calls.length = 0
  const tables = [
    'stripeEvents',
    'customerApps',
    'customerSubjects',
    'customers',
    'billingProfiles',
    'apps',
  ] as const
  for (const table of tables) await api.db.deleteFrom(table).execute()
})

async function send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) {
  const response = await api.app.inject({ method, url, ...(payload && { payload }) })
  return { status: response.statusCode, body: response.statusCode === 204 ? {} : response.json() }
}

const listing = '/api/v1/marketplace/listings/stripe/install'
const installManaged = async (apiKey = 'sk_test_sandbox') =>
  await send('POST', `${listing}/apikey`, { apiKey })

async function registerKey(key: string, more: object): Promise<void> {
  const response = await fetch(`${sandbox.url}/_sandbox/keys`, {
    method: 'POST',
    body: JSON.stringify({ key, ...more }),
  })
  expect(response.ok).toBe(true)
}

interface EndpointList {
  readonly data: readonly { id: string; url: string; status: string; enabled_events: string[] }[]
}
const endpoints = async () => (await stripeGet<EndpointList>(sandbox.url, 'webhook_endpoints?limit=100')).data

const care = async () => await careForApps({ db: api.db, stripe: gateway, log: { warn: () => {} } })
const poll = async () => await pollEvents({ db: api.db, stripe: gateway, log: { warn: () => {} } })

async function appOf(id: string) {
  return (await send('GET', `/api/v1/apps/${id}`)).body
}

test('a restricted key without what is required is refused, naming all of it', async () => {
  await registerKey('rk_test_nothing', { permissions: ['charge:read'] })
  const { status, body } = await send('POST', `${listing}/manual`, { apiKey: 'rk_test_nothing' })
  expect(status).toBe(409)
  expect(body).toMatchObject({ code: 'stripe_permission_missing', field: 'apiKey' })
  expect(body.detail).toContain('rak_customer_write')
  expect(body.detail).toContain('rak_invoice_write')
  expect(body.detail).not.toContain('rak_charge_read')
  expect((await send('GET', '/api/v1/apps')).body).toMatchObject({ totalCount: 0 })
})

test('a managed app needs webhooks or events, and is told of the installation by hand', async () => {
  const permissions = ['customer:write', 'invoice:write']
  await registerKey('rk_test_deaf', { permissions })
  const refused = await installManaged('rk_test_deaf')
  expect(refused.body).toMatchObject({ code: 'stripe_permission_missing' })
  expect(refused.body.detail).toContain('rak_webhook_write')
  expect(refused.body.detail).toContain('install/manual')

  await registerKey('rk_test_polled', { permissions: [...permissions, 'event:read'] })
  const polled = await installManaged('rk_test_polled')
  expect(polled.status).toBe(200)
  expect(polled.body.app).toMatchObject({ webhook: { isPolled: true, hasSecret: false } })
  expect(await endpoints()).toEqual([])
})

test('a key with every permission lacks nothing', async () => {
  await registerKey('rk_test_everything', {
    permissions: [
      'customer:write',
      'invoice:write',
      'payment_intent:read',
      'payment_method:write',
      'checkout_session:write',
      'setup_intent:read',
      'customer_portal:write',
      'refund:read',
      'dispute:read',
      'credit_note:read',
      'subscription:read',
      'plan:read',
      'webhook:write',
      'event:read',
      'account:read',
    ],
  })
  const { body } = await installManaged('rk_test_everything')
  expect(body.app).toMatchObject({ missingPermissions: [], webhook: { hasSecret: true, isPolled: false } })
})

test.each([
  ['pk_test_123', 'stripe_key_publishable'],
  ['nonsense', 'stripe_key_invalid'],
  ['sk_live_123', 'stripe_key_live_refused'],
  ['rk_test_expired', 'stripe_key_unauthorized'],
  ['rk_test_deleted', 'stripe_key_unauthorized'],
])('the key %s is refused as %s by both installations', async (apiKey, code) => {
  await registerKey('rk_test_expired', { revoked: 'expired' })
  await registerKey('rk_test_deleted', { revoked: 'deleted' })
  for (const method of ['apikey', 'manual'])
    expect((await send('POST', `${listing}/${method}`, { apiKey })).body).toMatchObject({ code })
})

test('an account is installed once, also by keys that may not read it', async () => {
  const permissions = ['customer:write', 'invoice:write']
  await registerKey('rk_test_one', { permissions })
  await registerKey('rk_test_two', { permissions, account: 'acct_another' })
  const install = async (apiKey: string) => (await send('POST', `${listing}/manual`, { apiKey })).status
  expect(await install('rk_test_one')).toBe(200)
  expect(await install('rk_test_one')).toBe(409)
  expect(await install('rk_test_two')).toBe(200)
})

test('a key that does not tell its account is of the same one where it knows the customers', async () => {
  const permissions = ['customer:write', 'invoice:write']
  await registerKey('rk_test_known', { permissions, account: 'acct_untold' })
  const { body } = await send('POST', `${listing}/manual`, { apiKey: 'rk_test_known' })
  const appId = (body['app'] as { id: string }).id
  const customer = await send('POST', '/api/v1/customers', { name: 'Linked', key: 'linked-untold' })
  await api.db
    .insertInto('customerApps')
    .values({ customerId: String(customer.body['id']), appId, stripeCustomerId: 'cus_of_another_account' })
    .execute()
  await api.db.updateTable('apps').set({ stripeAccountId: null }).where('id', '=', appId).execute()
  await registerKey('rk_test_foreign', { permissions, account: 'acct_untold' })
  const replaced = await send('PUT', `/api/v1/apps/${appId}/stripe/api-key`, {
    secretAPIKey: 'rk_test_foreign',
  })
  expect(replaced.body).toMatchObject({ code: 'stripe_key_invalid', field: 'secretAPIKey' })
})

function signed(secret: string, id: string) {
  const payload = JSON.stringify({
    id,
    object: 'event',
    type: 'invoice.paid',
    created: 1_750_000_000,
    livemode: false,
    api_version: '2022-11-15',
    data: { object: { id: 'in_1', object: 'invoice', customer: 'cus_1', metadata: {} } },
  })
  return { payload, header: Stripe.webhooks.generateTestHeaderString({ payload, secret }) }
}

async function deliver(appId: string, secret: string, id: string): Promise<number> {
  const { payload, header } = signed(secret, id)
  const headers = { 'content-type': 'application/json', 'stripe-signature': header }
  const url = `/api/v1/apps/${appId}/stripe/webhook`
  return (await api.app.inject({ method: 'POST', url, payload, headers })).statusCode
}

test('while a secret is rolled two are good, and the old one for as long as was said', async () => {
  const { body } = await send('POST', `${listing}/manual`, {
    apiKey: 'sk_test_sandbox',
    webhookSecret: 'whsec_the_first_one',
  })
  const { id } = body.app
  expect(await deliver(id, 'whsec_the_first_one', 'evt_1')).toBe(200)
  const put = async (secret: string, previousValidFor?: string) =>
    await send('PUT', `/api/v1/apps/${id}/stripe/webhook-secret`, {
      secret,
      ...(previousValidFor !== undefined && { previousValidFor }),
    })
  expect((await put('whsec_the_second_one')).status).toBe(204)
  expect(await deliver(id, 'whsec_the_first_one', 'evt_2')).toBe(200)
  expect(await deliver(id, 'whsec_the_second_one', 'evt_3')).toBe(200)
  // Handed over again, as by a caller who did not get the answer.
  expect((await put('whsec_the_second_one')).status).toBe(204)
  expect(await deliver(id, 'whsec_the_first_one', 'evt_again')).toBe(200)
  expect((await put('whsec_the_third_one', 'PT0S')).status).toBe(204)
  expect(await deliver(id, 'whsec_the_second_one', 'evt_4')).toBe(400)
  expect(await deliver(id, 'whsec_the_third_one', 'evt_5')).toBe(200)
  expect((await put('not a secret')).body).toMatchObject({ code: 'validation_failed', field: 'secret' })
  expect((await put('whsec_the_fourth_one', 'soon')).status).toBe(400)
  expect((await send('POST', `/api/v1/apps/${id}/stripe/webhook/rotate`)).body).toMatchObject({
    code: 'action_not_available',
  })
})

test('an endpoint that is rotated is another one, and the secret of before is good meanwhile', async () => {
  const { id } = (await installManaged()).body.app
  const [before] = await endpoints()
  const rotated = await send('POST', `/api/v1/apps/${id}/stripe/webhook/rotate`)
  expect(rotated.body).toMatchObject({
    webhook: { hasSecret: true, previousSecretValidUntil: expect.any(String) },
  })
  const after = await endpoints()
  expect(after).toHaveLength(1)
  expect(after[0]?.id).not.toBe(before?.id)
  expect(rotated.body.webhook.endpointId).toBe(after[0]?.id)
})

test.each([
  ['deleted', 'gone'],
  ['disabled', 'disabled'],
  ['changed', 'does not send'],
])('an endpoint that was %s by hand is noticed, polled for and repaired', async (what, problem) => {
  const { id } = (await installManaged()).body.app
  const [endpoint] = await endpoints()
  const path = `webhook_endpoints/${endpoint?.id ?? ''}`
  if (what === 'disabled') await stripePost(sandbox.url, path, { disabled: 'true' })
  if (what === 'changed') await stripePost(sandbox.url, path, { 'enabled_events[0]': 'invoice.paid' })
  if (what === 'deleted')
    await fetch(`${sandbox.url}/v1/${path}`, {
      method: 'DELETE',
      headers: { authorization: 'Bearer sk_test_x' },
    })
  await care()
  expect(await appOf(id)).toMatchObject({
    statusReason: expect.stringContaining(problem),
    webhook: { problem: expect.stringContaining(problem), isPolled: true },
  })
  const customer = await stripePost(sandbox.url, 'customers', { name: 'one' })
  await stripePost(sandbox.url, `customers/${customer.id}`, { name: 'renamed' })
  await poll()
  const stored = async () =>
    await api.db.selectFrom('stripeEvents').select('objectId').where('objectId', '=', customer.id).execute()
  expect(await stored()).toHaveLength(1)

  const repaired = await send('POST', `/api/v1/apps/${id}/stripe/webhook/repair`)
  expect(repaired.status).toBe(200)
  const [now] = await endpoints()
  expect(now).toMatchObject({ status: 'enabled' })
  expect(now?.enabled_events).toContain('setup_intent.succeeded')
  expect(repaired.body.webhook).toMatchObject({ endpointId: now?.id, isPolled: true })
  expect(repaired.body).not.toHaveProperty('statusReason')
  // What came between the last look and the repair is read once more; then polling ends.
  await stripePost(sandbox.url, `customers/${customer.id}`, { name: 'renamed again' })
  await poll()
  expect(await stored()).toHaveLength(2)
  expect((await appOf(id)).webhook).toMatchObject({ isPolled: false })
})

test('a repair after PUBLIC_URL changed makes an endpoint there and deletes the old one', async () => {
  const { id } = (await installManaged()).body.app
  config.publicUrl = 'http://127.0.0.1:9999'
  await send('POST', `/api/v1/apps/${id}/stripe/webhook/repair`)
  expect((await endpoints()).map(({ url }) => url)).toEqual([
    `http://127.0.0.1:9999/api/v1/apps/${id}/stripe/webhook`,
  ])
})

test('a key that Stripe refuses shows on the app, and another one wakes what waits', async () => {
  await registerKey('rk_test_rolled', { permissions: ['customer:write', 'invoice:write', 'event:read'] })
  const { id } = (await installManaged('rk_test_rolled')).body.app
  await registerKey('rk_test_rolled', { revoked: 'expired' })
  await poll()
  expect(await appOf(id)).toMatchObject({
    status: 'unauthorized',
    statusReason: expect.stringContaining('Expired API Key'),
  })
  const replaced = await send('PUT', `/api/v1/apps/${id}/stripe/api-key`, { secretAPIKey: 'sk_test_sandbox' })
  expect(replaced.status).toBe(204)
  const app = await appOf(id)
  expect(app).toMatchObject({ status: 'ready', missingPermissions: [] })
  expect(app).not.toHaveProperty('statusReason')
})

test('a key that works again is noticed by itself', async () => {
  await registerKey('rk_test_back', { permissions: ['customer:write', 'invoice:write', 'event:read'] })
  const { id } = (await installManaged('rk_test_back')).body.app
  await registerKey('rk_test_back', { revoked: 'expired' })
  await poll()
  await care()
  expect(await appOf(id)).toMatchObject({ status: 'unauthorized' })
  await registerKey('rk_test_back', { revoked: false })
  await care()
  expect(await appOf(id)).toMatchObject({ status: 'ready' })
})

test('a permission that is taken away ends polling once, and the repair asks again', async () => {
  const permissions = ['customer:write', 'invoice:write']
  await registerKey('rk_test_less', { permissions: [...permissions, 'event:read'] })
  const { id } = (await installManaged('rk_test_less')).body.app
  await registerKey('rk_test_less', { permissions })
  const warnings: string[] = []
  const log = { warn: (_fields: object, message: string) => void warnings.push(message) }
  for (let look = 0; look < 3; look++) await pollEvents({ db: api.db, stripe: gateway, log })
  expect(warnings).toHaveLength(1)
  expect(await appOf(id)).toMatchObject({ status: 'ready', webhook: { isPolled: false } })
  await registerKey('rk_test_less', { permissions: [...permissions, 'event:read', 'webhook:write'] })
  const { body } = await send('POST', `/api/v1/apps/${id}/stripe/webhook/repair`)
  expect(body).toMatchObject({ webhook: { hasSecret: true } })
})

test('an app that is used says by what when it is uninstalled', async () => {
  const { id } = (await installManaged()).body.app
  const customer = await stripePost(sandbox.url, 'customers', { name: 'Ada' })
  const ours = await send('POST', '/api/v1/customers', { key: 'ada', name: 'Ada' })
  await send('PUT', `/api/v1/customers/${ours.body.id}/apps`, [
    { type: 'stripe', stripeCustomerId: customer.id },
  ])
  const { status, body } = await send('DELETE', `/api/v1/apps/${id}`)
  expect(status).toBe(409)
  expect(body).toMatchObject({
    code: 'app_in_use',
    extensions: {
      uses: [
        { kind: 'billing_profile', name: 'Stripe billing profile', id: expect.any(String) },
        { kind: 'customer_link', name: 'Ada', id: ours.body.id },
      ],
    },
  })
  expect(body.detail).toContain(`the customer "Ada" (${ours.body.id})`)
})

test('the refusal of a key says nothing of the one that took its place meanwhile', async () => {
  await registerKey('rk_test_late', { permissions: ['customer:write', 'invoice:write', 'event:read'] })
  const { id } = (await installManaged('rk_test_late')).body.app
  const before = await api.db.selectFrom('apps').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  await send('PUT', `/api/v1/apps/${id}/stripe/api-key`, { secretAPIKey: 'sk_test_sandbox' })
  await registerKey('rk_test_late', { revoked: 'expired' })
  await expect(gateway.listEvents(before, { cursor: before.eventsCursor })).rejects.toThrow('Expired API Key')
  expect(await appOf(id)).toMatchObject({ status: 'ready' })
})
