import { afterAll, beforeAll, expect, test } from 'vitest'
import { billedCustomers } from '../support/billed.ts'
import type { BilledCustomer } from '../support/billed.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { advanceTo, startScenario } from '../support/scenario.ts'
import { stripeGet, stripePost } from '../support/stripe-client.ts'

let installation: Installation
let at: ReturnType<typeof billedCustomers>

beforeAll(async () => {
  installation = await startInstallation()
  at = billedCustomers(installation, await startScenario(installation))
})
afterAll(async () => {
  await installation.close()
})

interface Fee {
  readonly amount: string
  readonly taxConfig?: object
}

/** A published plan of fees that are due at the start. */
async function planOf(key: string, currency: string, fees: readonly Fee[]): Promise<void> {
  const rateCards = fees.map(({ amount, taxConfig }, index) => ({
    type: 'flat_fee',
    key: `fee_${index}`,
    name: `Fee ${index}`,
    billingCadence: 'P1M',
    price: { type: 'flat', amount, paymentTerm: 'in_advance' },
    ...(taxConfig && { taxConfig }),
  }))
  const phases = [{ key: 'main', name: 'Main', duration: null, rateCards }]
  const plan = await installation.call<{ id: string }>('POST', '/api/v1/plans', {
    key,
    name: key,
    currency,
    billingCadence: 'P1M',
    phases,
  })
  await installation.call('POST', `/api/v1/plans/${plan.id}/publish`)
}

const address = { 'address[country]': 'DE', 'address[postal_code]': '10115' }
const locate = async ({ stripeCustomerId }: BilledCustomer): Promise<void> => {
  await stripePost(installation.sandboxUrl, `customers/${stripeCustomerId}`, address)
}
const taxed = (more: object = {}) => ({ tax: { enabled: true, ...more } })

test.each([
  // currency, fees, their tax at 20 %, total, and what Stripe was paid
  ['JPY', ['1001', '2002'], ['200', '400'], '3603', 3603],
  ['KRW', ['1500', '33333'], ['300', '6667'], '41800', 41_800],
  ['KWD', ['1.230', '10.070'], ['0.246', '2.014'], '13.560', 13_560],
  ['BHD', ['0.500', '99.990'], ['0.100', '19.998'], '120.588', 120_588],
  ['ISK', ['101', '102'], ['20', '21'], '244', 24_360],
  ['UGX', ['5000', '3333'], ['1000', '667'], '10000', 999_960],
  ['USD', ['19.99', '0.33'], ['4.00', '0.07'], '24.39', 2439],
])(
  'rule 18: lines, tax and total of an invoice in %s are exact',
  async (currency, fees, taxes, total, paidMinor) => {
    const key = `plan_${currency.toLowerCase()}`
    await planOf(
      key,
      currency,
      fees.map((amount) => ({ amount })),
    )
    const billed = await at.newCustomer({ key, currency, workflow: taxed() })
    await locate(billed)
    await at.subscribe(billed, key)
    const invoice = await at.untilInvoice(billed, ({ status }) => status === 'paid')
    expect(invoice).toMatchObject({ currency, taxOutcome: 'computed', totals: { total }, amountPaid: total })
    expect(invoice.lines?.map(({ totals }) => totals.amount)).toEqual(fees)
    expect(invoice.lines?.map(({ totals }) => totals.taxesTotal)).toEqual(taxes)
    const stripe = await stripeGet<{ amount_paid: number; currency: string }>(
      installation.sandboxUrl,
      `invoices/${invoice.externalIds?.invoicing}`,
    )
    expect(stripe).toMatchObject({ amount_paid: paidMinor, currency: currency.toLowerCase() })
  },
)

test('each line is taxed as its rate card says, else as the profile does', async () => {
  await planOf('mixed', 'USD', [
    { amount: '10.00' },
    { amount: '12.00', taxConfig: { behavior: 'inclusive', stripe: { code: 'txcd_10103001' } } },
  ])
  const invoicing = { defaultTaxConfig: { behavior: 'exclusive', stripe: { code: 'txcd_10000000' } } }
  const billed = await at.newCustomer({ key: 'mixed', workflow: { ...taxed(), invoicing } })
  await locate(billed)
  await at.subscribe(billed, 'mixed')
  const invoice = await at.untilInvoice(billed, ({ status }) => status === 'paid')
  expect(invoice.totals).toMatchObject({
    amount: '22.00',
    taxesTotal: '4.00',
    taxesInclusiveTotal: '2.00',
    total: '24.00',
  })
  expect(invoice.lines?.map(({ totals }) => [totals.taxesTotal, totals.total])).toEqual([
    ['2.00', '12.00'],
    ['2.00', '12.00'],
  ])
  const { requests } = await at.sandbox<{ requests: { body: unknown }[] }>(
    'GET',
    '/requests?path=/v1/invoiceitems$',
  )
  expect(JSON.stringify(requests)).toContain('txcd_10000000')
  expect(JSON.stringify(requests)).toContain('txcd_10103001')
})

test('where tax cannot be computed and is not enforced, the invoice is issued without and says so', async () => {
  await planOf('lenient', 'USD', [{ amount: '10.00' }])
  const billed = await at.newCustomer({ key: 'lenient', workflow: taxed() })
  await at.subscribe(billed, 'lenient')
  const invoice = await at.untilInvoice(billed, ({ status }) => status === 'paid')
  expect(invoice).toMatchObject({ taxOutcome: 'skipped', totals: { taxesTotal: '0.00', total: '10.00' } })
  expect(await at.timeline(invoice.id)).toContainEqual(
    expect.stringMatching(/^Issued without tax, which is not enforced: .*location/),
  )
})

test.each(['its webhook', 'time'])(
  'enforced tax waits for the customer’s address, and goes on by %s',
  async (by) => {
    const key = by === 'time' ? 'by_time' : 'by_webhook'
    await planOf(key, 'USD', [{ amount: '10.00' }])
    const billed = await at.newCustomer({ key, workflow: taxed({ enforced: true }) })
    await at.subscribe(billed, key)
    const failed = await at.untilInvoice(
      billed,
      ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.failed',
    )
    expect(failed).toMatchObject({
      taxOutcome: 'failed',
      statusDetails: { availableActions: { retry: {} } },
      validationIssues: [{ code: 'customer_tax_location_invalid' }],
    })
    if (by === 'time')
      await at.sandbox('POST', '/webhooks/rules', { action: 'drop', type: '^customer', times: 0 })
    await locate(billed)
    if (by === 'time') await advanceTo(installation, billed.clockId, '2026-01-02T06:00:00Z')
    const paid = await at.untilInvoice(billed, ({ status }) => status === 'paid')
    expect(paid).toMatchObject({ id: failed.id, taxOutcome: 'computed', totals: { total: '12.00' } })
    await at.sandbox('DELETE', '/webhooks/rules')
  },
)
