import type { Invoice } from '@openmeter/sdk'
import { HTTPError } from '@openmeter/sdk'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tokenPlan } from '../support/plans.ts'
import { answered } from './checked-client.ts'
import {
  addCatalog,
  addSdkCustomer,
  advance,
  installStripe,
  invoicesOf,
  START,
  startSdkWorld,
  subscribe,
} from './world.ts'
import type { SdkCustomer, SdkWorld } from './world.ts'

// One story told in order: each test goes on where the one before ended.
let world: SdkWorld
let acme: SdkCustomer
let profileId = ''
let appId = ''
let subscriptionId = ''

beforeAll(async () => {
  world = await startSdkWorld()
})
afterAll(async () => {
  await world.close()
})

test('a meter, a feature and a plan are made and published', async () => {
  const { client } = world
  await addCatalog(world)
  const meter = answered(await client.meters.get('tokens'))
  expect(meter).toMatchObject({ slug: 'tokens', aggregation: 'SUM', groupBy: { kind: '$.kind' } })
  expect(meter.createdAt).toBeInstanceOf(Date)
  expect(answered(await client.meters.list()).map(({ slug }) => slug)).toEqual(['tokens'])
  const feature = answered(await client.features.get('tokens'))
  expect(feature).toMatchObject({ key: 'tokens', meterSlug: 'tokens' })
  const plans = answered(await client.plans.list({}))
  const plan = answered(await client.plans.get(answered(plans.items[0]).id))
  expect(plan).toMatchObject({ key: tokenPlan.key, version: 1, status: 'active', currency: 'USD' })
  expect(plan.effectiveFrom).toBeInstanceOf(Date)
  expect(plan.phases).toMatchObject(tokenPlan.phases)
})

test('Stripe is installed, and a billing profile says how to bill', async () => {
  const { client } = world
  const installed = await installStripe(world)
  appId = installed.appId
  profileId = installed.profileId
  const app = answered(await client.apps.get(appId))
  expect(app).toMatchObject({ type: 'stripe', status: 'ready', livemode: false })
  expect(JSON.stringify(app)).not.toContain('sk_test_sandbox')
  expect(answered(await client.apps.list()).totalCount).toBe(1)
  const listing = answered(await client.apps.marketplace.get('stripe'))
  expect(listing.capabilities.map(({ type }) => type)).toContain('collectPayments')

  const profile = answered(await client.billing.profiles.get(profileId))
  expect(profile.workflow).toEqual(defaultWorkflow)
  expect(profile.apps).toEqual({ tax: { id: appId }, invoicing: { id: appId }, payment: { id: appId } })
  const updated = answered(
    await client.billing.profiles.update(profileId, {
      name: 'Renamed',
      default: true,
      supplier: profile.supplier,
      workflow: profile.workflow,
    }),
  )
  expect(updated).toEqual({ ...profile, name: 'Renamed', updatedAt: updated.updatedAt })
  const profiles = answered(await client.billing.profiles.list({}))
  expect(profiles).toMatchObject({ totalCount: 1, page: 1, items: [{ name: 'Renamed', default: true }] })
})

/** Every setting shows, whatever was left out. */
const defaultWorkflow = {
  collection: { alignment: { type: 'subscription' }, interval: 'PT0S' },
  invoicing: {
    autoAdvance: true,
    draftPeriod: 'P0D',
    dueAfter: 'P30D',
    progressiveBilling: false,
    subscriptionEndProrationMode: 'bill_actual_period',
  },
  payment: { collectionMethod: 'charge_automatically' },
  tax: { enabled: false, enforced: false },
}

test('a customer is made and linked to a customer at Stripe', async () => {
  const { client } = world
  acme = await addSdkCustomer(world, { key: 'acme' })
  const customer = answered(await client.customers.get('acme'))
  expect(customer).toMatchObject({ key: 'acme', usageAttribution: { subjectKeys: ['acme'] } })
  expect(answered(await client.customers.stripe.get('acme'))).toMatchObject({
    type: 'stripe',
    stripeCustomerId: acme.stripeCustomerId,
  })
  const links = answered(
    await client.customers.apps.upsert('acme', [{ type: 'stripe', stripeCustomerId: acme.stripeCustomerId }]),
  )
  expect(links).toMatchObject([{ type: 'stripe', stripeCustomerId: acme.stripeCustomerId }])
  expect(answered(await client.customers.apps.list('acme')).totalCount).toBe(1)
  expect(answered(await client.customers.list({})).items.map(({ key }) => key)).toEqual(['acme'])
})

test('a subscription starts, and its first invoice is paid', async () => {
  const { client } = world
  const made = await subscribe(world, acme.customer.id)
  subscriptionId = made.id
  expect(made).toMatchObject({ customerId: acme.customer.id, currency: 'USD', billingCadence: 'P1M' })
  expect(made.plan).toMatchObject({ key: tokenPlan.key, version: 1 })
  expect(made.activeFrom).toEqual(new Date(START))
  await advance(world, acme.clockId, '2026-01-10T00:00:00Z')
  const subscription = answered(await client.subscriptions.get(subscriptionId))
  expect(subscription.status).toBe('active')
  expect(subscription.phases.map(({ key }) => key)).toEqual(['main'])
  expect(subscription.phases[0]?.items.map(({ key }) => key)).toEqual(['base', 'tokens'])
  expect(subscription.alignment?.currentAlignedBillingPeriod).toEqual({
    from: new Date(START),
    to: new Date('2026-02-01T00:00:00Z'),
  })
  const listed = answered(await client.customers.listSubscriptions('acme'))
  expect(listed.items.map(({ id }) => id)).toEqual([subscriptionId])
  const [first, ...others] = await invoicesOf(world, acme.customer.id)
  expect(others).toEqual([])
  expect(answered(first)).toMatchObject({ status: 'paid', totals: { amount: '20.00', total: '20.00' } })
})

test('usage is ingested, listed with what is wrong with it, and queried', async () => {
  const { client } = world
  await client.events.ingest([
    event('1', '2026-01-05T10:30:00Z', { tokens: 600, kind: 'context' }),
    event('2', '2026-01-20T00:00:00Z', { tokens: 900.5, kind: 'generated' }),
    event('3', '2026-01-21T00:00:00Z', { tokens: 'many' }),
  ])
  const events = answered(await client.events.list({ subject: 'acme', from: new Date(START) }))
  expect(events).toHaveLength(3)
  const bad = answered(events.find(({ event: { id } }) => id === '3'))
  expect(bad.validationError).toContain('tokens')
  expect(bad.event.time).toEqual(new Date('2026-01-21T00:00:00Z'))
  expect(bad.ingestedAt).toBeInstanceOf(Date)
  expect(events.filter(({ validationError }) => validationError !== undefined)).toHaveLength(1)
  const pages = answered(await client.events.listV2({ limit: 2 }))
  expect(pages.items).toHaveLength(2)
  expect(typeof pages.nextCursor).toBe('string')

  const result = answered(
    await client.meters.query('tokens', {
      from: new Date(START),
      to: new Date('2026-02-01T00:00:00Z'),
      windowSize: 'MONTH',
      groupBy: ['kind', 'subject'],
    }),
  )
  expect(result).toMatchObject({ from: new Date(START), windowSize: 'MONTH' })
  const byKind = Object.fromEntries(result.data.map(({ value, groupBy }) => [groupBy['kind'], value]))
  expect(byKind).toEqual({ context: 600, generated: 900.5 })
  expect(result.data[0]).toMatchObject({ subject: 'acme', windowStart: new Date(START) })
  const posted = answered(await client.meters.queryPost('tokens', { subject: ['acme'] }))
  expect(posted).toMatchObject({ data: [{ value: 1500.5, subject: 'acme' }] })
  expect(answered(await client.subjects.list()).map(({ key }) => key)).toEqual(['acme'])
})

const event = (id: string, time: string, data: Record<string, unknown>) => ({
  id,
  time: new Date(time),
  source: 'test',
  specversion: '1.0',
  type: 'request',
  subject: 'acme',
  data,
})

test('what will be billed next shows as a gathering invoice', async () => {
  const { client } = world
  const page = answered(
    await client.billing.invoices.list({ statuses: ['gathering'], customers: [acme.customer.id] }),
  )
  const gathering: Invoice = answered(page.items[0])
  expect(gathering).toMatchObject({ status: 'gathering', totals: { amount: '32.50' } })
  expect(gathering.statusDetails).toMatchObject({ immutable: false, extendedStatus: 'gathering' })
})

test('the second invoice bills the usage, and every part of it means what it says', async () => {
  const { client } = world
  await advance(world, acme.clockId, '2026-02-01T00:00:00Z')
  const invoices = await invoicesOf(world, acme.customer.id)
  expect(invoices).toHaveLength(2)
  const listed = answered(invoices[1])
  const invoice = answered(await client.billing.invoices.get(listed.id))
  expect(invoice).toEqual(listed)

  expect(invoice.type).toBe('standard')
  expect(invoice.status).toBe('paid')
  expect(invoice.statusDetails).toEqual({
    immutable: true,
    failed: false,
    extendedStatus: 'paid',
    availableActions: {},
  })
  expect(invoice.number).toMatch(/^INV-\d+$/)
  expect(invoice.supplier).toMatchObject({ name: 'Acme Inc.', addresses: [{ country: 'US', city: 'Dover' }] })
  expect(invoice.customer).toMatchObject({
    id: acme.customer.id,
    key: 'acme',
    name: 'acme',
    usageAttribution: { subjectKeys: ['acme'] },
  })
  expect(invoice.workflow).toEqual({
    apps: { tax: { id: appId }, invoicing: { id: appId }, payment: { id: appId } },
    sourceBillingProfileId: profileId,
    workflow: defaultWorkflow,
  })
  expect(invoice.payment?.terms).toEqual({ type: 'instant' })
  expect(invoice.externalIds?.invoicing).toMatch(/^in_/)
  expect(invoice.issuedAt).toEqual(new Date('2026-02-01T00:00:00Z'))
  expect(invoice.quantitySnapshotedAt).toBeInstanceOf(Date)
  expect(invoice.period).toEqual({ from: new Date(START), to: new Date('2026-03-01T00:00:00Z') })
  expect(invoice.validationIssues).toBeUndefined()
  expect(invoice.totals).toEqual(totals('32.50'))
})

test('its lines show the tiers, and add up', async () => {
  const [, invoice] = await invoicesOf(world, acme.customer.id)
  const lines = answered(invoice?.lines)
  const usage = answered(lines.find(({ featureKey }) => featureKey === 'tokens'))
  const base = answered(lines.find(({ name }) => name.startsWith('Base fee')))
  expect(base.totals).toEqual(totals('20.00'))
  expect(base.period).toEqual({
    from: new Date('2026-02-01T00:00:00Z'),
    to: new Date('2026-03-01T00:00:00Z'),
  })
  expect(usage).toMatchObject({ type: 'usage_based', status: 'valid', managedBy: 'subscription' })
  expect(usage).toMatchObject({ quantity: '1500.5', meteredQuantity: '1500.5' })
  expect(usage.period).toEqual({ from: new Date(START), to: new Date('2026-02-01T00:00:00Z') })
  expect(usage.subscription?.subscription.id).toBe(subscriptionId)
  expect(
    usage.children?.map(({ quantity, perUnitAmount, totals }) => [quantity, perUnitAmount, totals.total]),
  ).toEqual([
    ['1000', '0.01', '10.00'],
    ['500.5', '0.005', '2.50'],
  ])
  expect(usage.totals).toEqual(totals('12.50'))
})

const totals = (total: string) => ({
  amount: total,
  chargesTotal: '0.00',
  discountsTotal: '0.00',
  creditsTotal: '0.00',
  taxesInclusiveTotal: '0.00',
  taxesExclusiveTotal: '0.00',
  taxesTotal: '0.00',
  total,
})

test('a cancelation is scheduled, taken back, and carried out', async () => {
  const { client } = world
  const canceled = answered(
    await client.subscriptions.cancel(subscriptionId, { timing: 'next_billing_cycle' }),
  )
  expect(canceled).toMatchObject({ status: 'canceled', activeTo: new Date('2026-03-01T00:00:00Z') })
  const twice = client.subscriptions.cancel(subscriptionId, { timing: 'immediate' })
  const error: unknown = await twice.catch((refused: unknown) => refused)
  expect(error).toBeInstanceOf(HTTPError)
  expect(error instanceof HTTPError && [error.status, error.getField('code')]).toEqual([
    409,
    'subscription_already_canceled',
  ])
  const restored = answered(await client.subscriptions.unscheduleCancelation(subscriptionId))
  expect(restored.status).toBe('active')
  expect(restored.activeTo).toBeUndefined()
  await client.subscriptions.cancel(subscriptionId, { timing: new Date('2026-02-15T00:00:00Z') })
  await advance(world, acme.clockId, '2026-02-15T00:00:00Z')
  const ended = answered(await client.subscriptions.get(subscriptionId))
  expect(ended).toMatchObject({ status: 'inactive', activeTo: new Date('2026-02-15T00:00:00Z') })
})

test('all of this was held against the client’s types', () => {
  const operations = new Set([...world.checked].map((one) => one.replace(/ \d+$/, '')))
  expect(operations.size).toBeGreaterThan(30)
  expect([...world.checked]).toContain('cancelSubscription 409')
})
