import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpenMeter } from '@openmeter/sdk'
import { Stripe } from 'stripe'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { insertTestClock } from '../../src/db/stores/test-clock-create.ts'
import type {
  MarketplaceInstallResponse,
  StripeApp,
  StripeCustomerAppData,
} from '../../src/api/schemas/apps.ts'
import type { BillingProfile, CustomerOverride } from '../../src/api/schemas/billing-profiles.ts'
import type { Customer } from '../../src/api/schemas/customers.ts'
import { connectClient } from './client.ts'
import type { IsAssignable, Schemas } from './client.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

const key = 'sk_test_sandbox'
let api: TestApi
let client: OpenMeter
let stripe: Stripe
let sandbox: Awaited<ReturnType<typeof startSandbox>>
let appId = ''

beforeAll(async () => {
  sandbox = await startSandbox({ port: 0 })
  const gateway = createStripeGateway({
    masterKey: 'a master key of at least thirty-two bytes',
    baseUrl: sandbox.url,
    limits: false,
  })
  api = await startTestApi({ stripe: gateway })
  client = await connectClient(api.app)
  const { hostname, port } = new URL(sandbox.url)
  stripe = new Stripe(key, { host: hostname, port, protocol: 'http', telemetry: false })
})
afterAll(async () => {
  await api.close()
  await sandbox.close()
})

const send = async (method: 'POST' | 'PUT' | 'DELETE' | 'GET', url: string, payload?: object) =>
  api.app.inject({ method, url, ...(payload !== undefined && { payload }) })

test('what we answer is what the client types expect, without a cast', () => {
  const customer: IsAssignable<Customer, Schemas['Customer']> = true
  const app: IsAssignable<StripeApp, Schemas['App']> = true
  const installed: IsAssignable<MarketplaceInstallResponse, Schemas['MarketplaceInstallResponse']> = true
  const link: IsAssignable<StripeCustomerAppData, Schemas['CustomerAppData']> = true
  const profile: IsAssignable<BillingProfile, Schemas['BillingProfile']> = true
  const override: IsAssignable<CustomerOverride, Schemas['BillingProfileCustomerOverrideWithDetails']> = true
  expect([customer, app, installed, link, profile, override]).not.toContain(false)
})

test('Stripe is installed by API key: a webhook endpoint is made, and the key is only shown masked', async () => {
  expect(await client.apps.marketplace.list()).toMatchObject({
    items: [{ type: 'stripe', installMethods: ['with_api_key'] }],
  })
  expect(await client.apps.marketplace.get('stripe')).toMatchObject({ name: 'Stripe' })
  const installed = await client.apps.marketplace.installWithAPIKey('stripe', {
    apiKey: key,
    createBillingProfile: false,
    name: 'Sandbox',
  })
  expect(installed).toMatchObject({
    app: { type: 'stripe', name: 'Sandbox', status: 'ready', livemode: false },
    defaultForCapabilityTypes: [],
  })
  const app = installed?.app
  if (app?.type !== 'stripe') throw new Error('a Stripe app was asked for')
  appId = app.id
  expect(app.maskedAPIKey).not.toContain(key)
  expect(app.stripeAccountId).toMatch(/^acct_/)
  const { data } = await stripe.webhookEndpoints.list()
  expect(data.map(({ url }) => url)).toEqual([`http://127.0.0.1:8888/api/v1/apps/${appId}/stripe/webhook`])
  const row = await api.db.selectFrom('apps').selectAll().where('id', '=', appId).executeTakeFirstOrThrow()
  expect(JSON.stringify(row)).not.toContain(key)
  expect(await client.apps.get(appId)).toEqual(app)
  expect(await client.apps.list({})).toMatchObject({ totalCount: 1, items: [{ id: appId }] })
})

test('the same account is not installed twice, and wrong keys are refused by what is wrong with them', async () => {
  const install = (apiKey: string) =>
    send('POST', '/api/v1/marketplace/listings/stripe/install/apikey', { apiKey })
  expect((await install(key)).json()).toMatchObject({
    status: 409,
    code: 'app_already_installed',
    field: 'apiKey',
  })
  expect((await install('pk_test_1')).json()).toMatchObject({ status: 400, code: 'stripe_key_publishable' })
  expect((await install('sk_live_1')).json()).toMatchObject({ code: 'stripe_key_live_refused' })
  expect((await install('nonsense')).json()).toMatchObject({ code: 'stripe_key_invalid' })
  expect((await send('GET', '/api/v1/marketplace/listings/stripe/install/oauth2')).json()).toMatchObject({
    status: 501,
    code: 'oauth_not_offered',
  })
  expect(
    (await send('POST', '/api/v1/marketplace/listings/sandbox/install/apikey', { apiKey: key })).statusCode,
  ).toBe(404)
})

test('an app is renamed, and its key replaced by another of the same account', async () => {
  expect(
    await client.apps.update(appId, { type: 'stripe', name: 'Main', metadata: { team: 'billing' } }),
  ).toMatchObject({ name: 'Main', metadata: { team: 'billing' } })
  await client.apps.stripe
    .updateApiKey(appId, { secretAPIKey: 'rk_test_another' })
    .catch((error: unknown) => expect(String(error)).toMatch(/account/))
  await client.apps.stripe.updateApiKey(appId, { secretAPIKey: key })
  expect(await client.apps.get(appId)).toMatchObject({ status: 'ready' })
})

const supplier = {
  name: 'Acme Inc.',
  addresses: [{ country: 'US', city: 'Springfield' }],
  taxId: { code: 'US123' },
}
const profileInput = (name: string, isDefault: boolean) => ({
  name,
  default: isDefault,
  supplier,
  workflow: {},
  apps: { tax: appId, invoicing: appId, payment: appId },
})

test('a billing profile is complete when it is stored, and there is one default', async () => {
  const first = await client.billing.profiles.create(profileInput('First', true))
  expect(first).toMatchObject({
    default: true,
    supplier,
    apps: { tax: { id: appId }, invoicing: { id: appId }, payment: { id: appId } },
    workflow: {
      collection: { alignment: { type: 'subscription' }, interval: 'PT0S' },
      invoicing: { autoAdvance: true, draftPeriod: 'P0D', dueAfter: 'P30D', progressiveBilling: false },
      payment: { collectionMethod: 'charge_automatically' },
      tax: { enabled: false, enforced: false },
    },
    dunning: { end: 'leave_overdue' },
    lateUsage: { policy: 'bill_on_next', window: 'P3M' },
  })
  const second = await client.billing.profiles.create({
    ...profileInput('Second', true),
    workflow: { payment: { collectionMethod: 'send_invoice' } },
  })
  expect(second?.workflow.payment?.collectionMethod).toBe('send_invoice')
  expect(await client.billing.profiles.get(first?.id ?? '')).toMatchObject({ default: false })
  const { apps: _apps, ...update } = profileInput('First again', true)
  expect(
    await client.billing.profiles.update(first?.id ?? '', {
      ...update,
      workflow: { collection: { interval: 'P1D' } },
    }),
  ).toMatchObject({
    default: true,
    name: 'First again',
    workflow: { collection: { interval: 'P1D' }, invoicing: { autoAdvance: true } },
  })
  const listed = await client.billing.profiles.list({ expand: ['apps'], orderBy: 'name', order: 'DESC' })
  expect(listed).toMatchObject({
    totalCount: 2,
    items: [
      {
        name: 'Second',
        default: false,
        apps: { tax: { type: 'stripe', stripeAccountId: expect.any(String) } },
      },
      {},
    ],
  })
  await client.billing.profiles.delete(second?.id ?? '')
  expect((await send('DELETE', `/api/v1/billing/profiles/${first?.id ?? ''}`)).json()).toMatchObject({
    code: 'profile_in_use',
  })
  expect((await send('DELETE', `/api/v1/apps/${appId}`)).json()).toMatchObject({ code: 'app_in_use' })
})

test('profiles that become the default at once are all made, and one of them is it', async () => {
  const answers = await Promise.all(
    [1, 2, 3, 4, 5, 6].map((n) => send('POST', '/api/v1/billing/profiles', profileInput(`Race ${n}`, true))),
  )
  expect(answers.map((answer) => answer.statusCode)).toEqual([201, 201, 201, 201, 201, 201])
  const { items } = (await send('GET', '/api/v1/billing/profiles')).json<{
    items: readonly { default: boolean }[]
  }>()
  expect(items.filter((profile) => profile.default)).toHaveLength(1)
})

test('a billing profile is refused by field', async () => {
  const refused = async (change: object) =>
    (await send('POST', '/api/v1/billing/profiles', { ...profileInput('Bad', false), ...change })).json()
  expect(await refused({ supplier: { name: 'Acme', addresses: [] } })).toMatchObject({
    status: 400,
    field: 'supplier.addresses',
  })
  expect(await refused({ supplier: { name: 'Acme', addresses: [{ city: 'X' }] } })).toMatchObject({
    field: 'supplier.addresses[0].country',
  })
  expect(await refused({ apps: { tax: 'x', invoicing: appId, payment: appId } })).toMatchObject({
    field: 'apps.tax',
  })
  expect(await refused({ apps: { tax: 'x', invoicing: 'x', payment: 'x' } })).toMatchObject({
    field: 'apps.payment',
  })
  expect(await refused({ workflow: { collection: { interval: 'Psoon' } } })).toMatchObject({
    code: 'invalid_duration',
    field: 'workflow.collection.interval',
  })
  expect(await refused({ dunning: { retries: ['P5D', 'P3D'] } })).toMatchObject({
    field: 'dunning.retries[1]',
  })
})

test('a customer is created, found by id and key, changed and deleted', async () => {
  const created = await client.customers.create({
    key: 'ada',
    name: 'Ada',
    currency: 'USD',
    primaryEmail: 'ada@example.com',
    usageAttribution: { subjectKeys: ['ada-1', 'ada-2'] },
    billingAddress: { country: 'GB', city: 'London' },
    metadata: { tier: 'gold' },
  })
  expect(created).toMatchObject({
    key: 'ada',
    usageAttribution: { subjectKeys: ['ada-1', 'ada-2'] },
    billingAddress: { country: 'GB' },
    timezone: 'UTC',
  })
  const id = created?.id ?? ''
  expect(await client.customers.get('ada')).toEqual(created)
  expect(await client.customers.get(id)).toEqual(created)
  expect((await send('GET', `/api/v1/customers/${id}?expand=subscriptions`)).json()).toMatchObject({
    subscriptions: [],
  })
  const updated = await client.customers.update('ada', {
    key: 'ada',
    name: 'Ada L.',
    usageAttribution: { subjectKeys: ['ada-2', 'ada-3'] },
  })
  expect(updated).toMatchObject({ name: 'Ada L.', usageAttribution: { subjectKeys: ['ada-2', 'ada-3'] } })
  expect(updated?.currency).toBeUndefined()
  expect(await client.customers.list({ subject: 'ADA-3' })).toMatchObject({ totalCount: 1 })
  expect(await client.customers.list({ name: 'a_l' })).toMatchObject({ totalCount: 0 })
  await client.customers.delete('ada')
  expect((await client.customers.get(id))?.deletedAt).toBeInstanceOf(Date)
  expect((await send('GET', '/api/v1/customers/ada')).statusCode).toBe(404)
  expect((await send('DELETE', `/api/v1/customers/${id}`)).statusCode).toBe(404)
  await client.customers.create({
    key: 'ada',
    name: 'Ada again',
    usageAttribution: { subjectKeys: ['ada-2'] },
  })
})

test('a key and a subject belong to one living customer', async () => {
  await client.customers.create({ key: 'one', name: 'One', usageAttribution: { subjectKeys: ['shared'] } })
  expect((await send('POST', '/api/v1/customers', { key: 'one', name: 'Two' })).json()).toMatchObject({
    status: 409,
    code: 'duplicate_key',
    field: 'key',
  })
  const taken = await send('POST', '/api/v1/customers', {
    key: 'two',
    name: 'Two',
    usageAttribution: { subjectKeys: ['shared'] },
  })
  expect(taken.json()).toMatchObject({
    status: 409,
    code: 'duplicate_key',
    field: 'usageAttribution.subjectKeys',
  })
  expect((await send('GET', '/api/v1/customers/two')).statusCode, 'nothing is half done').toBe(404)
})

test('a customer is refused by field', async () => {
  const refused = async (input: object) =>
    (await send('POST', '/api/v1/customers', { name: 'Bad', key: 'bad', ...input })).json()
  expect(await refused({ currency: 'XQQ' })).toMatchObject({ code: 'unknown_currency', field: 'currency' })
  expect(await refused({ timezone: 'Mars/Olympus' })).toMatchObject({
    code: 'invalid_time_zone',
    field: 'timezone',
  })
  expect(await refused({ testClockId: 'nope' })).toMatchObject({ field: 'testClockId' })
  expect(await refused({ name: 'NUL \0' })).toMatchObject({ code: 'nul_character', field: 'name' })
  expect(await refused({ metadata: { a: { b: 'c' } } })).toMatchObject({
    code: 'validation_failed',
    field: 'metadata.a',
  })
  expect(await refused({ key: undefined })).toMatchObject({ field: 'usageAttribution' })
})

test('a customer stands on a test clock and in a zone from the start; usage is attributed by the key where nothing else is given', async () => {
  await api.db
    .transaction()
    .execute((trx) => insertTestClock(trx, { id: 'clock_1', name: 'Year', frozenTime: new Date(0) }))
  const created = await send('POST', '/api/v1/customers', {
    key: 'clocked',
    name: 'Clocked',
    timezone: 'America/New_York',
    testClockId: 'clock_1',
  })
  expect(created.json()).toMatchObject({
    timezone: 'America/New_York',
    testClockId: 'clock_1',
    usageAttribution: { subjectKeys: ['clocked'] },
  })
  const updated = await send('PUT', '/api/v1/customers/clocked', { key: 'clocked', name: 'Clocked' })
  expect(updated.json(), 'neither is lost by an update that does not know them').toMatchObject({
    timezone: 'America/New_York',
    testClockId: 'clock_1',
  })
})

test('a customer is linked to an existing Stripe customer and a payment method of theirs', async () => {
  const { id } = (await client.customers.create({ key: 'linked', name: 'Linked' })) ?? { id: '' }
  const at = await stripe.customers.create({ name: 'Linked' })
  const method = await stripe.paymentMethods.attach('pm_card_visa', { customer: at.id })
  const linked = await client.customers.stripe.upsert('linked', {
    stripeCustomerId: at.id,
    stripeDefaultPaymentMethodId: method.id,
  })
  expect(linked).toMatchObject({
    id: appId,
    type: 'stripe',
    stripeCustomerId: at.id,
    stripeDefaultPaymentMethodId: method.id,
    app: { id: appId },
  })
  expect(await client.customers.stripe.get(id)).toEqual(linked)
  expect(await client.customers.apps.list('linked', {})).toMatchObject({
    totalCount: 1,
    items: [{ stripeCustomerId: at.id }],
  })

  const other = await stripe.customers.create({ name: 'Other' })
  const mismatch = await send('PUT', '/api/v1/customers/linked/stripe', {
    stripeCustomerId: other.id,
    stripeDefaultPaymentMethodId: method.id,
  })
  expect(mismatch.json()).toMatchObject({
    code: 'stripe_payment_method_not_found',
    field: 'stripeDefaultPaymentMethodId',
  })
  const unknown = await send('PUT', '/api/v1/customers/linked/apps', [
    { type: 'stripe', stripeCustomerId: 'cus_nobody' },
  ])
  expect(unknown.json()).toMatchObject({ code: 'stripe_customer_not_found' })
  expect(await client.customers.stripe.get(id)).toEqual(linked)

  expect(
    await client.customers.apps.upsert('linked', [{ type: 'stripe', id: appId, stripeCustomerId: other.id }]),
  ).toMatchObject([{ stripeCustomerId: other.id }])
  await client.customers.apps.delete('linked', appId)
  expect((await send('GET', '/api/v1/customers/linked/stripe')).statusCode).toBe(404)
})

test('the Stripe test clock under a linked customer is remembered, to be advanced with ours', async () => {
  const clock = await stripe.testHelpers.testClocks.create({ frozen_time: 1_700_000_000 })
  const at = await stripe.customers.create({ name: 'Clocked', test_clock: clock.id })
  await client.customers.stripe.upsert('clocked', { stripeCustomerId: at.id })
  const row = await api.db
    .selectFrom('customerApps')
    .selectAll()
    .where('stripeCustomerId', '=', at.id)
    .executeTakeFirstOrThrow()
  expect(row.stripeTestClockId).toBe(clock.id)
})

test('a customer is billed by the default profile until it is pinned to another', async () => {
  const { id } = (await client.customers.create({ key: 'pinned', name: 'Pinned' })) ?? { id: '' }
  const profile = await client.billing.profiles.create(profileInput('Special', false))
  const before = await client.billing.customers.getOverride(id)
  expect(before?.customerOverride).toBeUndefined()
  expect(before?.baseBillingProfileId).not.toBe(profile?.id)
  await client.billing.customers.createOverride(id, { ...(profile && { billingProfileId: profile.id }) })
  const expanded = await send('GET', `/api/v1/billing/customers/${id}?expand=customer&expand=apps`)
  expect(expanded.json()).toMatchObject({
    baseBillingProfileId: profile?.id,
    customer: { id },
    customerProfile: { apps: { tax: { type: 'stripe' } } },
  })
  const listed = await client.billing.customers.listOverrides({
    billingProfile: [profile?.id ?? ''],
    expand: ['customer'],
  })
  expect(listed).toMatchObject({
    totalCount: 1,
    items: [{ customer: { id }, customerOverride: { billingProfileId: profile?.id, customerId: id } }],
  })
  expect(await client.billing.customers.listOverrides({ includeAllCustomers: false })).toMatchObject({
    totalCount: 1,
  })
  expect((await send('DELETE', `/api/v1/billing/profiles/${profile?.id ?? ''}`)).json()).toMatchObject({
    code: 'profile_in_use',
  })
  await client.billing.customers.deleteOverride(id)
  expect((await client.billing.customers.getOverride(id))?.customerOverride).toBeUndefined()
})

test('an app is installed with a billing profile of its account, and one that nobody uses is uninstalled with its endpoint', async () => {
  const fresh = await startTestApi({ stripe: api.deps.stripe })
  try {
    const other = await connectClient(fresh.app)
    const bare = await other.apps.marketplace.installWithAPIKey('stripe', {
      apiKey: key,
      createBillingProfile: false,
    })
    const endpointOf = async (id: string) =>
      (await stripe.webhookEndpoints.list({ limit: 100 })).data.filter(({ url }) => url.includes(id))
    expect(await endpointOf(bare?.app.id ?? '')).toHaveLength(1)
    await other.apps.uninstall(bare?.app.id ?? '')
    expect(await endpointOf(bare?.app.id ?? '')).toHaveLength(0)
    expect((await other.apps.list({}))?.totalCount).toBe(0)

    const installed = await other.apps.marketplace.installWithAPIKey('stripe', { apiKey: key })
    expect(installed?.defaultForCapabilityTypes).toEqual([
      'calculateTax',
      'invoiceCustomers',
      'collectPayments',
    ])
    const profiles = await other.billing.profiles.list({})
    expect(profiles).toMatchObject({
      totalCount: 1,
      items: [{ default: true, supplier: { addresses: [{ country: 'US' }] } }],
    })
  } finally {
    await fresh.close()
  }
})
