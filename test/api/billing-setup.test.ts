import { afterAll, beforeAll, expect, test } from 'vitest'
import type {
  MarketplaceInstallResponse,
  StripeApp,
  StripeCustomerAppData,
} from '../../src/api/schemas/apps.ts'
import type { BillingProfile, CustomerOverride } from '../../src/api/schemas/billing-profiles.ts'
import type { Customer } from '../../src/api/schemas/customers.ts'
import { connectClient } from './client.ts'
import type { IsAssignable, Schemas } from './client.ts'
import { key, profileInput, startStripeApi, supplier } from './stripe-world.ts'
import { startTestApi } from './support.ts'

/** An account is installed, and profiles say how to bill by it. */
let world: Awaited<ReturnType<typeof startStripeApi>>
let appId = ''
beforeAll(async () => {
  world = await startStripeApi()
})
afterAll(async () => await world.close())

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
  expect(await world.client.apps.marketplace.list()).toMatchObject({
    items: [{ type: 'stripe', installMethods: ['with_api_key'] }],
  })
  expect(await world.client.apps.marketplace.get('stripe')).toMatchObject({ name: 'Stripe' })
  const installed = await world.install('Sandbox')
  expect(installed).toMatchObject({
    app: { type: 'stripe', name: 'Sandbox', status: 'ready', livemode: false },
    defaultForCapabilityTypes: [],
  })
  const { app } = installed
  appId = app.id
  expect(app.maskedAPIKey).not.toContain(key)
  expect(app.stripeAccountId).toMatch(/^acct_/)
  const { data } = await world.stripe.webhookEndpoints.list()
  expect(data.map(({ url }) => url)).toEqual([`http://127.0.0.1:8888/api/v1/apps/${appId}/stripe/webhook`])
  const row = await world.api.db
    .selectFrom('apps')
    .selectAll()
    .where('id', '=', appId)
    .executeTakeFirstOrThrow()
  expect(JSON.stringify(row)).not.toContain(key)
  expect(await world.client.apps.get(appId)).toEqual(app)
  expect(await world.client.apps.list({})).toMatchObject({ totalCount: 1, items: [{ id: appId }] })
})

test('the same account is not installed twice, and wrong keys are refused by what is wrong with them', async () => {
  const install = (apiKey: string) =>
    world.send('POST', '/api/v1/marketplace/listings/stripe/install/apikey', { apiKey })
  expect((await install(key)).json()).toMatchObject({
    status: 409,
    code: 'app_already_installed',
    field: 'apiKey',
  })
  expect((await install('pk_test_1')).json()).toMatchObject({ status: 400, code: 'stripe_key_publishable' })
  expect((await install('sk_live_1')).json()).toMatchObject({ code: 'stripe_key_live_refused' })
  expect((await install('nonsense')).json()).toMatchObject({ code: 'stripe_key_invalid' })
  expect(
    (await world.send('GET', '/api/v1/marketplace/listings/stripe/install/oauth2')).json(),
  ).toMatchObject({
    status: 501,
    code: 'oauth_not_offered',
  })
  expect(
    (await world.send('POST', '/api/v1/marketplace/listings/sandbox/install/apikey', { apiKey: key }))
      .statusCode,
  ).toBe(404)
})

test('an app is renamed, and its key replaced by another of the same account', async () => {
  expect(
    await world.client.apps.update(appId, { type: 'stripe', name: 'Main', metadata: { team: 'billing' } }),
  ).toMatchObject({ name: 'Main', metadata: { team: 'billing' } })
  await world.client.apps.stripe
    .updateApiKey(appId, { secretAPIKey: 'rk_test_another' })
    .catch((error: unknown) => expect(String(error)).toMatch(/account/))
  await world.client.apps.stripe.updateApiKey(appId, { secretAPIKey: key })
  expect(await world.client.apps.get(appId)).toMatchObject({ status: 'ready' })
})

test('a billing profile is complete when it is stored, and there is one default', async () => {
  const first = await world.client.billing.profiles.create(profileInput(appId, 'First', true))
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
  const second = await world.client.billing.profiles.create({
    ...profileInput(appId, 'Second', true),
    workflow: { payment: { collectionMethod: 'send_invoice' } },
  })
  expect(second?.workflow.payment?.collectionMethod).toBe('send_invoice')
  expect(await world.client.billing.profiles.get(first?.id ?? '')).toMatchObject({ default: false })
  const { apps: _apps, ...update } = profileInput(appId, 'First again', true)
  expect(
    await world.client.billing.profiles.update(first?.id ?? '', {
      ...update,
      workflow: { collection: { interval: 'P1D' } },
    }),
  ).toMatchObject({
    default: true,
    name: 'First again',
    workflow: { collection: { interval: 'P1D' }, invoicing: { autoAdvance: true } },
  })
  const listed = await world.client.billing.profiles.list({
    expand: ['apps'],
    orderBy: 'name',
    order: 'DESC',
  })
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
  await world.client.billing.profiles.delete(second?.id ?? '')
  expect((await world.send('DELETE', `/api/v1/billing/profiles/${first?.id ?? ''}`)).json()).toMatchObject({
    code: 'profile_in_use',
  })
  expect((await world.send('DELETE', `/api/v1/apps/${appId}`)).json()).toMatchObject({ code: 'app_in_use' })
})

test('profiles that become the default at once are all made, and one of them is it', async () => {
  const answers = await Promise.all(
    [1, 2, 3, 4, 5, 6].map((n) =>
      world.send('POST', '/api/v1/billing/profiles', profileInput(appId, `Race ${n}`, true)),
    ),
  )
  expect(answers.map((answer) => answer.statusCode)).toEqual([201, 201, 201, 201, 201, 201])
  const { items } = (await world.send('GET', '/api/v1/billing/profiles')).json<{
    items: readonly { default: boolean }[]
  }>()
  expect(items.filter((profile) => profile.default)).toHaveLength(1)
})

test('a billing profile is refused by field', async () => {
  const refused = async (change: object) =>
    (
      await world.send('POST', '/api/v1/billing/profiles', {
        ...profileInput(appId, 'Bad', false),
        ...change,
      })
    ).json()
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

test('an app is installed with a billing profile of its account, and one that nobody uses is uninstalled with its endpoint', async () => {
  const fresh = await startTestApi({ stripe: world.api.deps.stripe })
  try {
    const other = await connectClient(fresh.app)
    const bare = await other.apps.marketplace.installWithAPIKey('stripe', {
      apiKey: key,
      createBillingProfile: false,
    })
    const endpointOf = async (id: string) =>
      (await world.stripe.webhookEndpoints.list({ limit: 100 })).data.filter(({ url }) => url.includes(id))
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
