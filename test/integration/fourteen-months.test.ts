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

interface Line {
  readonly name: string
  readonly featureKey?: string
  readonly period: { readonly from: string; readonly to: string }
  readonly totals: { readonly total: string }
  readonly children?: readonly { readonly totals: { readonly total: string } }[]
}

interface Invoice {
  readonly number: string
  readonly status: string
  readonly totals: { readonly total: string }
  readonly lines: readonly Line[]
}

/** Midnight in New York on the 31st or the month's last day: EST is UTC−5, EDT (8 March – 1 November 2026) is UTC−4. */
const boundaries = [
  '2026-01-31T05:00:00.000Z',
  '2026-02-28T05:00:00.000Z',
  '2026-03-31T04:00:00.000Z',
  '2026-04-30T04:00:00.000Z',
  '2026-05-31T04:00:00.000Z',
  '2026-06-30T04:00:00.000Z',
  '2026-07-31T04:00:00.000Z',
  '2026-08-31T04:00:00.000Z',
  '2026-09-30T04:00:00.000Z',
  '2026-10-31T04:00:00.000Z',
  '2026-11-30T05:00:00.000Z',
  '2026-12-31T05:00:00.000Z',
  '2027-01-31T05:00:00.000Z',
  '2027-02-28T05:00:00.000Z',
  '2027-03-31T04:00:00.000Z',
] as const

const cents = (amount: string): number => Math.round(Number(amount) * 100)

test('rules 1–3: anchored on 31 January in New York, fourteen months are billed at the month’s end, one paid invoice each', async () => {
  const { call } = installation
  const scenario = await startScenario(installation, { frozenTime: boundaries[0] })
  await addTokenPlan(installation)
  const customer = await addCustomer(installation, scenario, {
    key: 'new-york',
    timezone: 'America/New_York',
  })
  await call('POST', '/api/v1/subscriptions', { customerId: customer.id, plan: { key: 'tokens_monthly' } })
  // In month k: (k + 1) × 200 tokens one millisecond after its start, and one token in its very last millisecond.
  const events = boundaries.slice(0, 14).flatMap((from, k) => {
    const last = new Date(Date.parse(boundaries[k + 1] ?? '') - 1).toISOString()
    const base = { specversion: '1.0', source: 'test', type: 'request', subject: 'new-york' }
    return [
      {
        ...base,
        id: `a${k}`,
        time: new Date(Date.parse(from) + 1).toISOString(),
        data: { tokens: (k + 1) * 200, kind: 'context' },
      },
      { ...base, id: `b${k}`, time: last, data: { tokens: 1, kind: 'context' } },
    ]
  })
  await call('POST', '/api/v1/events', events)
  await advanceTo(installation, scenario.clockId ?? '', '2027-03-31T12:00:00Z')

  const { items } = await call<{ items: Invoice[] }>(
    'GET',
    `/api/v1/billing/invoices?customers=${customer.id}&order=ASC&pageSize=100&expand=lines`,
  )
  expect(items.map(({ status }) => status)).toEqual(Array.from({ length: 15 }, () => 'paid'))
  expect(items.map(({ number }) => number)).toEqual(
    items.map((_item, k) => `INV-${String(k + 1).padStart(6, '0')}`),
  )
  items.forEach((invoice, k) => {
    const base = invoice.lines.find((line) => line.name === 'Base fee')
    expect(base?.period.from).toBe(boundaries[k])
    const usage = invoice.lines.find((line) => line.name === 'Tokens')
    // 1 cent up to 1,000 tokens, half a cent above, rounded once for each tier.
    const tokens = k * 200 + 1
    const expected = k === 0 ? 0 : Math.min(tokens, 1000) + Math.round(Math.max(tokens - 1000, 0) / 2)
    if (k > 0) {
      expect(usage?.period).toEqual({ from: boundaries[k - 1], to: boundaries[k] })
      expect(cents(usage?.totals.total ?? '')).toBe(expected)
    }
    expect(cents(invoice.totals.total)).toBe(2000 + expected)
    // Every cent is explained: the lines add up to the total, the detailed lines to their line.
    expect(invoice.lines.reduce((sum, line) => sum + cents(line.totals.total), 0)).toBe(
      cents(invoice.totals.total),
    )
    for (const line of invoice.lines) {
      expect((line.children ?? []).reduce((sum, child) => sum + cents(child.totals.total), 0)).toBe(
        cents(line.totals.total),
      )
    }
  })
})
