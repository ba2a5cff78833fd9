import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stripeSubscriptions } from '../support/at-stripe.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import { stripeDelete, stripePost } from '../support/stripe-client.ts'

/** How subscriptions that begin at Stripe are billed with our usage. */
const start = '2026-01-01T00:00:00Z'
let installation: Installation
let at: ReturnType<typeof stripeSubscriptions>

beforeAll(async () => {
  installation = await startInstallation()
  at = stripeSubscriptions(installation, await startScenario(installation))
  await at.begin()
})
afterAll(async () => {
  await installation.close()
})

const call = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
  await installation.call<T>(method, path, body)

const items = { stripe: { billing: 'subscription_items' } }

const program = fileURLToPath(new URL('../../bin/perennial.mjs', import.meta.url))

/** What the command line says of an invoice. */
async function cliShows(id: string): Promise<string> {
  const env = { ...process.env, NO_COLOR: '1', PERENNIAL_URL: installation.url }
  const args = [program, 'invoices', 'get', id]
  return (await promisify(execFile)(process.execPath, args, { env })).stdout
}

/** A person invoices at Stripe what is pending there. */
async function sweep(stripeCustomerId: string): Promise<void> {
  const { sandboxUrl } = installation
  const swept = await stripePost(sandboxUrl, 'invoices', {
    customer: stripeCustomerId,
    pending_invoice_items_behavior: 'include',
    auto_advance: 'false',
  })
  await stripePost(sandboxUrl, `invoices/${swept.id}/finalize`)
  await stripePost(sandboxUrl, `invoices/${swept.id}/pay`, { paid_out_of_band: 'true' })
}

test('three runs of a period become items that add up, one of them swept meanwhile, and Stripe collects them once', async () => {
  const subscribed = await at.subscribedAtStripe('swept', items)
  const { clockId, stripeCustomerId, subject } = subscribed
  await at.usage(subject, '2026-01-01T00:00:00Z', { tokens: 1000 })
  await advanceTo(installation, clockId, '2026-01-05T00:00:00Z')
  expect(await at.invoiceNow(subscribed)).toMatchObject({
    status: 'draft',
    totals: { total: '10.00' },
  })
  expect(await at.itemsOf(subscribed)).toEqual([[1000, 'pending']])

  await at.usage(`${subject}_2`, '2026-01-04T00:00:00Z', { tokens: 500 })
  await at.invoiceNow(subscribed)
  expect(await at.itemsOf(subscribed)).toEqual([[1500, 'pending']])

  await sweep(stripeCustomerId)
  await at.usage(subject, '2026-01-05T00:00:00Z', { tokens: 250 })
  // Seats may shrink before the period ends: they wait for it.
  await at.usage(subject, '2026-01-05T00:00:00Z', { seats: 3 })
  expect(await at.invoiceNow(subscribed)).toMatchObject({ totals: { total: '32.50' } })
  expect(await at.itemsOf(subscribed)).toEqual([
    [1500, 'invoiced'],
    [250, 'pending'],
  ])

  await at.usage(subject, '2026-01-05T00:00:00Z', { tokens: 100 })
  await advanceTo(installation, clockId, '2026-02-02T12:00:00Z')
  const [bill] = await at.untilPaid(subscribed)
  expect(bill).toMatchObject({ status: 'paid', totals: { total: '33.50' }, amountPaid: '33.50' })
  expect(await at.itemsOf(subscribed)).toEqual([
    [1500, 'invoiced'],
    [1500, 'invoiced'],
    [250, 'invoiced'],
    [100, 'invoiced'],
  ])
  // Base fee, what was swept, and the renewal with the rest: nothing of ours, and nothing twice.
  const invoices = await at.invoicesOf(subscribed)
  expect(invoices.map((invoice) => [invoice.status, invoice.amount_paid])).toEqual([
    ['paid', 2000],
    ['paid', 1500],
    ['paid', 2000 + 1500 + 250 + 100],
  ])
})

test('with send: approved_bills nothing reaches Stripe before the bill is approved', async () => {
  const subscribed = await at.subscribedAtStripe('approved', {
    stripe: { billing: 'subscription_items', send: 'approved_bills' },
  })
  await at.usage('approved', start, { tokens: 700 })
  await advanceTo(installation, subscribed.clockId, '2026-01-05T00:00:00Z')
  const { id } = await at.invoiceNow(subscribed)
  expect(await at.itemsOf(subscribed)).toEqual([])
  await call('POST', `/api/v1/billing/invoices/${id}/approve`)
  await waitFor(
    async () => await at.itemsOf(subscribed),
    (there) => there.length === 1,
  )
  expect(await at.itemsOf(subscribed)).toEqual([[700, 'pending']])
})

test('a subscription canceled at Stripe ends here, and its last usage is collected', async () => {
  const subscribed = await at.subscribedAtStripe('canceled', items)
  const { clockId, stripeSubscriptionId, subscriptionId } = subscribed
  await at.usage('canceled', start, { tokens: 400 })
  await advanceTo(installation, clockId, '2026-01-10T00:00:00Z')
  await at.invoiceNow(subscribed)
  await at.usage('canceled', '2026-01-09T00:00:00Z', { tokens: 100 })
  await stripeDelete(installation.sandboxUrl, `subscriptions/${stripeSubscriptionId}`)
  const ended = await waitFor(
    async () => await call<{ activeTo?: string }>('GET', `/api/v1/subscriptions/${subscriptionId}`),
    ({ activeTo }) => activeTo !== undefined,
  )
  expect(ended.activeTo).toBe('2026-01-10T00:00:00.000Z')
  await advanceTo(installation, clockId, '2026-02-05T00:00:00Z')
  const bills = await at.untilPaid(subscribed)
  expect(bills.map(({ totals }) => totals.total)).toEqual(['5.00'])
  expect(await at.collected(subscribed)).toBe(2000 + 500)
  // It has no number of ours: the Stripe invoice that its items are on is what the customer got.
  const [, last] = await at.invoicesOf(subscribed)
  expect(last?.number).toMatch(/./)
  expect(bills).toMatchObject([{ number: last?.number, stripeInvoiceNumbers: [last?.number] }])
  expect(await cliShows(bills[0]?.id ?? '')).toMatch(new RegExp(`billed by +Stripe, on ${last?.number}`))
  expect(await at.imported(stripeSubscriptionId)).toMatchObject({ status: 'ended', subscriptionId })
})

test('in mode invoice the same subscription is billed on an invoice of ours, by the card of the Stripe subscription', async () => {
  const subscribed = await at.subscribedAtStripe('own_invoice')
  await at.usage('own_invoice', start, { tokens: 900 })
  await advanceTo(installation, subscribed.clockId, '2026-02-02T00:00:00Z')
  const [bill] = await at.untilPaid(subscribed)
  expect(bill).toMatchObject({ totals: { total: '9.00' }, amountPaid: '9.00' })
  const paid = (await at.invoicesOf(subscribed)).map((invoice) => invoice.amount_paid)
  expect(paid.toSorted((a, b) => a - b)).toEqual([900, 2000, 2000])
})

test('an invoice that Stripe cannot collect shows here without a dunning of ours, and is paid when it is paid there', async () => {
  const subscribed = await at.subscribedAtStripe('unpaid', items)
  const { clockId, stripeCustomerId, stripeSubscriptionId } = subscribed
  const { sandboxUrl } = installation
  await at.usage('unpaid', start, { tokens: 600 })
  const path = 'payment_methods/pm_card_chargeCustomerFail/attach'
  const bad = await stripePost(sandboxUrl, path, { customer: stripeCustomerId })
  await stripePost(sandboxUrl, `subscriptions/${stripeSubscriptionId}`, { default_payment_method: bad.id })
  await advanceTo(installation, clockId, '2026-02-02T12:00:00Z')
  const renewal = (await at.invoicesOf(subscribed)).at(-1)
  expect(renewal).toMatchObject({ status: 'open', billing_reason: 'subscription_cycle' })
  const [bill] = await waitFor(
    async () => await at.billsOf(subscribed),
    ([first]) => first?.statusDetails.extendedStatus === 'issued.billed_by_stripe',
  )
  expect(bill).toMatchObject({ paymentAttempts: 0 })
  const shown = await call<{ items: object[] }>('GET', `/api/v1/billing/invoices/${bill?.id}/stripe-items`)
  expect(shown.items).toMatchObject([
    { amount: '6.00', stripeInvoiceId: renewal?.id, stripeInvoiceStatus: 'open' },
  ])
  // No time passes: the webhook says it.
  await stripePost(sandboxUrl, `invoices/${renewal?.id}/pay`, { paid_out_of_band: 'true' })
  expect(await at.untilPaid(subscribed)).toMatchObject([{ amountPaid: '6.00' }])
})

test('an invoice that Stripe voids takes ours along', async () => {
  const subscribed = await at.subscribedAtStripe('voided', items)
  const { clockId, stripeCustomerId, stripeSubscriptionId } = subscribed
  const { sandboxUrl } = installation
  await at.usage('voided', start, { tokens: 600 })
  const path = 'payment_methods/pm_card_chargeCustomerFail/attach'
  const bad = await stripePost(sandboxUrl, path, { customer: stripeCustomerId })
  await stripePost(sandboxUrl, `subscriptions/${stripeSubscriptionId}`, { default_payment_method: bad.id })
  await advanceTo(installation, clockId, '2026-02-02T12:00:00Z')
  await stripePost(sandboxUrl, `invoices/${(await at.invoicesOf(subscribed)).at(-1)?.id}/void`)
  await waitFor(
    async () => await at.billsOf(subscribed),
    ([bill]) => bill?.status === 'voided',
  )
})

test('an invoice that is voided here is taken back at Stripe', async () => {
  const subscribed = await at.subscribedAtStripe('void_here', items)
  await at.usage('void_here', start, { tokens: 800 })
  await advanceTo(installation, subscribed.clockId, '2026-02-01T00:00:00Z')
  const [bill] = await at.billsOf(subscribed)
  await call('POST', `/api/v1/billing/invoices/${bill?.id}/void`, {
    action: { percentage: 100, action: { type: 'discard' } },
    reason: 'a mistake',
  })
  expect(await at.itemsOf(subscribed)).toEqual([
    [800, 'invoiced'],
    [-800, 'pending'],
  ])
})

test('what is voided after its subscription has ended at Stripe is a credit on the customer’s next invoice', async () => {
  const subscribed = await at.subscribedAtStripe('void_ended', items)
  await at.usage('void_ended', start, { tokens: 400 })
  await advanceTo(installation, subscribed.clockId, '2026-01-10T00:00:00Z')
  await stripeDelete(installation.sandboxUrl, `subscriptions/${subscribed.stripeSubscriptionId}`)
  const [bill] = await waitFor(
    async () => await at.billsOf(subscribed),
    ([last]) => last?.statusDetails.extendedStatus === 'issued.billed_by_stripe',
  )
  expect(await at.itemsOf(subscribed)).toEqual([[400, 'invoiced']])
  await call('POST', `/api/v1/billing/invoices/${bill?.id}/void`, {
    action: { percentage: 100, action: { type: 'discard' } },
    reason: 'a mistake',
  })
  expect(await at.billsOf(subscribed)).toMatchObject([{ status: 'voided' }])
  expect(await at.itemsOf(subscribed)).toEqual([
    [400, 'invoiced'],
    [-400, 'pending'],
  ])
})

test('rule 21: where Stripe computes the tax, what is taken back is no item: the next bill is less by it', async () => {
  const office = { 'head_office[address][country]': 'US' }
  await stripePost(installation.sandboxUrl, 'tax/settings', office)
  const taxed = { 'automatic_tax[enabled]': 'true' }
  const subscribed = await at.subscribedAtStripe('void_taxed', items, taxed)
  await at.usage('void_taxed', start, { tokens: 800 })
  await advanceTo(installation, subscribed.clockId, '2026-02-01T00:00:00Z')
  const [bill] = await at.billsOf(subscribed)
  await call('POST', `/api/v1/billing/invoices/${bill?.id}/void`, {
    action: { percentage: 100, action: { type: 'discard' } },
    reason: 'a mistake',
  })
  expect(await at.itemsOf(subscribed)).toEqual([[800, 'invoiced']])
  await at.usage('void_taxed', '2026-02-01T00:00:00Z', { tokens: 1000 })
  await advanceTo(installation, subscribed.clockId, '2026-03-02T12:00:00Z')
  const bills = await waitFor(
    async () => await at.billsOf(subscribed),
    ([, next]) => next?.status === 'paid',
  )
  expect(bills).toMatchObject([{ status: 'voided' }, { totals: { total: '2.00' }, amountPaid: '2.00' }])
  expect(await at.itemsOf(subscribed)).toEqual([
    [800, 'invoiced'],
    [200, 'invoiced'],
  ])
  expect(await at.collected(subscribed)).toBe(3 * 2000 + 800 + 200)
})

test('rule 21: a total under the minimum of Stripe is carried, and is an item of the next period', async () => {
  const subscribed = await at.subscribedAtStripe('carried', items)
  await at.usage('carried', start, { tokens: 30 })
  await advanceTo(installation, subscribed.clockId, '2026-01-05T00:00:00Z')
  await at.invoiceNow(subscribed)
  expect(await at.itemsOf(subscribed)).toEqual([])
  await advanceTo(installation, subscribed.clockId, '2026-02-02T00:00:00Z')
  await at.usage('carried', '2026-02-01T12:00:00Z', { tokens: 100 })
  await advanceTo(installation, subscribed.clockId, '2026-03-02T12:00:00Z')
  expect((await at.untilPaid(subscribed)).map(({ totals }) => totals.total)).toEqual(['0.00', '1.30'])
  expect(await at.collected(subscribed)).toBe(3 * 2000 + 130)
})

test('an item whose reply was lost, or refused for a day under its key, is there once', async () => {
  const subscribed = await at.subscribedAtStripe('lost_reply', items)
  await advanceTo(installation, subscribed.clockId, '2026-01-05T00:00:00Z')
  const faults = `${installation.sandboxUrl}/_sandbox/faults`
  let tokens = 0
  for (const kind of ['reset_after', 'error_after', 'error_before']) {
    await at.usage('lost_reply', '2026-01-02T00:00:00Z', { tokens: 1000 })
    tokens += 1000
    const fault = { kind, method: 'POST', path: '/v1/invoiceitems$', times: 2 }
    await fetch(faults, { method: 'POST', body: JSON.stringify(fault) })
    await at.invoiceNow(subscribed)
    await fetch(faults, { method: 'DELETE' })
    await at.invoiceNow(subscribed)
    const there = await at.itemsOf(subscribed)
    expect(there.reduce((sum, [amount]) => sum + amount, 0)).toBe(tokens)
    expect(there.filter(([, state]) => state === 'pending')).toEqual([[1000, 'pending']])
    // It is taken up, so that the next run makes another.
    await sweep(subscribed.stripeCustomerId)
  }
  await at.usage('lost_reply', '2026-01-02T00:00:00Z', { tokens: 1000 })
  await advanceTo(installation, subscribed.clockId, '2026-02-02T12:00:00Z')
  await at.untilPaid(subscribed)
  expect(await at.collected(subscribed)).toBe(2 * 2000 + 4 * 1000)
})
