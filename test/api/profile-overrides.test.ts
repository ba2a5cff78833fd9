import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpenMeter } from '@openmeter/sdk'
import { loadSettings } from '../../src/billing/settings.ts'
import { insertCustomer, insertProfile } from './billing-fixtures.ts'
import { connectClient } from './client.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
let client: OpenMeter
let appId = ''
let defaultId = ''

beforeAll(async () => {
  api = await startTestApi()
  client = await connectClient(api.app)
  ;({ appId, profileId: defaultId } = await insertProfile(api.db))
})
afterAll(async () => {
  await api.close()
})

const send = async (method: 'POST' | 'PUT' | 'DELETE' | 'GET', url: string, payload?: object) =>
  (await api.app.inject({ method, url, ...(payload !== undefined && { payload }) })).json<{ id: string }>()

const described = (name: string) => ({
  name,
  default: false,
  supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
  workflow: {},
})
const create = async (change: object) =>
  await send('POST', '/api/v1/billing/profiles', {
    ...described('Profile'),
    apps: { tax: appId, invoicing: appId, payment: appId },
    ...change,
  })

test('every setting of a profile goes in and comes out, with its default where none is given', async () => {
  expect(await create({})).toMatchObject({
    access: { gate: 'none' },
    stripe: { billing: 'invoice', synchronize: 'at_issuing', send: 'every_bill', paymentMethodTypes: [] },
  })
  const workflow = {
    collection: { interval: 'PT6H' },
    invoicing: {
      autoAdvance: false,
      draftPeriod: 'P2D',
      dueAfter: 'P14D',
      defaultTaxConfig: { behavior: 'inclusive', stripe: { code: 'txcd_10000000' } },
    },
    payment: { collectionMethod: 'send_invoice' },
    tax: { enabled: true, enforced: true },
  }
  const ours = {
    access: { gate: 'first_invoice' },
    stripe: {
      synchronize: 'continuously',
      send: 'approved_bills',
      paymentMethodTypes: ['card', 'sepa_debit'],
    },
    defaultCurrency: 'EUR',
    dunning: { retries: ['P1D'], end: 'cancel_subscription', grace: 'P3D' },
    lateUsage: { policy: 'ignore', window: 'P1M' },
  }
  const created = await create({ workflow, ...ours })
  expect(created).toMatchObject({ workflow, ...ours })
  expect(await send('GET', `/api/v1/billing/profiles/${created.id}`)).toMatchObject({ workflow, ...ours })
  expect(await send('GET', '/api/v1/billing/profiles?orderBy=createdAt&order=DESC')).toMatchObject({
    items: expect.arrayContaining([expect.objectContaining({ defaultCurrency: 'EUR' })]),
  })
  const replaced = await send('PUT', `/api/v1/billing/profiles/${created.id}`, described('Plain'))
  // The published client knows nothing of ours: what it leaves out stays, what it knows is replaced.
  expect(replaced).toMatchObject({
    ...ours,
    workflow: { payment: { collectionMethod: 'charge_automatically' } },
  })
  const cleared = { ...described('Plain'), access: { gate: 'none' }, defaultCurrency: null }
  const after = await send('PUT', `/api/v1/billing/profiles/${created.id}`, cleared)
  expect(after).toMatchObject({ access: { gate: 'none' }, stripe: { send: 'approved_bills' } })
  expect(after).not.toHaveProperty('defaultCurrency')
})

test.each([
  [{ access: { gate: 'second_invoice' } }, 'validation_failed', 'access.gate'],
  [{ stripe: { billing: 'pigeon' } }, 'validation_failed', 'stripe.billing'],
  [{ stripe: { paymentMethodTypes: ['Card!'] } }, 'validation_failed', 'stripe.paymentMethodTypes[0]'],
  [
    { stripe: { billing: 'subscription_items', synchronize: 'continuously' } },
    'validation_failed',
    'stripe.synchronize',
  ],
  [{ defaultCurrency: 'XQQ' }, 'unknown_currency', 'defaultCurrency'],
  [{ dunning: { retries: ['soon'] } }, 'validation_failed', 'dunning.retries[0]'],
  [{ dunning: { retries: ['P3D', 'P1D'] } }, 'validation_failed', 'dunning.retries[1]'],
  [{ dunning: { grace: 'P99Y' } }, 'invalid_duration', 'dunning.grace'],
  [{ lateUsage: { window: 'Psoon' } }, 'invalid_duration', 'lateUsage.window'],
  [{ workflow: { invoicing: { dueAfter: 'P1' } } }, 'invalid_duration', 'workflow.invoicing.dueAfter'],
])('a profile with %j is refused as %s at %s', async (change, code, field) => {
  expect(await create(change)).toMatchObject({ code, field })
})

test('an override names only what differs; what applies is shown whole, and is what billing uses', async () => {
  const id = await insertCustomer(api.db, { key: 'enterprise', appId })
  const override = {
    workflow: { payment: { collectionMethod: 'send_invoice' }, invoicing: { dueAfter: 'P60D' } },
    dunning: { grace: 'P14D' },
    lateUsage: { policy: 'ignore' },
    access: { gate: 'first_invoice' },
    stripe: { paymentMethodTypes: ['customer_balance'] },
  }
  const applied = {
    workflow: {
      invoicing: { autoAdvance: true, dueAfter: 'P60D' },
      payment: { collectionMethod: 'send_invoice' },
    },
    dunning: { retries: ['P3D'], end: 'leave_overdue', grace: 'P14D' },
    lateUsage: { policy: 'ignore', window: 'P30D' },
    access: { gate: 'first_invoice' },
    stripe: { billing: 'invoice', paymentMethodTypes: ['customer_balance'] },
  }
  expect(await send('PUT', `/api/v1/billing/customers/${id}`, override)).toMatchObject({
    baseBillingProfileId: defaultId,
    customerOverride: { customerId: id, ...override },
    customerProfile: applied,
  })
  expect(await loadSettings(api.db, id)).toMatchObject({ profileId: defaultId, ...applied })

  const refused = async (body: object) => await send('PUT', `/api/v1/billing/customers/${id}`, body)
  expect(await refused({ dunning: { retries: ['P9D', 'P1D'] } })).toMatchObject({
    field: 'dunning.retries[1]',
  })
  expect(await refused({ workflow: { invoicing: { draftPeriod: 'P' } } })).toMatchObject({
    field: 'workflow.invoicing.draftPeriod',
  })
  expect(await refused({ billingProfileId: 'nobody' })).toMatchObject({ status: 404 })
  expect(await loadSettings(api.db, id), 'what was refused changed nothing').toMatchObject(applied)

  const whole = await send('PUT', `/api/v1/billing/customers/${id}`, { dunning: { grace: 'P1D' } })
  expect(whole, 'an override replaces the one before').toMatchObject({
    customerProfile: { dunning: { grace: 'P1D' }, access: { gate: 'none' } },
  })
  await client.billing.customers.deleteOverride(id)
  expect(await loadSettings(api.db, id)).toMatchObject({
    dunning: { grace: 'P7D' },
    access: { gate: 'none' },
  })
})

test('a profile that customers are linked to is kept, and the answer names them', async () => {
  const id = await insertCustomer(api.db, { key: 'kept', appId })
  const profile = await create({ access: { gate: 'first_invoice' } })
  await client.billing.customers.createOverride(id, { billingProfileId: profile.id })
  expect(await send('DELETE', `/api/v1/billing/profiles/${profile.id}`)).toMatchObject({
    code: 'profile_in_use',
    detail: expect.stringContaining('kept'),
    extensions: { customerIds: [id], totalCount: 1 },
  })
  await client.billing.customers.deleteOverride(id)
  await client.billing.profiles.delete(profile.id)
  expect(await loadSettings(api.db, id)).toMatchObject({ profileId: defaultId })
})

test('another profile that becomes the default bills everyone who is not linked to one', async () => {
  const id = await insertCustomer(api.db, { key: 'unlinked', appId })
  const { id: next } = await create({ default: true, lateUsage: { window: 'P2D' } })
  expect(await loadSettings(api.db, id)).toMatchObject({ profileId: next, lateUsage: { window: 'P2D' } })
  await api.db.updateTable('billingProfiles').set({ isDefault: false }).where('id', '=', next).execute()
  await api.db.updateTable('billingProfiles').set({ isDefault: true }).where('id', '=', defaultId).execute()
})
