import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, advanceTo, startScenario } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripeGet, stripePost } from '../support/stripe-client.ts'

/** Bills made during the period, and how Stripe's draft follows them. Every test has a customer and a clock of its own. */
const start = '2026-01-01T00:00:00Z'
let installation: Installation
let scenario: Scenario

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

interface Bill {
  readonly id: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string; readonly availableActions: object }
  readonly totals: { readonly total: string }
  readonly runs?: number
  readonly sentToStripeAt?: string
  readonly amountPaid: string
  readonly externalIds?: { readonly invoicing?: string }
  readonly validationIssues?: readonly { readonly code?: string; readonly message: string }[]
  readonly lines: readonly { readonly id: string; readonly totals: { readonly total: string } }[]
}

interface Billed {
  readonly key: string
  readonly clockId: string
  readonly stripeCustomerId: string
  readonly customerId: string
  readonly subscriptionId: string
}

interface Options {
  readonly stripe?: object
  readonly workflow?: object
  readonly plan?: object
}

/** A customer on a clock that stands at New Year, subscribed and billed for the first month. */
async function subscribed(key: string, { stripe, workflow, plan }: Options = {}): Promise<Billed> {
  const { call, sandboxUrl } = installation
  const clock = await call<{ id: string }>('POST', '/api/v1/test-clocks', { name: key, frozenTime: start })
  const frozen = { frozen_time: (Date.parse(start) / 1000).toString() }
  const stripeClock = await stripePost(sandboxUrl, 'test_helpers/test_clocks', frozen)
  const own = { ...scenario, clockId: clock.id, stripeClockId: stripeClock.id }
  const customer = await addCustomer(installation, own, { key, email: `${key}@example.com` })
  if (stripe !== undefined || workflow !== undefined) {
    await call('PUT', `/api/v1/billing/customers/${customer.id}`, { stripe, workflow })
  }
  const subscription = await call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    ...(plan ?? { plan: { key: 'tokens_monthly' } }),
  })
  await advanceTo(installation, clock.id, '2026-01-01T00:00:01Z')
  return {
    key,
    clockId: clock.id,
    stripeCustomerId: customer.stripeCustomerId,
    customerId: customer.id,
    subscriptionId: subscription.id,
  }
}

let nextId = 0
const usage = async (subject: string, time: string, tokens: number): Promise<void> =>
  await installation.call('POST', '/api/v1/events', [
    {
      specversion: '1.0',
      id: `${nextId++}`,
      source: 'running',
      type: 'request',
      subject,
      time,
      data: { tokens, kind: 'context' },
    },
  ])

const invoiceNow = async ({ subscriptionId }: Billed, body: object = {}): Promise<Bill> =>
  await installation.call<Bill>('POST', `/api/v1/subscriptions/${subscriptionId}/invoice-now`, body)

const billsOf = async ({ subscriptionId }: Billed): Promise<readonly Bill[]> =>
  (
    await installation.call<{ items: Bill[] }>(
      'GET',
      `/api/v1/subscriptions/${subscriptionId}/invoices?order=ASC&expand=lines`,
    )
  ).items

interface StripeInvoice {
  readonly id: string
  readonly status: string
  readonly total: number
  readonly amount_paid: number
  readonly lines: { readonly data: readonly { readonly amount: number; readonly description: string }[] }
}

/** Everything the customer has at Stripe, oldest first. */
async function atStripe({ stripeCustomerId }: Billed): Promise<readonly StripeInvoice[]> {
  const list = await stripeGet<{ data: StripeInvoice[] }>(
    installation.sandboxUrl,
    `invoices?customer=${stripeCustomerId}&limit=100`,
  )
  return list.data.toReversed()
}

const amountsOf = (invoice: StripeInvoice | undefined): readonly number[] =>
  (invoice?.lines.data ?? []).map((line) => line.amount).toSorted((a, b) => a - b)

const collected = async (billed: Billed): Promise<number> =>
  (await atStripe(billed)).reduce((sum, invoice) => sum + invoice.amount_paid, 0)

test('three runs in a period grow one draft at Stripe, and the closing collects exactly its last lines', async () => {
  const billed = await subscribed('three-runs')
  const { clockId } = billed
  const runs: (readonly [string, number, readonly number[]])[] = [
    ['2026-01-10T00:00:00Z', 400, [400, 2000]],
    ['2026-01-20T00:00:00Z', 600, [1000, 2000]],
    ['2026-01-30T00:00:00Z', 200, [1100, 2000]],
  ]
  const lineIds = new Set<string>()
  for (const [index, [at, tokens, amounts]] of runs.entries()) {
    await usage('three-runs', at, tokens)
    await advanceTo(installation, clockId, at.replace('T00', 'T01'))
    const bill = await invoiceNow(billed)
    expect(bill).toMatchObject({ status: 'draft', runs: index + 1 })
    expect(bill.statusDetails).toMatchObject({ extendedStatus: 'draft.accruing', availableActions: {} })
    for (const line of bill.lines) lineIds.add(line.id)
    const [first, draft, ...more] = await atStripe(billed)
    expect([first?.status, draft?.status, more]).toEqual(['paid', 'draft', []])
    expect(amountsOf(draft)).toEqual(amounts)
    expect(bill.externalIds?.invoicing).toBe(draft?.id)
  }
  // A line that bills the same slice is the same line.
  expect(lineIds.size).toBe(2)
  await usage('three-runs', '2026-01-31T12:00:00Z', 100)
  await advanceTo(installation, clockId, '2026-02-01T00:00:01Z')
  const [first, january, ...more] = await billsOf(billed)
  expect(more).toEqual([])
  expect([first?.status, january?.status]).toEqual(['paid', 'paid'])
  expect(january).toMatchObject({ runs: 4, totals: { total: '31.50' }, amountPaid: '31.50' })
  const [, paid, ...others] = await atStripe(billed)
  expect([paid?.status, amountsOf(paid), others]).toEqual(['paid', [1150, 2000], []])
  expect(await collected(billed)).toBe(2000 + 3150)
})
