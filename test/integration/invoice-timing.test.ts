import { afterAll, beforeAll, expect, test } from 'vitest'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { baseFee, mainPhase, tokenUsage, unitPrice } from '../support/plans.ts'
import { addCustomer, addTokenPlan, advanceTo, postTokens, startScenario } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'

/**
 * When invoices come and what is on them: one at subscription over the base price, one at the end of each metering period
 * over the base price and the consumption, a final one at cancelation over the consumption since.
 */
let installation: Installation
let scenario: Scenario

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation, {
    frozenTime: '2026-01-01T00:00:00Z',
    // Wait for late usage, then a draft period before the invoice is sent.
    workflow: { collection: { interval: 'P1D' }, invoicing: { draftPeriod: 'P2D' } },
  })
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

interface Invoice {
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly number: string
  readonly totals: { readonly total: string }
  readonly issuedAt?: string
  readonly hostedInvoiceUrl?: string
  readonly invoicePdfUrl?: string
  readonly paymentUrl?: string
  readonly lines?: readonly { readonly name: string; readonly totals: { readonly total: string } }[]
}

const linesOf = (invoice: Invoice | undefined) =>
  Object.fromEntries((invoice?.lines ?? []).map(({ name, totals }) => [name, totals.total]))

async function invoicesOf(subscriptionId: string): Promise<readonly Invoice[]> {
  const path = `/api/v1/subscriptions/${subscriptionId}/invoices?order=ASC&expand=lines`
  return (await installation.call<{ items: Invoice[] }>('GET', path)).items
}

const usage = async (subject: string, time: string, tokens: number): Promise<void> =>
  await postTokens(installation, { subject, time, tokens })

/** The base price and the tokens of a period of this length. */
const planOf = (cadence: string, base: string) => ({
  name: `Every ${cadence}`,
  currency: 'USD',
  billingCadence: cadence,
  phases: [
    mainPhase(
      { ...baseFee(base, cadence), name: 'Base price' },
      { ...tokenUsage(unitPrice('0.01'), cadence), name: 'Consumption' },
    ),
  ],
})

async function subscribe(key: string, customPlan: object, workflow: object): Promise<string> {
  const { call } = installation
  const customer = await addCustomer(installation, scenario, { key, email: `${key}@example.com` })
  await call('PUT', `/api/v1/billing/customers/${customer.id}`, { workflow })
  const body = { customerId: customer.id, customPlan }
  return (await call<{ id: string }>('POST', '/api/v1/subscriptions', body)).id
}

test('base price at subscription, base price and consumption at each period’s end, consumption since at cancelation', async () => {
  const { call } = installation
  const clockId = scenario.clockId ?? ''
  const prompt = { collection: { interval: 'PT0S' }, invoicing: { draftPeriod: 'PT0S' } }
  const emailed = {
    ...prompt,
    payment: { collectionMethod: 'send_invoice' },
    invoicing: { draftPeriod: 'PT0S', dueAfter: 'P30D' },
  }
  const monthly = await subscribe('monthly', planOf('P1M', '20'), prompt)
  const annual = await subscribe('annual', planOf('P1Y', '200'), prompt)
  const waiting = await subscribe('waiting', planOf('P1M', '20'), {})
  const byMail = await subscribe('by-mail', planOf('P1M', '20'), emailed)
  for (const key of ['monthly', 'annual', 'waiting', 'by-mail']) {
    await usage(key, '2026-01-10T00:00:00Z', 500)
    // At the boundary: the next month's, the same year's.
    await usage(key, '2026-02-01T00:00:00Z', 100)
  }
  // One at subscription; the one that waits two days is sent after them.
  await advanceTo(installation, clockId, '2026-01-01T00:00:01Z')
  expect((await invoicesOf(monthly)).map(linesOf)).toEqual([{ 'Base price': '20.00' }])
  expect((await invoicesOf(annual)).map(linesOf)).toEqual([{ 'Base price': '200.00' }])
  const [first] = await invoicesOf(waiting)
  expect(first?.statusDetails.extendedStatus).toBe('draft.waiting_draft_period')
  await advanceTo(installation, clockId, '2026-01-03T00:00:00Z')
  expect((await invoicesOf(waiting))[0]).toMatchObject({
    status: 'paid',
    issuedAt: '2026-01-03T00:00:00.000Z',
  })

  // The list of a subscription's invoices has the link to pay each.
  const [toPay] = await invoicesOf(byMail)
  expect(toPay).toMatchObject({ status: 'issued', totals: { total: '20.00' } })
  expect(toPay?.number).toMatch(/^INV-/)
  expect(toPay?.paymentUrl).toBe(toPay?.hostedInvoiceUrl)
  expect((await fetch(toPay?.paymentUrl ?? '')).status).toBe(200)
  expect(toPay?.invoicePdfUrl).toMatch(/^http/)

  await advanceTo(installation, clockId, '2026-02-01T00:00:01Z')
  const january = { 'Base price': '20.00', Consumption: '5.00' }
  expect(linesOf((await invoicesOf(monthly))[1])).toEqual(january)
  expect(await invoicesOf(annual)).toHaveLength(1)
  expect(await invoicesOf(waiting)).toHaveLength(1)
  // Usage that comes within the wait is on the period's own invoice.
  await usage('waiting', '2026-01-31T23:59:59Z', 50)
  await advanceTo(installation, clockId, '2026-02-02T00:00:00Z')
  const [, collected] = await invoicesOf(waiting)
  expect(linesOf(collected)).toEqual({ 'Base price': '20.00', Consumption: '5.50' })
  expect(collected?.statusDetails.extendedStatus).toBe('draft.waiting_draft_period')
  await advanceTo(installation, clockId, '2026-02-04T00:00:00Z')
  expect((await invoicesOf(waiting))[1]).toMatchObject({
    status: 'paid',
    issuedAt: '2026-02-04T00:00:00.000Z',
  })

  // Terminated in the middle: the consumption since the last invoice, no base price.
  await advanceTo(installation, clockId, '2026-02-20T00:00:00Z')
  await call('POST', `/api/v1/subscriptions/${monthly}/cancel`, { timing: 'immediate' })
  expect(linesOf((await invoicesOf(monthly))[2])).toEqual({ Consumption: '1.00' })
  for (const id of [waiting, byMail])
    await call('POST', `/api/v1/subscriptions/${id}/cancel`, { timing: 'immediate' })
  await advanceTo(installation, clockId, '2027-01-01T00:00:01Z')
  const year = await invoicesOf(annual)
  expect(year.map(linesOf)).toEqual([
    { 'Base price': '200.00' },
    { 'Base price': '200.00', Consumption: '6.00' },
  ])
  await usage('annual', '2027-01-02T00:00:00Z', 700)
  await advanceTo(installation, clockId, '2027-01-05T00:00:00Z')
  await call('POST', `/api/v1/subscriptions/${annual}/cancel`, { timing: 'immediate' })
  expect((await invoicesOf(annual)).map(({ status, totals }) => [status, totals.total])).toEqual([
    ['paid', '200.00'],
    ['paid', '206.00'],
    ['paid', '7.00'],
  ])
})
