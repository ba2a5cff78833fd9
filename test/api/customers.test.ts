import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertTestClock } from '../../src/db/stores/test-clock-create.ts'
import { profileInput, startStripeApi } from './stripe-world.ts'

/** Customers, their links to Stripe, and which profile bills them. */
let world: Awaited<ReturnType<typeof startStripeApi>>
let appId = ''
beforeAll(async () => {
  world = await startStripeApi()
  appId = (await world.install('Stripe')).app.id
  await world.client.billing.profiles.create(profileInput(appId, 'Default', true))
})
afterAll(async () => await world.close())

test('a customer is created, found by id and key, changed and deleted', async () => {
  const created = await world.client.customers.create({
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
  expect(await world.client.customers.get('ada')).toEqual(created)
  expect(await world.client.customers.get(id)).toEqual(created)
  expect((await world.send('GET', `/api/v1/customers/${id}?expand=subscriptions`)).json()).toMatchObject({
    subscriptions: [],
  })
  const updated = await world.client.customers.update('ada', {
    key: 'ada',
    name: 'Ada L.',
    usageAttribution: { subjectKeys: ['ada-2', 'ada-3'] },
  })
  expect(updated).toMatchObject({ name: 'Ada L.', usageAttribution: { subjectKeys: ['ada-2', 'ada-3'] } })
  expect(updated?.currency).toBeUndefined()
  expect(await world.client.customers.list({ subject: 'ADA-3' })).toMatchObject({ totalCount: 1 })
  expect(await world.client.customers.list({ name: 'a_l' })).toMatchObject({ totalCount: 0 })
  await world.client.customers.delete('ada')
  expect((await world.client.customers.get(id))?.deletedAt).toBeInstanceOf(Date)
  expect((await world.send('GET', '/api/v1/customers/ada')).statusCode).toBe(404)
  expect((await world.send('DELETE', `/api/v1/customers/${id}`)).statusCode).toBe(404)
  await world.client.customers.create({
    key: 'ada',
    name: 'Ada again',
    usageAttribution: { subjectKeys: ['ada-2'] },
  })
})

test('a key and a subject belong to one living customer', async () => {
  await world.client.customers.create({
    key: 'one',
    name: 'One',
    usageAttribution: { subjectKeys: ['shared'] },
  })
  expect((await world.send('POST', '/api/v1/customers', { key: 'one', name: 'Two' })).json()).toMatchObject({
    status: 409,
    code: 'duplicate_key',
    field: 'key',
  })
  const taken = await world.send('POST', '/api/v1/customers', {
    key: 'two',
    name: 'Two',
    usageAttribution: { subjectKeys: ['shared'] },
  })
  expect(taken.json()).toMatchObject({
    status: 409,
    code: 'duplicate_key',
    field: 'usageAttribution.subjectKeys',
  })
  expect((await world.send('GET', '/api/v1/customers/two')).statusCode, 'nothing is half done').toBe(404)
})

test('a customer is refused by field', async () => {
  const refused = async (input: object) =>
    (await world.send('POST', '/api/v1/customers', { name: 'Bad', key: 'bad', ...input })).json()
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
  await world.api.db
    .transaction()
    .execute((trx) => insertTestClock(trx, { id: 'clock_1', name: 'Year', frozenTime: new Date(0) }))
  const created = await world.send('POST', '/api/v1/customers', {
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
  const updated = await world.send('PUT', '/api/v1/customers/clocked', { key: 'clocked', name: 'Clocked' })
  expect(updated.json(), 'neither is lost by an update that does not know them').toMatchObject({
    timezone: 'America/New_York',
    testClockId: 'clock_1',
  })
})

test('a customer is linked to an existing Stripe customer and a payment method of theirs', async () => {
  const { id } = (await world.client.customers.create({ key: 'linked', name: 'Linked' })) ?? { id: '' }
  const at = await world.stripe.customers.create({ name: 'Linked' })
  const method = await world.stripe.paymentMethods.attach('pm_card_visa', { customer: at.id })
  const linked = await world.client.customers.stripe.upsert('linked', {
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
  expect(await world.client.customers.stripe.get(id)).toEqual(linked)
  expect(await world.client.customers.apps.list('linked', {})).toMatchObject({
    totalCount: 1,
    items: [{ stripeCustomerId: at.id }],
  })

  const other = await world.stripe.customers.create({ name: 'Other' })
  const mismatch = await world.send('PUT', '/api/v1/customers/linked/stripe', {
    stripeCustomerId: other.id,
    stripeDefaultPaymentMethodId: method.id,
  })
  expect(mismatch.json()).toMatchObject({
    code: 'stripe_payment_method_not_found',
    field: 'stripeDefaultPaymentMethodId',
  })
  const unknown = await world.send('PUT', '/api/v1/customers/linked/apps', [
    { type: 'stripe', stripeCustomerId: 'cus_nobody' },
  ])
  expect(unknown.json()).toMatchObject({ code: 'stripe_customer_not_found' })
  expect(await world.client.customers.stripe.get(id)).toEqual(linked)

  expect(
    await world.client.customers.apps.upsert('linked', [
      { type: 'stripe', id: appId, stripeCustomerId: other.id },
    ]),
  ).toMatchObject([{ stripeCustomerId: other.id }])
  await world.client.customers.apps.delete('linked', appId)
  expect((await world.send('GET', '/api/v1/customers/linked/stripe')).statusCode).toBe(404)
})

test('the Stripe test clock under a linked customer is remembered, to be advanced with ours', async () => {
  const clock = await world.stripe.testHelpers.testClocks.create({ frozen_time: 1_700_000_000 })
  const at = await world.stripe.customers.create({ name: 'Clocked', test_clock: clock.id })
  await world.client.customers.stripe.upsert('clocked', { stripeCustomerId: at.id })
  const row = await world.api.db
    .selectFrom('customerApps')
    .selectAll()
    .where('stripeCustomerId', '=', at.id)
    .executeTakeFirstOrThrow()
  expect(row.stripeTestClockId).toBe(clock.id)
})

test('a customer is billed by the default profile until it is pinned to another', async () => {
  const { id } = (await world.client.customers.create({ key: 'pinned', name: 'Pinned' })) ?? { id: '' }
  const profile = await world.client.billing.profiles.create(profileInput(appId, 'Special', false))
  const before = await world.client.billing.customers.getOverride(id)
  expect(before?.customerOverride).toBeUndefined()
  expect(before?.baseBillingProfileId).not.toBe(profile?.id)
  await world.client.billing.customers.createOverride(id, {
    ...(profile && { billingProfileId: profile.id }),
  })
  const expanded = await world.send('GET', `/api/v1/billing/customers/${id}?expand=customer&expand=apps`)
  expect(expanded.json()).toMatchObject({
    baseBillingProfileId: profile?.id,
    customer: { id },
    customerProfile: { apps: { tax: { type: 'stripe' } } },
  })
  const listed = await world.client.billing.customers.listOverrides({
    billingProfile: [profile?.id ?? ''],
    expand: ['customer'],
  })
  expect(listed).toMatchObject({
    totalCount: 1,
    items: [{ customer: { id }, customerOverride: { billingProfileId: profile?.id, customerId: id } }],
  })
  expect(await world.client.billing.customers.listOverrides({ includeAllCustomers: false })).toMatchObject({
    totalCount: 1,
  })
  expect((await world.send('DELETE', `/api/v1/billing/profiles/${profile?.id ?? ''}`)).json()).toMatchObject({
    code: 'profile_in_use',
  })
  await world.client.billing.customers.deleteOverride(id)
  expect((await world.client.billing.customers.getOverride(id))?.customerOverride).toBeUndefined()
})
