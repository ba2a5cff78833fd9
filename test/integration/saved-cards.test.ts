import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkouts, options } from '../support/checkout.ts'
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

/** What waits for a payment method, and what becomes of one that was saved. */
let installation: Installation
let scenario: Scenario
let at: ReturnType<typeof checkouts>
beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
  await addTokenPlan(installation)
  at = checkouts(installation)
})
afterAll(() => installation.close())

interface Invoice {
  readonly id: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
}

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
  const cards = await stripeGet<{ data: { id: string }[] }>(
    installation.sandboxUrl,
    `customers/${stripeCustomerId}/payment_methods`,
  )
  for (const card of cards.data)
    await stripePost(installation.sandboxUrl, `payment_methods/${card.id}/detach`)
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

test('a payment method that is detached at Stripe is forgotten, and the subscription says so', async () => {
  const session = await at.open({ customer: { name: 'Detached', key: 'detached' }, options })
  await at.complete(session.sessionId)
  const method = await at.linkedMethod('detached')
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerKey: 'detached',
    plan: { key: 'tokens_monthly' },
  })
  await stripePost(installation.sandboxUrl, `payment_methods/${method}/detach`)
  await waitFor(
    async () => await at.linkOf('detached'),
    (link) => link.stripeDefaultPaymentMethodId === undefined,
  )
  const notes = await installation.database.db
    .selectFrom('timeline')
    .select('kind')
    .where('subjectId', '=', id)
    .execute()
  expect(notes.map(({ kind }) => kind)).toContain('payment_method_detached')
})

test('a default that the customer chooses at Stripe, as in the portal, is charged from then on', async () => {
  const session = await at.open({ customer: { name: 'Chooses', key: 'chooses' }, options })
  await at.complete(session.sessionId)
  const saved = await at.linkedMethod('chooses')
  const { id: chosen } = await stripePost(
    installation.sandboxUrl,
    'payment_methods/pm_card_mastercard/attach',
    { customer: session.stripeCustomerId },
  )
  expect((await at.linkOf('chooses')).stripeDefaultPaymentMethodId).toBe(saved)
  await stripePost(installation.sandboxUrl, `customers/${session.stripeCustomerId}`, {
    'invoice_settings[default_payment_method]': chosen,
  })
  await at.linkedMethod('chooses', (method) => method === chosen)
})
