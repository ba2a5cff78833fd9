import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'

let installation: Installation
beforeAll(async () => {
  installation = await startInstallation()
})
afterAll(async () => {
  await installation.close()
})

async function setKey(key: string, more: object): Promise<void> {
  await fetch(`${installation.sandboxUrl}/_sandbox/keys`, {
    method: 'POST',
    body: JSON.stringify({ key, ...more }),
  })
}

const invoices = async () =>
  await installation.database.db.selectFrom('invoices').selectAll().orderBy('id').execute()

test('an invoice whose key was refused says so, and is issued as soon as there is another key', async () => {
  const { call } = installation
  await setKey('rk_test_rolled', {})
  const { app } = await call<{ app: { id: string } }>(
    'POST',
    '/api/v1/marketplace/listings/stripe/install/apikey',
    { apiKey: 'rk_test_rolled' },
  )
  await call('POST', '/api/v1/billing/profiles', {
    name: 'Default',
    default: true,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow: {},
    apps: { tax: app.id, invoicing: app.id, payment: app.id },
  })
  await addTokenPlan(installation)
  const clock = await call<{ id: string }>('POST', '/api/v1/test-clocks', {
    name: 'one',
    frozenTime: '2026-01-01T00:00:00Z',
  })
  const scenario: Scenario = { appId: app.id, profileId: '', clockId: clock.id, stripeClockId: null }
  const { id: customerId } = await addCustomer(installation, scenario, { key: 'ada' })
  await call('POST', '/api/v1/subscriptions', { customerId, plan: { key: 'tokens_monthly' } })
  await waitFor(invoices, ([first]) => first?.status === 'paid')

  await setKey('rk_test_rolled', { revoked: true })
  await call('POST', `/api/v1/test-clocks/${clock.id}/advance`, { frozenTime: '2026-02-02T00:00:00Z' })
  const waiting = await waitFor(
    invoices,
    ([, second]) => second?.hasWorkflow === true && second.statusReason !== null,
  )
  expect(waiting[1]).toMatchObject({ status: 'issuing', statusReason: expect.stringContaining('Expired') })
  expect(await call('GET', `/api/v1/apps/${app.id}`)).toMatchObject({
    status: 'unauthorized',
    statusReason: expect.stringContaining('Expired API Key'),
  })
  // Its workflow has tried too, and would again after minutes.
  await waitFor(invoices, ([, second]) => second?.substatus === 'waiting_for_stripe')

  await call('PUT', `/api/v1/apps/${app.id}/stripe/api-key`, { secretAPIKey: 'sk_test_another' })
  const paid = await waitFor(invoices, ([, second]) => second?.status === 'paid')
  expect(paid[1]).toMatchObject({ statusReason: null, attempts: 0 })
  const ready = await call<object>('GET', `/api/v1/apps/${app.id}`)
  expect(ready).toMatchObject({ status: 'ready' })
  expect(ready).not.toHaveProperty('statusReason')
  await waitFor(
    async () => await call<{ status: string }>('GET', `/api/v1/test-clocks/${clock.id}`),
    ({ status }) => status === 'ready',
  )
})
