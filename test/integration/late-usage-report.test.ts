import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, advanceTo, startScenario } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'

let installation: Installation
let scenario: Scenario

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation, {
    frozenTime: '2026-01-01T00:00:00Z',
    lateUsage: { policy: 'ignore', window: 'P2M' },
  })
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

const totalsOf = async (customerId: string): Promise<readonly string[]> => {
  const path = `/api/v1/billing/invoices?customers=${customerId}&order=ASC`
  const { items } = await installation.call<{ items: { totals: { total: string } }[] }>('GET', path)
  return items.map((item) => item.totals.total)
}

test('rule 9: late usage that the policy ignores is not billed, and is reported', async () => {
  const { call } = installation
  const customer = await addCustomer(installation, scenario, { key: 'ignored' })
  const { id } = await call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: 'tokens_monthly' },
  })
  const event = { specversion: '1.0', source: 's', type: 'request', subject: 'ignored' }
  const usage = (eventId: string, tokens: number) => [
    { ...event, id: eventId, time: '2026-01-10T00:00:00Z', data: { tokens, kind: 'context' } },
  ]
  await call('POST', '/api/v1/events', usage('1', 900))
  await advanceTo(installation, scenario.clockId ?? '', '2026-02-02T00:00:00Z')
  expect(await call('GET', `/api/v1/subscriptions/${id}/late-usage`)).toEqual([])
  await call('POST', '/api/v1/events', usage('2', 300))
  await advanceTo(installation, scenario.clockId ?? '', '2026-03-02T00:00:00Z')
  expect(await totalsOf(customer.id)).toEqual(['20.00', '29.00', '20.00'])
  // 1000 × 0.01 + 200 × 0.005 = 11.00, of which 9.00 were billed.
  expect(await call('GET', `/api/v1/subscriptions/${id}/late-usage`)).toMatchObject([
    {
      featureKey: 'tokens',
      period: { from: '2026-01-01T00:00:00.000Z', to: '2026-02-01T00:00:00.000Z' },
      billedQuantity: '900',
      quantity: '1200',
      billedAmount: '9.00',
      difference: '2.00',
      currency: 'USD',
    },
  ])
})

test('a cancelation is not withdrawn once a fee was billed only up to it', async () => {
  const { call } = installation
  const customer = await addCustomer(installation, scenario, { key: 'undecided' })
  const { id } = await call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: 'tokens_monthly' },
  })
  await call('POST', `/api/v1/subscriptions/${id}/cancel`, { timing: '2026-04-16T00:00:00Z' })
  await call('POST', `/api/v1/subscriptions/${id}/unschedule-cancelation`)
  await call('POST', `/api/v1/subscriptions/${id}/cancel`, { timing: '2026-04-16T00:00:00Z' })
  await advanceTo(installation, scenario.clockId ?? '', '2026-04-03T00:00:00Z')
  await expect(call('POST', `/api/v1/subscriptions/${id}/unschedule-cancelation`)).rejects.toThrow(
    'billed only up to 2026-04-16',
  )
})
