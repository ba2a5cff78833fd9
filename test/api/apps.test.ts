import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { pollEvents } from '../../src/relay/poll-events.ts'
import { waitFor } from '../support/scenario.ts'
import { stripePost } from '../support/stripe-client.ts'
import { startAppsApi } from './apps-world.ts'

/** Installing an account by its key, and what the key may do. */
let world: Awaited<ReturnType<typeof startAppsApi>>
beforeAll(async () => {
  world = await startAppsApi()
})
afterAll(async () => await world.close())
beforeEach(async () => await world.reset())

/** A look that does not get through, as on a busy machine, is followed by another. */
const polledUntil = async (id: string, status: string) =>
  await waitFor(
    async () => {
      await world.poll()
      return await world.appOf(id)
    },
    (app) => app.status === status,
  )

test('a restricted key without what is required is refused, naming all of it', async () => {
  await world.registerKey('rk_test_nothing', { permissions: ['charge:read'] })
  const { status, body } = await world.send('POST', `${world.listing}/manual`, { apiKey: 'rk_test_nothing' })
  expect(status).toBe(409)
  expect(body).toMatchObject({ code: 'stripe_permission_missing', field: 'apiKey' })
  expect(body.detail).toContain('rak_customer_write')
  expect(body.detail).toContain('rak_invoice_write')
  expect(body.detail).not.toContain('rak_charge_read')
  expect((await world.send('GET', '/api/v1/apps')).body).toMatchObject({ totalCount: 0 })
})

test('a managed app needs webhooks or events, and is told of the installation by hand', async () => {
  const permissions = ['customer:write', 'invoice:write']
  await world.registerKey('rk_test_deaf', { permissions })
  const refused = await world.installManaged('rk_test_deaf')
  expect(refused.body).toMatchObject({ code: 'stripe_permission_missing' })
  expect(refused.body.detail).toContain('rak_webhook_write')
  expect(refused.body.detail).toContain('install/manual')

  await world.registerKey('rk_test_polled', { permissions: [...permissions, 'event:read'] })
  const polled = await world.installManaged('rk_test_polled')
  expect(polled.status).toBe(200)
  expect(polled.body.app).toMatchObject({ webhook: { isPolled: true, hasSecret: false } })
  expect(await world.endpoints()).toEqual([])
})

test.each(['http://', 'https:///portal', 'https://portal .example', 'ftp://portal.example'])(
  'the customer portal is not at %s',
  async (customerPortalUrl) => {
    const refused = await world.send('POST', `${world.listing}/manual`, {
      apiKey: 'sk_test_x',
      customerPortalUrl,
    })
    expect(refused).toMatchObject({
      status: 400,
      body: { code: 'validation_failed', field: 'customerPortalUrl' },
    })
    expect(refused.body.detail).toContain('an address like https://')
  },
)

test('a key with every permission lacks nothing', async () => {
  await world.registerKey('rk_test_everything', {
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
  const { body } = await world.installManaged('rk_test_everything')
  expect(body.app).toMatchObject({ missingPermissions: [], webhook: { hasSecret: true, isPolled: false } })
})

test.each([
  ['pk_test_123', 'stripe_key_publishable'],
  ['nonsense', 'stripe_key_invalid'],
  ['sk_live_123', 'stripe_key_live_refused'],
  ['rk_test_expired', 'stripe_key_unauthorized'],
  ['rk_test_deleted', 'stripe_key_unauthorized'],
])('the key %s is refused as %s by both installations', async (apiKey, code) => {
  await world.registerKey('rk_test_expired', { revoked: 'expired' })
  await world.registerKey('rk_test_deleted', { revoked: 'deleted' })
  for (const method of ['apikey', 'manual'])
    expect((await world.send('POST', `${world.listing}/${method}`, { apiKey })).body).toMatchObject({ code })
})

test('an account is installed once, also by keys that may not read it', async () => {
  const permissions = ['customer:write', 'invoice:write']
  await world.registerKey('rk_test_one', { permissions })
  await world.registerKey('rk_test_two', { permissions, account: 'acct_another' })
  const install = async (apiKey: string) =>
    (await world.send('POST', `${world.listing}/manual`, { apiKey })).status
  expect(await install('rk_test_one')).toBe(200)
  expect(await install('rk_test_one')).toBe(409)
  expect(await install('rk_test_two')).toBe(200)
})

test('a key that does not tell its account is of the same one where it knows the customers', async () => {
  const permissions = ['customer:write', 'invoice:write']
  await world.registerKey('rk_test_known', { permissions, account: 'acct_untold' })
  const { body } = await world.send('POST', `${world.listing}/manual`, { apiKey: 'rk_test_known' })
  const appId = (body['app'] as { id: string }).id
  const customer = await world.send('POST', '/api/v1/customers', { name: 'Linked', key: 'linked-untold' })
  await world.api.db
    .insertInto('customerApps')
    .values({ customerId: String(customer.body['id']), appId, stripeCustomerId: 'cus_of_another_account' })
    .execute()
  await world.api.db.updateTable('apps').set({ stripeAccountId: null }).where('id', '=', appId).execute()
  await world.registerKey('rk_test_foreign', { permissions, account: 'acct_untold' })
  const replaced = await world.send('PUT', `/api/v1/apps/${appId}/stripe/api-key`, {
    secretAPIKey: 'rk_test_foreign',
  })
  expect(replaced.body).toMatchObject({ code: 'stripe_key_invalid', field: 'secretAPIKey' })
})

test('a key that Stripe refuses shows on the app, and another one wakes what waits', async () => {
  await world.registerKey('rk_test_rolled', {
    permissions: ['customer:write', 'invoice:write', 'event:read'],
  })
  const { id } = (await world.installManaged('rk_test_rolled')).body.app
  await world.registerKey('rk_test_rolled', { revoked: 'expired' })
  const refused = await polledUntil(id, 'unauthorized')
  expect(refused).toMatchObject({ statusReason: expect.stringContaining('Expired API Key') })
  const replaced = await world.send('PUT', `/api/v1/apps/${id}/stripe/api-key`, {
    secretAPIKey: 'sk_test_sandbox',
  })
  expect(replaced.status).toBe(204)
  const app = await world.appOf(id)
  expect(app).toMatchObject({ status: 'ready', missingPermissions: [] })
  expect(app).not.toHaveProperty('statusReason')
})

test('a key that works again is noticed by itself', async () => {
  await world.registerKey('rk_test_back', { permissions: ['customer:write', 'invoice:write', 'event:read'] })
  const { id } = (await world.installManaged('rk_test_back')).body.app
  await world.registerKey('rk_test_back', { revoked: 'expired' })
  await polledUntil(id, 'unauthorized')
  await world.care()
  expect(await world.appOf(id)).toMatchObject({ status: 'unauthorized' })
  await world.registerKey('rk_test_back', { revoked: false })
  await world.care()
  expect(await world.appOf(id)).toMatchObject({ status: 'ready' })
})

test('a permission that is taken away ends polling once, and the repair asks again', async () => {
  const permissions = ['customer:write', 'invoice:write']
  await world.registerKey('rk_test_less', { permissions: [...permissions, 'event:read'] })
  const { id } = (await world.installManaged('rk_test_less')).body.app
  await world.registerKey('rk_test_less', { permissions })
  const warnings: string[] = []
  const log = { warn: (_fields: object, message: string) => void warnings.push(message) }
  for (let look = 0; look < 3; look++) await pollEvents({ db: world.api.db, stripe: world.gateway, log })
  expect(warnings).toHaveLength(1)
  expect(await world.appOf(id)).toMatchObject({ status: 'ready', webhook: { isPolled: false } })
  await world.registerKey('rk_test_less', { permissions: [...permissions, 'event:read', 'webhook:write'] })
  const { body } = await world.send('POST', `/api/v1/apps/${id}/stripe/webhook/repair`)
  expect(body).toMatchObject({ webhook: { hasSecret: true } })
})

test('an app that is used says by what when it is uninstalled', async () => {
  const { id } = (await world.installManaged()).body.app
  const customer = await stripePost(world.sandbox.url, 'customers', { name: 'Ada' })
  const ours = await world.send('POST', '/api/v1/customers', { key: 'ada', name: 'Ada' })
  await world.send('PUT', `/api/v1/customers/${ours.body.id}/apps`, [
    { type: 'stripe', stripeCustomerId: customer.id },
  ])
  const { status, body } = await world.send('DELETE', `/api/v1/apps/${id}`)
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
  await world.registerKey('rk_test_late', { permissions: ['customer:write', 'invoice:write', 'event:read'] })
  const { id } = (await world.installManaged('rk_test_late')).body.app
  const before = await world.api.db
    .selectFrom('apps')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  await world.send('PUT', `/api/v1/apps/${id}/stripe/api-key`, { secretAPIKey: 'sk_test_sandbox' })
  await world.registerKey('rk_test_late', { revoked: 'expired' })
  await expect(world.gateway.listEvents(before, { cursor: before.eventsCursor })).rejects.toThrow(
    'Expired API Key',
  )
  expect(await world.appOf(id)).toMatchObject({ status: 'ready' })
})
