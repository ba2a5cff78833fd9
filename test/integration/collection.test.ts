import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkouts, options } from '../support/checkout.ts'
import { holdRequest } from '../support/faults.ts'
import { heardOf } from '../support/heard.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import {
  addCustomer,
  addTokenPlan,
  advanceTo,
  onOwnClock,
  startScenario,
  waitFor,
} from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { giveCard, stripeGet, stripePost } from '../support/stripe-client.ts'

let installation: Installation
let scenario: Scenario
let at: ReturnType<typeof checkouts>
const start = '2026-01-01T00:00:00Z'
const planKey = 'tokens_monthly'

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation, {
    frozenTime: start,
    dunning: { retries: ['P3D', 'P7D'], end: 'leave_overdue', grace: 'P7D' },
  })
  await addTokenPlan(installation)
  at = checkouts(installation)
})
afterAll(async () => {
  await installation.close()
})

interface Invoice {
  readonly id: string
  readonly number: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string; readonly availableActions: object }
  readonly hostedInvoiceUrl?: string
  readonly validationIssues?: readonly { readonly code: string; readonly message: string }[]
}

async function invoicesOf(customerId: string): Promise<readonly Invoice[]> {
  const page = await installation.call<{ items: Invoice[] }>(
    'GET',
    `/api/v1/billing/invoices?customers=${customerId}&order=ASC`,
  )
  return page.items
}

async function profileFor(customerId: string, workflow: object): Promise<void> {
  await installation.call('PUT', `/api/v1/billing/customers/${customerId}`, {}).catch(() => {})
  const profile = await installation.call<{ id: string }>('POST', '/api/v1/billing/profiles', {
    name: `For ${customerId}`,
    default: false,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow,
    apps: { tax: scenario.appId, invoicing: scenario.appId, payment: scenario.appId },
  })
  await installation.call('PUT', `/api/v1/billing/customers/${customerId}`, { billingProfileId: profile.id })
}

/** Nothing is left to charge the Stripe customer with, and that is known here. */
async function detachAll(stripeCustomerId: string): Promise<void> {
  const { sandboxUrl } = installation
  const path = `customers/${stripeCustomerId}/payment_methods`
  const cards = await stripeGet<{ data: { id: string }[] }>(sandboxUrl, path)
  for (const card of cards.data) await stripePost(sandboxUrl, `payment_methods/${card.id}/detach`)
  await heardOf(installation, stripeCustomerId)
}

const settled = async (customerId: string) =>
  await waitFor(
    async () => await invoicesOf(customerId),
    (items) => items.length > 0 && items.every((item) => item.status !== 'issuing'),
  )

test('rule 32: a failed payment is retried at the profile’s intervals and recovers with a new card', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'dunned', card: 'pm_card_chargeCustomerFail' })
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: planKey },
  })
  await advanceTo(installation, own.clockId, '2026-01-02T00:00:00Z')
  const [failed] = await invoicesOf(customer.id)
  expect(failed?.statusDetails.extendedStatus).toContain('payment_failed')
  await giveCard(installation.sandboxUrl, customer.stripeCustomerId)
  await advanceTo(installation, own.clockId, '2026-01-03T23:59:59Z')
  expect((await invoicesOf(customer.id))[0]?.status).not.toBe('paid')
  await advanceTo(installation, own.clockId, '2026-01-04T00:00:00Z')
  expect((await invoicesOf(customer.id))[0]?.status).toBe('paid')
})

test('rule 32: after the last retry the profile’s end leaves it overdue', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, {
    key: 'hopeless',
    card: 'pm_card_chargeCustomerFail',
  })
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: planKey },
  })
  await advanceTo(installation, own.clockId, '2026-01-09T00:00:00Z')
  const [invoice] = await invoicesOf(customer.id)
  expect(invoice?.status).toBe('overdue')
  const { rows } = {
    rows: await installation.database.db
      .selectFrom('invoices')
      .select(['attempts'])
      .where('id', '=', invoice?.id ?? '')
      .execute(),
  }
  expect(rows).toEqual([{ attempts: 3 }])
})

test('the payment method set here is charged, also when Stripe has no default', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'own-card', card: null })
  const { stripeCustomerId } = customer
  const card = await stripePost(installation.sandboxUrl, 'payment_methods/pm_card_visa/attach', {
    customer: stripeCustomerId,
  })
  await installation.call('PUT', `/api/v1/customers/${customer.id}/apps`, [
    { type: 'stripe', stripeCustomerId, stripeDefaultPaymentMethodId: card.id },
  ])
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: planKey },
  })
  await waitFor(
    async () => (await invoicesOf(customer.id))[0]?.status,
    (status) => status === 'paid',
  )
})

test('an e-mailed invoice is settled by the webhook when it is paid on Stripe’s page', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, {
    key: 'emailed',
    card: null,
    email: 'billing@example.com',
  })
  await profileFor(customer.id, {
    payment: { collectionMethod: 'send_invoice' },
    invoicing: { dueAfter: 'P30D' },
  })
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: planKey },
  })
  const [invoice] = await settled(customer.id)
  expect(invoice?.status).toBe('issued')
  const page = await fetch(invoice?.hostedInvoiceUrl ?? '', {
    method: 'POST',
    body: new URLSearchParams({ card: '4242424242424242' }),
  })
  expect(page.ok).toBe(true)
  await waitFor(
    async () => (await invoicesOf(customer.id))[0]?.status,
    (status) => status === 'paid',
  )
})

test('an invoice that needs approval waits for it, and is issued and collected when approved', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'approved' })
  await profileFor(customer.id, { invoicing: { autoAdvance: false } })
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: planKey },
  })
  const [draft] = await settled(customer.id)
  expect(draft?.status).toBe('draft')
  await installation.call('POST', `/api/v1/billing/invoices/${draft?.id}/approve`)
  await waitFor(
    async () => (await invoicesOf(customer.id))[0]?.status,
    (status) => status === 'paid',
  )
})

test('a draft period holds the invoice back until it is over', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'drafted' })
  await profileFor(customer.id, { invoicing: { draftPeriod: 'P2D' } })
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: planKey },
  })
  await advanceTo(installation, own.clockId, '2026-01-02T23:00:00Z')
  expect((await invoicesOf(customer.id))[0]?.status).toBe('draft')
  await advanceTo(installation, own.clockId, '2026-01-03T00:00:00Z')
  expect((await invoicesOf(customer.id))[0]?.status).toBe('paid')
})

test('an invoice that waited for a payment method is collected with the one that Checkout saved', async () => {
  const own = await onOwnClock(installation, scenario)
  const { clockId, stripeCustomerId, id } = {
    ...own,
    ...(await addCustomer(installation, own, { key: 'waiting' })),
  }
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: id,
    plan: { key: 'tokens_monthly' },
  })
  const invoices = async (): Promise<readonly Invoice[]> =>
    (
      await installation.call<{ items: Invoice[] }>(
        'GET',
        `/api/v1/billing/invoices?customers=${id}&order=ASC`,
      )
    ).items
  await waitFor(invoices, ([first]) => first?.status === 'paid')
  await detachAll(stripeCustomerId)
  await advanceTo(installation, clockId, '2026-02-02T00:00:00Z')
  await waitFor(
    invoices,
    ([, second]) => second?.statusDetails.extendedStatus === 'issued.payment_method_needed',
  )

  const session = await at.open({ customer: { id }, options })
  expect(session.stripeCustomerId).toBe(stripeCustomerId)
  await at.complete(session.sessionId)
  await waitFor(invoices, ([, second]) => second?.status === 'paid')
})

test.each([
  ['declined', 'pm_card_chargeCustomerFail', 'issued.payment_failed'],
  ['asks for 3-D Secure', 'pm_card_authenticationRequired', 'issued.action_required'],
])('a card that %s is made up for at once by the one that Checkout saves', async (_why, card, waiting) => {
  const own = await onOwnClock(installation, scenario)
  const { id } = await addCustomer(installation, own, { key: card, card })
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: id,
    plan: { key: 'tokens_monthly' },
  })
  const invoices = async (): Promise<readonly Invoice[]> =>
    (await installation.call<{ items: Invoice[] }>('GET', `/api/v1/billing/invoices?customers=${id}`)).items
  await waitFor(invoices, ([first]) => first?.statusDetails.extendedStatus === waiting)
  await at.complete((await at.open({ customer: { id }, options })).sessionId)
  await waitFor(invoices, ([first]) => first?.status === 'paid')
})

test.each([
  [
    'Checkout saves',
    async (customerId: string) =>
      void (await at.save(await at.open({ customer: { id: customerId }, options }))),
  ],
  [
    'is made the default at Stripe',
    async (_customerId: string, stripeCustomerId: string) => {
      await giveCard(installation.sandboxUrl, stripeCustomerId)
      await heardOf(installation, stripeCustomerId)
    },
  ],
])(
  'rule 32: a card that %s while the payment without one is being refused is charged at once',
  async (how, give) => {
    const own = await onOwnClock(installation, scenario)
    const { sandboxUrl } = installation
    const { id, stripeCustomerId } = await addCustomer(installation, own, { key: `meanwhile ${how}` })
    await installation.call('POST', '/api/v1/subscriptions', { customerId: id, plan: { key: planKey } })
    await waitFor(
      async () => await invoicesOf(id),
      ([first]) => first?.status === 'paid',
    )
    await detachAll(stripeCustomerId)
    // Stripe has refused; its reply is on its way.
    const held = await holdRequest(sandboxUrl, { kind: 'hold_after', method: 'POST', path: '/pay$' })
    const path = `/api/v1/test-clocks/${own.clockId}/advance`
    await installation.call('POST', path, { frozenTime: '2026-02-01T00:00:00Z' })
    await held.arrived()
    await give(id, stripeCustomerId)
    await held.letGo()
    await waitFor(
      async () => await invoicesOf(id),
      ([, second]) => second?.status === 'paid',
    )
  },
)

test('an invoice of the Stripe customer of before is not charged to the card of the one that is linked now', async () => {
  const own = await onOwnClock(installation, scenario)
  const { sandboxUrl } = installation
  const card = 'pm_card_chargeCustomerFail'
  const { id, stripeCustomerId } = await addCustomer(installation, own, { key: 'was-linked', card })
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: id,
    plan: { key: 'tokens_monthly' },
  })
  const statuses = async (): Promise<readonly Invoice[]> =>
    (await installation.call<{ items: Invoice[] }>('GET', `/api/v1/billing/invoices?customers=${id}`)).items
  const [failed] = await waitFor(
    statuses,
    ([invoice]) => invoice?.statusDetails.extendedStatus === 'issued.payment_failed',
  )
  const other = await stripePost(sandboxUrl, 'customers', { test_clock: own.stripeClockId })
  const theirs = await stripePost(sandboxUrl, 'payment_methods/pm_card_visa/attach', { customer: other.id })
  await installation.call('PUT', `/api/v1/customers/${id}/stripe`, {
    stripeCustomerId: other.id,
    stripeDefaultPaymentMethodId: theirs.id,
  })
  await giveCard(sandboxUrl, stripeCustomerId)
  await installation.call('POST', `/api/v1/billing/invoices/${failed?.id ?? ''}/retry`)
  await waitFor(statuses, ([invoice]) => invoice?.status === 'paid')
})

test('an invoice that could not be issued for want of a Stripe customer is issued when one is linked', async () => {
  const own = await onOwnClock(installation, scenario)
  const { id, stripeCustomerId } = await addCustomer(installation, own, { key: 'unlinked' })
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: id,
    plan: { key: 'tokens_monthly' },
  })
  const statuses = async (): Promise<readonly string[]> =>
    (
      await installation.database.db
        .selectFrom('invoices')
        .select('status')
        .where('customerId', '=', id)
        .orderBy('id')
        .execute()
    ).map(({ status }) => status)
  await waitFor(statuses, ([first]) => first === 'paid')
  await installation.call('DELETE', `/api/v1/customers/${id}/apps/${scenario.appId}`)
  await advanceTo(installation, own.clockId, '2026-02-02T00:00:00Z')
  await waitFor(statuses, ([, second]) => second === 'issuing')

  await installation.call('PUT', `/api/v1/customers/${id}/apps`, [{ type: 'stripe', stripeCustomerId }])
  await waitFor(statuses, ([, second]) => second === 'paid')
})
