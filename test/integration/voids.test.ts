import { afterAll, beforeAll, expect, test } from 'vitest'
import { billedCustomers } from '../support/billed.ts'
import type { ShownInvoice } from '../support/billed.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addTokenPlan, advanceTo, postTokens, startScenario } from '../support/scenario.ts'
import { stripePost } from '../support/stripe-client.ts'

let installation: Installation
let at: ReturnType<typeof billedCustomers>

beforeAll(async () => {
  installation = await startInstallation()
  at = billedCustomers(installation, await startScenario(installation))
  await addTokenPlan(installation)
  await addVolumePlan()
})
afterAll(async () => {
  await installation.close()
})

const planKey = 'volume'

/** Late usage may make a month cheaper after it was billed. */
async function addVolumePlan(): Promise<void> {
  const tiers = [
    { upToAmount: '1000', flatPrice: null, unitPrice: { type: 'unit', amount: '0.01' } },
    { flatPrice: null, unitPrice: { type: 'unit', amount: '0.005' } },
  ]
  const rateCard = {
    type: 'usage_based',
    key: 'tokens',
    featureKey: 'tokens',
    name: 'Tokens',
    billingCadence: 'P1M',
    price: { type: 'tiered', mode: 'volume', tiers },
  }
  const phases = [{ key: 'main', name: 'Main', duration: null, rateCards: [rateCard] }]
  const plan = { key: planKey, name: 'Volume', currency: 'USD', billingCadence: 'P1M', phases }
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/plans', plan)
  await installation.call('POST', `/api/v1/plans/${id}/publish`)
}

const voidHere = async ({ id }: ShownInvoice): Promise<void> => {
  const action = { percentage: 100, action: { type: 'discard' } }
  await installation.call('POST', `/api/v1/billing/invoices/${id}/void`, { action, reason: 'a mistake' })
}
const voidAtStripe = async ({ externalIds }: ShownInvoice): Promise<void> => {
  await stripePost(installation.sandboxUrl, `invoices/${externalIds?.invoicing}/void`)
}

const linesOf = ({ lines }: ShownInvoice): readonly string[] =>
  (lines ?? []).map(({ name, totals }) => `${name} ${totals.total}`)

test.each([
  ['here', voidHere],
  ['at Stripe', voidAtStripe],
])(
  'rule 21: an invoice that is voided %s leaves the credit it took over to the next one',
  async (where, void_) => {
    const key = `voided_${where.replace(' ', '_')}`
    const workflow = { payment: { collectionMethod: 'send_invoice' } }
    const billed = await at.newCustomer({ key, card: null, workflow })
    await at.subscribe(billed, planKey)
    const use = async (time: string, tokens: number): Promise<void> =>
      await postTokens(installation, { subject: key, time, tokens })
    await use('2026-01-10T00:00:00Z', 1000)
    await advanceTo(installation, billed.clockId, '2026-02-02T00:00:00Z')
    // 1,001 × $0.005 is $5.01, where $10.00 were billed.
    await use('2026-01-31T00:00:00Z', 1)
    await use('2026-03-10T00:00:00Z', 600)
    await advanceTo(installation, billed.clockId, '2026-04-01T00:00:00Z')
    const march = await at.untilInvoice(billed, ({ status }) => status === 'issued')
    expect(linesOf(march)).toEqual(['Tokens 6.00', 'Carried balance -4.99'])

    await void_(march)
    await at.untilInvoice(billed, ({ status }) => status === 'voided')
    const left = 'The credit of $4.99 that it took over of earlier invoices is left to the next bill'
    expect(await at.timeline(march.id)).toContainEqual(expect.stringContaining(left))
    await use('2026-04-10T00:00:00Z', 700)
    await advanceTo(installation, billed.clockId, '2026-05-01T00:00:00Z')
    const april = await at.untilInvoice(billed, ({ status }) => status === 'issued')
    expect(linesOf(april)).toEqual(['Tokens 7.00', 'Carried balance -4.99'])
    expect(april.totals.total).toBe('2.01')
  },
)
