import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import {
  addCustomer,
  addTokenPlan,
  advanceTo,
  onOwnClock,
  postTokens,
  startScenario,
} from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'

let installation: Installation
let scenario: Scenario
beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation, {
    frozenTime: '2026-01-01T00:00:00Z',
    lateUsage: { policy: 'bill_on_next', window: 'P2M' },
  })
  await addTokenPlan(installation)
})
afterAll(async () => await installation.close())

interface Invoice {
  readonly lines: readonly { readonly name: string; readonly totals: { readonly total: string } }[]
}

/** What was billed but for the base fee, an invoice after the other. */
async function usageBilled(customerId: string): Promise<readonly (readonly string[])[]> {
  const path = `/api/v1/billing/invoices?customers=${customerId}&order=ASC&expand=lines`
  const { items } = await installation.call<{ items: readonly Invoice[] }>('GET', path)
  return items.map(({ lines }) =>
    lines.flatMap(({ name, totals: { total } }) => (name === 'Base fee' ? [] : [total])).toSorted(),
  )
}

async function attach(customerId: string, key: string, subjectKeys: readonly string[]): Promise<void> {
  const customer = await installation.call<object>('GET', `/api/v1/customers/${customerId}`)
  const usageAttribution = { subjectKeys }
  await installation.call('PUT', `/api/v1/customers/${customerId}`, { ...customer, key, usageAttribution })
}

test('rule 8: usage of a subject that moves is billed once, to whom it belonged when it happened', async () => {
  const own = await onOwnClock(installation, scenario)
  const { call } = installation
  const use = async (time: string, tokens: number): Promise<void> =>
    await postTokens(installation, { subject: 'moves', time, tokens })
  const plan = { key: 'tokens_monthly' }
  const first = await addCustomer(installation, own, { key: 'first' })
  const second = await addCustomer(installation, own, { key: 'second' })
  await attach(first.id, 'first', ['moves'])
  await call('POST', '/api/v1/subscriptions', { customerId: first.id, plan })
  await advanceTo(installation, own.clockId, '2026-01-15T00:00:00Z')
  await call('POST', '/api/v1/subscriptions', { customerId: second.id, plan })
  await use('2026-01-20T00:00:00Z', 700)
  await advanceTo(installation, own.clockId, '2026-02-02T00:00:00Z')

  // In the middle of both their periods, and back again: 50 come late, of when it was the first one's.
  await attach(first.id, 'first', ['first'])
  await attach(second.id, 'second', ['second', 'moves'])
  await use('2026-02-05T00:00:00Z', 100)
  await use('2026-01-21T00:00:00Z', 50)
  await advanceTo(installation, own.clockId, '2026-02-20T00:00:00Z')
  await use('2026-02-18T00:00:00Z', 200)
  await attach(second.id, 'second', ['second'])
  await attach(first.id, 'first', ['first', 'moves'])
  await use('2026-02-25T00:00:00Z', 400)
  await advanceTo(installation, own.clockId, '2026-03-16T00:00:00Z')

  expect(await usageBilled(first.id)).toEqual([[], ['7.00'], ['0.50', '4.00']])
  expect(await usageBilled(second.id)).toEqual([[], ['1.00'], ['2.00']])

  // What comes late of a slice that had the subject for a part of it.
  await use('2026-02-19T00:00:00Z', 10)
  await use('2026-02-26T00:00:00Z', 20)
  await advanceTo(installation, own.clockId, '2026-04-16T00:00:00Z')
  expect((await usageBilled(first.id)).slice(3)).toEqual([['0.00', '0.20']])
  expect((await usageBilled(second.id)).slice(3)).toEqual([['0.00', '0.10']])
})
