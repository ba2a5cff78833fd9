import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, advanceTo, startScenario } from '../support/scenario.ts'

let installation: Installation

beforeAll(async () => {
  installation = await startInstallation()
})
afterAll(async () => {
  await installation.close()
})

interface Invoice {
  readonly id: string
  readonly number: string
  readonly status: string
  readonly totals: { readonly total: string }
  readonly externalIds?: { readonly invoicing: string }
}

test('a subscription is billed in advance, then its usage in arrears, and each invoice is paid', async () => {
  const { call } = installation
  const scenario = await startScenario(installation, { frozenTime: '2026-01-01T00:00:00Z' })
  const clockId = scenario.clockId ?? ''
  const customer = await addCustomer(installation, scenario, { key: 'acme' })
  const { planKey } = await addTokenPlan(installation)
  await call('POST', '/api/v1/subscriptions', { customerId: customer.id, plan: { key: planKey } })
  await call('POST', '/api/v1/events', [
    {
      specversion: '1.0',
      id: '1',
      source: 's',
      type: 'request',
      subject: 'acme',
      time: '2026-01-10T00:00:00Z',
      data: { tokens: 1500, kind: 'context' },
    },
    // Exactly at the boundary: it belongs to February.
    {
      specversion: '1.0',
      id: '2',
      source: 's',
      type: 'request',
      subject: 'acme',
      time: '2026-02-01T00:00:00Z',
      data: { tokens: 10, kind: 'context' },
    },
  ])
  await advanceTo(installation, clockId, '2026-02-15T00:00:00Z')

  const { items } = await call<{ items: Invoice[] }>(
    'GET',
    `/api/v1/billing/invoices?customers=${customer.id}&order=ASC&expand=lines`,
  )
  expect(items.map(({ number, status, totals }) => ({ number, status, total: totals.total }))).toEqual([
    { number: 'INV-000001', status: 'paid', total: '20.00' },
    // 20 for February; 1000 × 0.01 + 500 × 0.005 for January.
    { number: 'INV-000002', status: 'paid', total: '32.50' },
  ])
})
