import { afterAll, beforeAll, expect, test } from 'vitest'
import { stripeSubscriptions } from '../support/at-stripe.ts'
import { billedCustomers } from '../support/billed.ts'
import type { ShownInvoice } from '../support/billed.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { advanceTo, postTokens, startScenario, waitFor } from '../support/scenario.ts'
import { stripePost } from '../support/stripe-client.ts'

let installation: Installation
let at: ReturnType<typeof billedCustomers>
let there: ReturnType<typeof stripeSubscriptions>

beforeAll(async () => {
  installation = await startInstallation()
  const scenario = await startScenario(installation)
  at = billedCustomers(installation, scenario)
  there = stripeSubscriptions(installation, scenario)
  await there.begin()
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

/** An invoice at Stripe that has nothing to do with us. */
async function foreignInvoice(): Promise<string> {
  const { sandboxUrl } = installation
  const { id: customer } = await stripePost(sandboxUrl, 'customers', { name: 'somebody' })
  const { id } = await stripePost(sandboxUrl, 'invoices', { customer, auto_advance: 'false' })
  await stripePost(sandboxUrl, `invoices/${id}/finalize`)
  return id
}

test('once the items of an app are settled, invoices of others are not looked into', async () => {
  const { sandboxUrl, database } = installation
  const billing = { stripe: { billing: 'subscription_items' } }
  const subscribed = await there.subscribedAtStripe('all_void', billing)
  await there.usage('all_void', '2026-01-01T00:00:00Z', { tokens: 600 })
  const path = 'payment_methods/pm_card_chargeCustomerFail/attach'
  const bad = await stripePost(sandboxUrl, path, { customer: subscribed.stripeCustomerId })
  const card = { default_payment_method: bad.id }
  await stripePost(sandboxUrl, `subscriptions/${subscribed.stripeSubscriptionId}`, card)
  await advanceTo(installation, subscribed.clockId, '2026-02-02T12:00:00Z')
  await stripePost(sandboxUrl, `invoices/${(await there.invoicesOf(subscribed)).at(-1)?.id}/void`)
  await waitFor(
    async () => await there.billsOf(subscribed),
    ([bill]) => bill?.status === 'voided',
  )
  const foreign = await foreignInvoice()
  await waitFor(
    async () =>
      await database.db
        .selectFrom('stripeEvents')
        .select(['attempts', 'processedAt'])
        .where('objectId', '=', foreign)
        .where('type', '=', 'invoice.paid')
        .executeTakeFirst(),
    (event) => event !== undefined && (event.attempts > 0 || event.processedAt !== null),
  )
  const query = `/requests?path=${encodeURIComponent(`/v1/invoices/${foreign}/lines`)}`
  expect(await at.sandbox('GET', query)).toEqual({ requests: [] })
})
