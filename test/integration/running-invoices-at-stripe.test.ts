import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stepSubscription } from '../../src/billing/subscription-step.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { amountsOf, runningBills } from '../support/running-bills.ts'
import type { Bill } from '../support/running-bills.ts'
import { addTokenPlan, advanceTo, NEW_YEAR, startScenario, waitFor } from '../support/scenario.ts'
import {
  giveCard,
  stripeClock,
  stripeDelete,
  steerSandbox,
  stripeGet,
  stripePost,
} from '../support/stripe-client.ts'

/** What becomes of a running invoice's draft when a call to Stripe fails, or somebody changes it there. */
let installation: Installation
let at: ReturnType<typeof runningBills>

beforeAll(async () => {
  installation = await startInstallation()
  const scenario = await startScenario(installation)
  await addTokenPlan(installation)
  at = runningBills(installation, scenario)
})
afterAll(async () => {
  await installation.close()
})

test('a line that somebody added to the draft is named and not billed; the closing waits until it is gone', async () => {
  const { call, sandboxUrl } = installation
  const billed = await at.subscribed('by-hand')
  const bill = await at.invoiceNow(billed)
  const stripeInvoiceId = bill.externalIds?.invoicing ?? ''
  await stripePost(sandboxUrl, 'invoiceitems', {
    customer: billed.stripeCustomerId,
    invoice: stripeInvoiceId,
    amount: '777',
    currency: 'usd',
    description: 'A favour',
  })
  await at.usage('by-hand', '2026-01-10T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-01-11T00:00:00Z')
  const differing = await at.invoiceNow(billed)
  expect(differing.validationIssues?.[0]).toMatchObject({
    code: 'stripe_totals_differ',
    message: expect.stringContaining('A favour, 777'),
  })
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  const [, january] = await at.billsOf(billed)
  expect(january?.statusDetails.extendedStatus).toBe('issuing.failed')
  expect(await at.collected(billed)).toBe(2000)
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
  expect(await at.collected(billed)).toBe(2000 + 2100)
})

const steer = async (path: string, body: object): Promise<unknown> =>
  await steerSandbox(installation.sandboxUrl, { method: 'POST', path, body })

test.each(['unavailable', 'error_after', 'truncate_after'])(
  'a call that fails (%s) leaves the reason on the bill, and it is sent by itself a minute later',
  async (kind) => {
    const billed = await at.subscribed(`fails-${kind}`)
    await at.usage(billed.key, '2026-01-02T00:00:00Z', 100)
    await advanceTo(installation, billed.clockId, '2026-01-03T00:00:00Z')
    await steer('/faults', { kind, method: 'POST', path: '/add_lines$' })
    const bill = await at.invoiceNow(billed)
    expect(bill.validationIssues?.[0]?.code).toBe('stripe_unavailable')
    expect(bill.sentToStripeAt).toBeUndefined()
    await advanceTo(installation, billed.clockId, '2026-01-03T00:01:00Z')
    const [, mended] = await at.billsOf(billed)
    expect(mended?.validationIssues).toBeUndefined()
    expect(mended?.sentToStripeAt).toBe('2026-01-03T00:01:00.000Z')
    expect((await at.draftsOf(billed)).map(({ status, total }) => [status, total])).toEqual([
      ['paid', 2000],
      ['draft', 2100],
    ])
  },
)

test('a run is carried out once under its key, and a step that died before the call is made up for by the next', async () => {
  const { call, client, url, database } = installation
  const billed = await at.subscribed('repeated')
  const path = `${url}/api/v1/subscriptions/${billed.subscriptionId}/invoice-now`
  const headers = { 'content-type': 'application/json', 'idempotency-key': 'run-1' }
  const post = async () => (await (await fetch(path, { method: 'POST', headers, body: '{}' })).json()) as Bill
  const [one, two] = [await post(), await post()]
  expect([one.runs, two.runs]).toEqual([1, 1])
  expect(two.id).toBe(one.id)
  // What a worker leaves that dies between its transaction and the call, twice.
  await at.usage('repeated', '2026-01-01T00:00:00Z', 500)
  const options = {
    subscriptionId: billed.subscriptionId,
    asOfMs: Date.parse('2026-01-01T00:00:01Z'),
    newId: ulid,
    jitterWindowMs: 0,
    command: { kind: 'invoice_now', requestId: 'died' } as const,
  }
  await stepSubscription(database.db, options)
  await stepSubscription(database.db, options)
  expect(amountsOf((await at.draftsOf(billed))[1])).toEqual([0, 2000])
  await client.workflow.getHandle(`subscription/${billed.subscriptionId}`).signal('poke')
  const drafts = await waitFor(
    async () => await at.draftsOf(billed),
    ([, draft]) => draft?.total === 2500,
  )
  expect(drafts.map(({ status }) => status)).toEqual(['paid', 'draft'])
  expect(await call('GET', `/api/v1/billing/invoices/${one.id}`)).toMatchObject({ runs: 2 })
})

test('a draft that somebody finalized is shown and not collected twice; voided or deleted, another takes its place', async () => {
  const { call, sandboxUrl } = installation
  const billed = await at.subscribed('finalized')
  const bill = await at.invoiceNow(billed)
  const first = bill.externalIds?.invoicing ?? ''
  await stripePost(sandboxUrl, `invoices/${first}/finalize`)
  await at.usage('finalized', '2026-01-10T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-01-11T00:00:00Z')
  expect((await at.invoiceNow(billed)).validationIssues?.[0]?.code).toBe('stripe_draft_finalized')
  await stripePost(sandboxUrl, `invoices/${first}/void`)
  const second = (await at.invoiceNow(billed)).externalIds?.invoicing ?? ''
  expect((await at.draftsOf(billed)).map(({ status, total }) => [status, total])).toEqual([
    ['paid', 2000],
    ['void', 2000],
    ['draft', 2100],
  ])
  await stripeDelete(sandboxUrl, `invoices/${second}`)
  expect((await at.invoiceNow(billed)).validationIssues?.[0]?.code).toBe('stripe_invoice_deleted')
  const third = (await at.invoiceNow(billed)).externalIds?.invoicing ?? ''
  // Finalized and paid as it was then: the closing's other sum is not collected beside it.
  await stripePost(sandboxUrl, `invoices/${third}/finalize`)
  await stripePost(sandboxUrl, `invoices/${third}/pay`)
  await at.usage('finalized', '2026-01-12T00:00:00Z', 100)
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  expect(await call('GET', `/api/v1/billing/invoices/${bill.id}`)).toMatchObject({
    statusDetails: { extendedStatus: 'issuing.failed' },
    validationIssues: [{ code: 'stripe_totals_differ' }],
  })
  expect(await at.collected(billed)).toBe(2000 + 2100)
})

/** The customer is billed at another customer of Stripe's from now on, whose id is answered. */
async function linkAnother({ key, customerId }: { key: string; customerId: string }): Promise<string> {
  const { call, sandboxUrl } = installation
  const fields = { name: key, test_clock: await stripeClock(sandboxUrl, NEW_YEAR) }
  const { id } = await stripePost(sandboxUrl, 'customers', fields)
  await giveCard(sandboxUrl, id)
  await call('PUT', `/api/v1/customers/${customerId}/apps`, [{ type: 'stripe', stripeCustomerId: id }])
  return id
}

test('a customer who is linked to another Stripe customer gets a draft there, and none is left behind', async () => {
  const { call } = installation
  const billed = await at.subscribed('moved')
  const before = await at.invoiceNow(billed)
  const other = await linkAnother(billed)
  const after = await at.invoiceNow(billed)
  expect(after).toMatchObject({ runs: 1, totals: { total: '20.00' } })
  expect(after.id).not.toBe(before.id)
  expect(await call('GET', `/api/v1/billing/invoices/${before.id}`)).toMatchObject({ status: 'voided' })
  expect((await at.draftsOf(billed)).map(({ status }) => status)).toEqual(['paid'])
  const there = await at.draftsOf({ ...billed, stripeCustomerId: other })
  expect(there.map(({ status, total }) => [status, total])).toEqual([['draft', 2000]])
})

test('a closing with another Stripe customer takes the draft back in its own step', async () => {
  const { call } = installation
  const billed = await at.subscribed('moved-closing')
  const before = await at.invoiceNow(billed)
  const other = await linkAnother(billed)
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  expect(await call('GET', `/api/v1/billing/invoices/${before.id}`)).toMatchObject({ status: 'voided' })
  expect((await at.draftsOf(billed)).map(({ status }) => status)).toEqual(['paid'])
  const there = await at.draftsOf({ ...billed, stripeCustomerId: other })
  expect(there.map(({ status, total }) => [status, total])).toEqual([['paid', 2000]])
})

test('a draft grows without the tax that cannot be computed, and with it once it can', async () => {
  const { sandboxUrl } = installation
  const setTax = async (status: string) => await steer('/tax', { status })
  const billed = await at.subscribed('taxed', { workflow: { tax: { enabled: true } } })
  await stripePost(sandboxUrl, `customers/${billed.stripeCustomerId}`, {
    'address[country]': 'DE',
    'address[postal_code]': '10115',
  })
  await setTax('pending')
  const bill = await at.invoiceNow(billed)
  expect(bill.validationIssues).toBeUndefined()
  expect((await at.draftsOf(billed))[1]).toMatchObject({ status: 'draft', automatic_tax: { enabled: false } })
  await setTax('active')
  await at.invoiceNow(billed)
  expect((await at.draftsOf(billed))[1]).toMatchObject({ status: 'draft', automatic_tax: { enabled: true } })
  await advanceTo(installation, billed.clockId, '2026-02-01T00:00:01Z')
  expect((await at.billsOf(billed))[1]).toMatchObject({ status: 'paid', totals: { total: '24.00' } })
})
