import { afterAll, beforeAll, expect, test } from 'vitest'
import { usageQuantityAtCutoff } from '../../src/db/stores/usage-query.ts'
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
    workflow: { collection: { interval: 'P1D' } },
    lateUsage: { policy: 'bill_on_next', window: 'P2M' },
  })
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

interface Invoice {
  readonly status: string
  readonly totals: { readonly total: string }
  readonly lines: readonly {
    readonly name: string
    readonly period: { readonly from: string }
    readonly totals: { readonly total: string }
  }[]
}

async function invoicesOf(customerId: string): Promise<readonly Invoice[]> {
  const path = `/api/v1/billing/invoices?customers=${customerId}&order=ASC&expand=lines`
  return (await installation.call<{ items: Invoice[] }>('GET', path)).items
}

const usage = async (subject: string, time: string, tokens: number): Promise<void> =>
  await postTokens(installation, { subject, time, tokens })

test('rules 8 and 9: usage after the cutoff is the difference on the next invoice, after the last one a correction', async () => {
  const { call } = installation
  const clockId = scenario.clockId ?? ''
  const customer = await addCustomer(installation, scenario, { key: 'late' })
  const subscription = await call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: 'tokens_monthly' },
  })
  await usage('late', '2026-01-10T00:00:00Z', 800)
  await advanceTo(installation, clockId, '2026-02-01T12:00:00Z')
  // Within the wait for late usage: still billed with its period.
  expect(await invoicesOf(customer.id)).toHaveLength(1)
  await usage('late', '2026-01-31T23:59:59.999Z', 100)
  await advanceTo(installation, clockId, '2026-02-02T00:00:00Z')
  const [, january] = await invoicesOf(customer.id)
  expect(january?.totals.total).toBe('29.00')

  // After the cutoff, over the tier's edge: 900 at 0.01 become 1000 × 0.01 + 200 × 0.005 = 11.00; 9.00 were billed.
  await usage('late', '2026-01-20T00:00:00Z', 300)
  await advanceTo(installation, clockId, '2026-03-02T00:00:00Z')
  const [, , february] = await invoicesOf(customer.id)
  expect(february?.totals.total).toBe('22.00')
  const lateLine = february?.lines.find(
    (line) => line.period.from.startsWith('2026-01-01') && line.totals.total === '2.00',
  )
  expect(lateLine).toBeDefined()

  await call('POST', `/api/v1/subscriptions/${subscription.id}/cancel`, { timing: '2026-03-15T00:00:00Z' })
  await advanceTo(installation, clockId, '2026-03-20T00:00:00Z')
  await usage('late', '2026-03-10T00:00:00Z', 500)
  await advanceTo(installation, clockId, '2026-05-20T00:00:00Z')
  const all = await invoicesOf(customer.id)
  // The final invoice of March has no usage and is settled at zero; what came after it is a correction invoice.
  expect(all.map((invoice) => invoice.totals.total)).toEqual(['20.00', '29.00', '22.00', '0.00', '5.00'])

  const slices = await installation.database.db.selectFrom('ratedUsage').selectAll().execute()
  for (const slice of slices) {
    const recount = await usageQuantityAtCutoff(installation.database.db, {
      meter: {
        eventType: 'request',
        eventFrom: null,
        aggregation: 'SUM',
        valueProperty: '$.tokens',
        groupBy: {},
      },
      subjects: ['late'],
      from: slice.serviceFrom,
      to: slice.serviceTo,
      cutoff: slice.usageCutoff,
    })
    expect(Number(recount.quantity)).toBe(Number(slice.quantity))
  }
})

test("rules 8, 9 and 23: a closed period keeps its subjects when the customer's change", async () => {
  const { call } = installation
  const own = await onOwnClock(installation, scenario)
  const { id } = await addCustomer(installation, own, { key: 'old' })
  await call('POST', '/api/v1/subscriptions', { customerId: id, plan: { key: 'tokens_monthly' } })
  await usage('old', '2026-01-10T00:00:00Z', 900)
  await advanceTo(installation, own.clockId, '2026-02-02T00:00:00Z')
  expect((await invoicesOf(id)).map(({ totals }) => totals.total)).toEqual(['20.00', '29.00'])

  const customer = await call<object>('GET', `/api/v1/customers/${id}`)
  await call('PUT', `/api/v1/customers/${id}`, { ...customer, usageAttribution: { subjectKeys: ['new'] } })
  // In January, late: the old subject's 300 are of the slice (1000 × 0.01 + 200 × 0.005 − 9.00), the new one's are not.
  await usage('old', '2026-01-20T00:00:00Z', 300)
  await usage('new', '2026-01-21T00:00:00Z', 500)
  // February is rated with the subject of its closing.
  await usage('new', '2026-02-10T00:00:00Z', 100)
  await advanceTo(installation, own.clockId, '2026-03-02T00:00:00Z')
  const [, , february] = await invoicesOf(id)
  expect(february?.lines.map(({ totals }) => totals.total).toSorted()).toEqual(['1.00', '2.00', '20.00'])

  // Once more: what was rated late is the base of the next difference, still with its own subjects.
  await usage('old', '2026-01-22T00:00:00Z', 200)
  await usage('new', '2026-01-22T00:00:00Z', 200)
  await advanceTo(installation, own.clockId, '2026-04-02T00:00:00Z')
  const [, , , march] = await invoicesOf(id)
  expect(march?.lines.map(({ totals }) => totals.total).toSorted()).toEqual(['0.00', '1.00', '20.00'])
})
