import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stepSubscription } from '../../src/billing/subscription-step.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { baseFee, mainPhase, tokenUsage, twoTiers, unitPrice } from '../support/plans.ts'
import {
  addCustomer,
  addTokenPlan,
  advanceTo,
  NEW_YEAR,
  onOwnClock,
  postTokens,
  startScenario,
  waitFor,
} from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { giveCard, stripeClock, stripeGet, stripePost } from '../support/stripe-client.ts'

/** Bills made during the period, and how Stripe's draft follows them. Every test has a customer and a clock of its own. */
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
  const { call } = installation
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key, email: `${key}@example.com` })
  if (stripe !== undefined || workflow !== undefined) {
    await call('PUT', `/api/v1/billing/customers/${customer.id}`, { stripe, workflow })
  }
  const subscription = await call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    ...(plan ?? { plan: { key: 'tokens_monthly' } }),
  })
  await advanceTo(installation, own.clockId, '2026-01-01T00:00:01Z')
  return {
    key,
    clockId: own.clockId,
    stripeCustomerId: customer.stripeCustomerId,
    customerId: customer.id,
    subscriptionId: subscription.id,
  }
}

const usage = async (subject: string, time: string, tokens: number): Promise<void> =>
  await postTokens(installation, { subject, time, tokens })

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

/** Short periods: a run a day is few of them. */
const weekly = {
  customPlan: {
    name: 'Weekly',
    currency: 'USD',
    billingCadence: 'P1W',
    phases: [mainPhase(baseFee('20', 'P1W'), tokenUsage(unitPrice('0.01'), 'P1W'))],
  },
}

test('a profile that synchronizes continuously has a draft from the period’s start, which grows every day', async () => {
  const billed = await subscribed('mirrored', { stripe: { synchronize: 'continuously' }, plan: weekly })
  expect((await atStripe(billed)).map(({ status, total }) => [status, total])).toEqual([
    ['paid', 2000],
    ['draft', 2000],
  ])
  await usage('mirrored', '2026-01-03T06:00:00Z', 500)
  await advanceTo(installation, billed.clockId, '2026-01-04T12:00:00Z')
  expect(amountsOf((await atStripe(billed))[1])).toEqual([500, 2000])
  const [, growing] = await billsOf(billed)
  expect(growing).toMatchObject({ runs: 4, statusDetails: { extendedStatus: 'draft.accruing' } })
  await usage('mirrored', '2026-01-07T23:30:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-01-08T00:00:01Z')
  expect((await atStripe(billed)).map(({ status, total }) => [status, total])).toEqual([
    ['paid', 2000],
    ['paid', 2600],
    ['draft', 2000],
  ])
})

test('where only approved bills are sent, nothing reaches Stripe before approval, and a new run waits again', async () => {
  const { call } = installation
  const billed = await subscribed('approved', { stripe: { send: 'approved_bills' } })
  const [first] = await billsOf(billed)
  expect(first?.statusDetails.extendedStatus).toBe('draft.waiting_approval')
  expect(await atStripe(billed)).toEqual([])
  const approve = async (id: string) => await call<Bill>('POST', `/api/v1/billing/invoices/${id}/approve`)
  expect((await approve(first?.id ?? '')).status).toBe('paid')

  await usage('approved', '2026-01-05T00:00:00Z', 300)
  await advanceTo(installation, billed.clockId, '2026-01-06T00:00:00Z')
  const bill = await invoiceNow(billed)
  expect(bill.statusDetails.availableActions).toEqual({ approve: { resultingState: 'draft' } })
  expect(await atStripe(billed)).toHaveLength(1)
  const sent = await approve(bill.id)
  expect(sent).toMatchObject({ id: bill.id, statusDetails: { availableActions: {} } })
  expect(amountsOf((await atStripe(billed))[1])).toEqual([300, 2000])
  await expect(approve(bill.id)).rejects.toThrow('action_not_available')

  await usage('approved', '2026-01-07T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-01-08T00:00:00Z')
  const again = await invoiceNow(billed)
  expect(again.totals.total).toBe('24.00')
  expect(amountsOf((await atStripe(billed))[1])).toEqual([300, 2000])
  await invoiceNow(billed, { approve: true })
  expect(amountsOf((await atStripe(billed))[1])).toEqual([400, 2000])

  // The closing waits for approval, with its last lines not sent yet.
  await usage('approved', '2026-01-31T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  const [, january] = await billsOf(billed)
  expect(january).toMatchObject({
    id: bill.id,
    totals: { total: '25.00' },
    statusDetails: { extendedStatus: 'draft.waiting_approval' },
  })
  expect(amountsOf((await atStripe(billed))[1])).toEqual([400, 2000])
  expect((await approve(bill.id)).status).toBe('paid')
  expect(await collected(billed)).toBe(2000 + 2500)
})

test('late usage, tiers that shrink and a balance that is carried are in it, and the closing books them once', async () => {
  const plan = {
    customPlan: {
      name: 'Volume',
      currency: 'USD',
      billingCadence: 'P1M',
      phases: [mainPhase(tokenUsage(twoTiers('volume', ['0.01', '0.002'])))],
    },
  }
  const billed = await subscribed('shrinking', { plan })
  // Under what Stripe charges: there is no draft yet, and the closing carries it.
  await usage('shrinking', '2026-01-10T00:00:00Z', 30)
  await advanceTo(installation, billed.clockId, '2026-01-11T00:00:00Z')
  expect(await invoiceNow(billed)).toMatchObject({ status: 'draft', totals: { total: '0.00' } })
  expect(await atStripe(billed)).toEqual([])
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  const carried = (await billsOf(billed)).at(-1)
  expect(carried?.statusDetails.extendedStatus).toBe('paid.carried_forward')

  // 0.30 carried, 10 more for January, 1000 for February: 0.30 + 0.10 + 10.00.
  await usage('shrinking', '2026-01-20T00:00:00Z', 10)
  await usage('shrinking', '2026-02-03T00:00:00Z', 1000)
  await advanceTo(installation, billed.clockId, '2026-02-04T00:00:00Z')
  expect((await invoiceNow(billed)).totals.total).toBe('10.40')
  expect(amountsOf((await atStripe(billed))[0])).toEqual([10, 30, 1000])
  // The next tier makes all units cheaper: 1500 × 0.002.
  await usage('shrinking', '2026-02-05T00:00:00Z', 500)
  await advanceTo(installation, billed.clockId, '2026-02-06T00:00:00Z')
  expect((await invoiceNow(billed)).totals.total).toBe('3.40')
  expect(amountsOf((await atStripe(billed))[0])).toEqual([10, 30, 300])
  await advanceTo(installation, billed.clockId, '2026-03-01T00:00:01Z')
  const february = (await billsOf(billed)).at(-1)
  expect(february).toMatchObject({ status: 'paid', amountPaid: '3.40' })
  expect(await collected(billed)).toBe(340)
  const ledger = await installation.database.db
    .selectFrom('ledgerEntries')
    .select(['kind', 'amountMinor'])
    .where('subscriptionId', '=', billed.subscriptionId)
    .orderBy('createdAt')
    .execute()
  expect(ledger).toEqual([
    { kind: 'carried_out', amountMinor: '30' },
    { kind: 'carried_in', amountMinor: '-30' },
  ])
})

test('a cancelation in the middle makes the running invoice the final one, without the fee of the next period', async () => {
  const { call } = installation
  const billed = await subscribed('cancelled')
  await usage('cancelled', '2026-01-10T00:00:00Z', 400)
  await advanceTo(installation, billed.clockId, '2026-01-15T00:00:00Z')
  const bill = await invoiceNow(billed)
  expect(amountsOf((await atStripe(billed))[1])).toEqual([400, 2000])
  await call('POST', `/api/v1/subscriptions/${billed.subscriptionId}/cancel`, { timing: 'immediate' })
  const [, final, ...more] = await billsOf(billed)
  expect(final).toMatchObject({ id: bill.id, status: 'paid', totals: { total: '4.00' } })
  expect(more).toEqual([])
  expect((await atStripe(billed)).map(({ status, total }) => [status, total])).toEqual([
    ['paid', 2000],
    ['paid', 400],
  ])
  await expect(invoiceNow(billed)).rejects.toThrow('action_not_available')
})

test('a running invoice that no closing comes for leaves nothing behind', async () => {
  const { call } = installation
  const billed = await subscribed('left')
  const bill = await invoiceNow(billed)
  expect(await atStripe(billed)).toHaveLength(2)
  // Billed through New Year, and cancelled as of then: no period follows.
  await installation.database.db
    .updateTable('testClocks')
    .set({ frozenTime: new Date(NEW_YEAR) })
    .where('id', '=', billed.clockId)
    .execute()
  await call('POST', `/api/v1/subscriptions/${billed.subscriptionId}/cancel`, { timing: NEW_YEAR })
  const [, left] = await billsOf(billed)
  expect(left).toMatchObject({ id: bill.id, status: 'voided' })
  expect((await atStripe(billed)).map(({ status }) => status)).toEqual(['paid'])
})

test('a period that is settled at zero or carried takes its draft back at Stripe', async () => {
  const billed = await subscribed('taken-back')
  await invoiceNow(billed)
  expect(await atStripe(billed)).toHaveLength(2)
  const { call } = installation
  // The draft holds the next month's fee only, which a cancelation at the period's end takes away.
  await call('POST', `/api/v1/subscriptions/${billed.subscriptionId}/cancel`, {
    timing: 'next_billing_cycle',
  })
  await invoiceNow(billed)
  expect(amountsOf((await atStripe(billed))[1])).toEqual([0])
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  const final = (await billsOf(billed)).at(-1)
  expect(final?.statusDetails.extendedStatus).toBe('paid.settled_zero')
  expect((await atStripe(billed)).map(({ status }) => status)).toEqual(['paid'])
})

const fault = async (rule: object) =>
  await fetch(`${installation.sandboxUrl}/_sandbox/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(rule),
  })

test('a line that somebody added to the draft is named and not billed; the closing waits until it is gone', async () => {
  const { call, sandboxUrl } = installation
  const billed = await subscribed('by-hand')
  const bill = await invoiceNow(billed)
  const stripeInvoiceId = bill.externalIds?.invoicing ?? ''
  await stripePost(sandboxUrl, 'invoiceitems', {
    customer: billed.stripeCustomerId,
    invoice: stripeInvoiceId,
    amount: '777',
    currency: 'usd',
    description: 'A favour',
  })
  await usage('by-hand', '2026-01-10T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-01-11T00:00:00Z')
  const differing = await invoiceNow(billed)
  expect(differing.validationIssues?.[0]).toMatchObject({
    code: 'stripe_totals_differ',
    message: expect.stringContaining('A favour, 777'),
  })
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  const [, january] = await billsOf(billed)
  expect(january?.statusDetails.extendedStatus).toBe('issuing.failed')
  expect(await collected(billed)).toBe(2000)
  const { data } = await stripeGet<{ data: { id: string; description: string }[] }>(
    sandboxUrl,
    `invoices/${stripeInvoiceId}/lines`,
  )
  const favour = data.find(({ description }) => description === 'A favour')
  await stripePost(sandboxUrl, `invoices/${stripeInvoiceId}/remove_lines`, {
    'lines[0][id]': favour?.id ?? '',
    'lines[0][behavior]': 'delete',
  })
  expect((await call<Bill>('POST', `/api/v1/billing/invoices/${bill.id}/retry`)).status).toBe('paid')
  expect(await collected(billed)).toBe(2000 + 2100)
})

test.each(['unavailable', 'error_after', 'truncate_after'])(
  'a call that fails (%s) leaves the reason on the bill, and it is sent by itself a minute later',
  async (kind) => {
    const billed = await subscribed(`fails-${kind}`)
    await usage(billed.key, '2026-01-02T00:00:00Z', 100)
    await advanceTo(installation, billed.clockId, '2026-01-03T00:00:00Z')
    await fault({ kind, method: 'POST', path: '/add_lines$' })
    const bill = await invoiceNow(billed)
    expect(bill.validationIssues?.[0]?.code).toBe('stripe_unavailable')
    expect(bill.sentToStripeAt).toBeUndefined()
    await advanceTo(installation, billed.clockId, '2026-01-03T00:01:00Z')
    const [, mended] = await billsOf(billed)
    expect(mended?.validationIssues).toBeUndefined()
    expect(mended?.sentToStripeAt).toBe('2026-01-03T00:01:00.000Z')
    expect((await atStripe(billed)).map(({ status, total }) => [status, total])).toEqual([
      ['paid', 2000],
      ['draft', 2100],
    ])
  },
)

test('a run is carried out once under its key, and a step that died before the call is made up for by the next', async () => {
  const { call, client, url, database } = installation
  const billed = await subscribed('repeated')
  const path = `${url}/api/v1/subscriptions/${billed.subscriptionId}/invoice-now`
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'run-1' }
  const post = async () => (await (await fetch(path, { method: 'POST', headers, body: '{}' })).json()) as Bill
  const [one, two] = [await post(), await post()]
  expect([one.runs, two.runs]).toEqual([1, 1])
  expect(two.id).toBe(one.id)
  // What a worker leaves that dies between its transaction and the call, twice.
  await usage('repeated', '2026-01-01T00:00:00Z', 500)
  const options = {
    subscriptionId: billed.subscriptionId,
    asOfMs: Date.parse('2026-01-01T00:00:01Z'),
    newId: ulid,
    jitterWindowMs: 0,
    command: { kind: 'invoice_now', requestId: 'died' } as const,
  }
  await stepSubscription(database.db, options)
  await stepSubscription(database.db, options)
  expect(amountsOf((await atStripe(billed))[1])).toEqual([0, 2000])
  await client.workflow.getHandle(`subscription/${billed.subscriptionId}`).signal('poke')
  const drafts = await waitFor(
    async () => await atStripe(billed),
    ([, draft]) => draft?.total === 2500,
  )
  expect(drafts.map(({ status }) => status)).toEqual(['paid', 'draft'])
  expect(await call('GET', `/api/v1/billing/invoices/${one.id}`)).toMatchObject({ runs: 2 })
})

test('a subscription that is parked is not billed on demand', async () => {
  const billed = await subscribed('parked')
  await installation.database.db
    .updateTable('subscriptions')
    .set({ lifecycle: 'parked', lifecycleReason: 'a test' })
    .where('id', '=', billed.subscriptionId)
    .execute()
  await expect(invoiceNow(billed)).rejects.toThrow('release it first')
  expect(await billsOf(billed)).toHaveLength(1)
})

test('a draft that somebody finalized is shown and not collected twice; voided or deleted, another takes its place', async () => {
  const { call, sandboxUrl } = installation
  const billed = await subscribed('finalized')
  const bill = await invoiceNow(billed)
  const first = bill.externalIds?.invoicing ?? ''
  await stripePost(sandboxUrl, `invoices/${first}/finalize`)
  await usage('finalized', '2026-01-10T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-01-11T00:00:00Z')
  expect((await invoiceNow(billed)).validationIssues?.[0]?.code).toBe('stripe_draft_finalized')
  await stripePost(sandboxUrl, `invoices/${first}/void`)
  const second = (await invoiceNow(billed)).externalIds?.invoicing ?? ''
  expect((await atStripe(billed)).map(({ status, total }) => [status, total])).toEqual([
    ['paid', 2000],
    ['void', 2000],
    ['draft', 2100],
  ])
  await fetch(`${sandboxUrl}/v1/invoices/${second}`, {
    method: 'DELETE',
    headers: { authorization: 'Bearer sk_test_sandbox' },
  })
  expect((await invoiceNow(billed)).validationIssues?.[0]?.code).toBe('stripe_invoice_deleted')
  const third = (await invoiceNow(billed)).externalIds?.invoicing ?? ''
  // Finalized and paid as it was then: the closing's other sum is not collected beside it.
  await stripePost(sandboxUrl, `invoices/${third}/finalize`)
  await stripePost(sandboxUrl, `invoices/${third}/pay`)
  await usage('finalized', '2026-01-12T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  expect(await call('GET', `/api/v1/billing/invoices/${bill.id}`)).toMatchObject({
    statusDetails: { extendedStatus: 'issuing.failed' },
    validationIssues: [{ code: 'stripe_totals_differ' }],
  })
  expect(await collected(billed)).toBe(2000 + 2100)
})

test('a cancelation for later cuts the fee on the draft, and taking it back restores it', async () => {
  const { call } = installation
  const billed = await subscribed('taken-back-cancel', { stripe: { synchronize: 'continuously' } })
  const path = `/api/v1/subscriptions/${billed.subscriptionId}`
  await call('POST', `${path}/cancel`, { timing: '2026-02-15T00:00:00Z' })
  // Half of February's 28 days.
  expect(amountsOf((await atStripe(billed))[1])).toEqual([0, 1000])
  await call('POST', `${path}/unschedule-cancelation`)
  expect(amountsOf((await atStripe(billed))[1])).toEqual([0, 2000])
  const { waitingFor } = await call<{ waitingFor: string }>('GET', path)
  expect(waitingFor).toMatch(/^the next bill at 2026-01-02/)
})

test('a customer who is linked to another Stripe customer gets a draft there, and none is left behind', async () => {
  const { call, sandboxUrl } = installation
  const billed = await subscribed('moved')
  const before = await invoiceNow(billed)
  const other = await stripePost(sandboxUrl, 'customers', {
    name: 'moved',
    test_clock: await stripeClock(sandboxUrl, NEW_YEAR),
  })
  await giveCard(sandboxUrl, other.id)
  await call('PUT', `/api/v1/customers/${billed.customerId}/apps`, [
    { type: 'stripe', stripeCustomerId: other.id },
  ])
  const after = await invoiceNow(billed)
  expect(after).toMatchObject({ runs: 1, totals: { total: '20.00' } })
  expect(after.id).not.toBe(before.id)
  expect(await call('GET', `/api/v1/billing/invoices/${before.id}`)).toMatchObject({ status: 'voided' })
  expect((await atStripe(billed)).map(({ status }) => status)).toEqual(['paid'])
  const there = await atStripe({ ...billed, stripeCustomerId: other.id })
  expect(there.map(({ status, total }) => [status, total])).toEqual([['draft', 2000]])
})

test('a draft grows without the tax that cannot be computed, and with it once it can', async () => {
  const { sandboxUrl } = installation
  const setTax = async (status: string) =>
    await fetch(`${sandboxUrl}/_sandbox/tax`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ status }),
    })
  const billed = await subscribed('taxed', { workflow: { tax: { enabled: true } } })
  await stripePost(sandboxUrl, `customers/${billed.stripeCustomerId}`, {
    'address[country]': 'DE',
    'address[postal_code]': '10115',
  })
  await setTax('pending')
  const bill = await invoiceNow(billed)
  expect(bill.validationIssues).toBeUndefined()
  expect((await atStripe(billed))[1]).toMatchObject({ status: 'draft', automatic_tax: { enabled: false } })
  await setTax('active')
  await invoiceNow(billed)
  expect((await atStripe(billed))[1]).toMatchObject({ status: 'draft', automatic_tax: { enabled: true } })
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  expect((await billsOf(billed))[1]).toMatchObject({ status: 'paid', totals: { total: '24.00' } })
})
