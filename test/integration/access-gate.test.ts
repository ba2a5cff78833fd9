import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AccessRequest, CustomerAccess, EntitlementValue } from '../../src/api/schemas/access.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { baseFee, mainPhase } from '../support/plans.ts'
import {
  addCustomer,
  addTokenPlan,
  advanceTo,
  onOwnClock,
  startScenario,
  waitFor,
} from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { giveCard, stripePost } from '../support/stripe-client.ts'

let installation: Installation
let scenario: Scenario
const planKey = 'tokens_monthly'
const gated = { access: { gate: 'first_invoice' } }

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation, {
    dunning: { retries: ['P3D', 'P20D'], end: 'leave_overdue', grace: 'P7D' },
  })
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

interface Invoice {
  readonly id: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
}
interface Subscription {
  readonly id: string
  readonly accessGate: string
}
type Customer = Awaited<ReturnType<typeof addCustomer>>

const access = async (customer: Customer): Promise<CustomerAccess> =>
  await installation.call('GET', `/api/v1/customers/${customer.id}/access`)
const stateOf = async (customer: Customer) => (await access(customer)).subscriptions[0]?.access
const override = async (customer: Customer, settings: object): Promise<void> =>
  await installation.call('PUT', `/api/v1/billing/customers/${customer.id}`, settings)
const subscribe = async (
  customer: Customer,
  plan: object = { plan: { key: planKey } },
): Promise<Subscription> =>
  await installation.call('POST', '/api/v1/subscriptions', { customerId: customer.id, ...plan })
const ask = async (customer: Customer, what: object = {}): Promise<AccessRequest> =>
  await installation.call('POST', `/api/v1/customers/${customer.id}/access-requests`, what)
const requestOf = async (customer: Customer, id: string): Promise<AccessRequest> =>
  await installation.call('GET', `/api/v1/customers/${customer.id}/access-requests/${id}`)

async function invoicesOf(customer: Customer): Promise<readonly Invoice[]> {
  const query = `customers=${customer.id}&order=ASC`
  return (await installation.call<{ items: Invoice[] }>('GET', `/api/v1/billing/invoices?${query}`)).items
}

/** Until the first invoice is where `words` say. */
const firstInvoice = async (customer: Customer, words: string): Promise<Invoice> => {
  const [invoice] = await waitFor(
    async () => await invoicesOf(customer),
    ([first]) => first?.statusDetails.extendedStatus.includes(words) ?? false,
  )
  if (invoice === undefined) throw new Error('there is no invoice')
  return invoice
}

const newCard = async ({ stripeCustomerId }: Customer, token?: string): Promise<unknown> =>
  await giveCard(installation.sandboxUrl, stripeCustomerId, token)

/** The new card may have been noticed by then, and charged: what is paid is not retried. */
async function retry({ id }: Invoice): Promise<void> {
  try {
    await installation.call('POST', `/api/v1/billing/invoices/${id}/retry`)
  } catch (error) {
    const read = async () => await installation.call<Invoice>('GET', `/api/v1/billing/invoices/${id}`)
    await waitFor(read, ({ status }) => status === 'paid').catch(() => {
      throw error
    })
  }
}

const stripeInvoiceOf = async (invoiceId: string): Promise<string> => {
  const row = await installation.database.db
    .selectFrom('invoices')
    .select('stripeInvoiceId')
    .where('id', '=', invoiceId)
    .executeTakeFirstOrThrow()
  return row.stripeInvoiceId ?? ''
}

const timelineOf = async (subscriptionId: string): Promise<readonly string[]> => {
  const rows = await installation.database.db
    .selectFrom('timeline')
    .select('kind')
    .where('subjectId', '=', subscriptionId)
    .orderBy('id')
    .execute()
  return rows.map(({ kind }) => kind)
}

test('pay-first: nothing at subscription, nothing on a declined card, access by webhook when it is paid', async () => {
  const customer = await addCustomer(installation, scenario, {
    key: 'first',
    card: 'pm_card_chargeCustomerFail',
  })
  await override(customer, gated)
  const before = await ask(customer)
  expect(before, 'asked for before there is a subscription').toMatchObject({ status: 'pending' })
  const subscription = await subscribe(customer)
  expect(subscription.accessGate).toBe('first_invoice')
  expect(await stateOf(customer)).toBe('pending_payment')

  const request = await ask(customer, { featureKey: 'tokens', metadata: { who: 'ada' } })
  expect(request).toMatchObject({ status: 'pending', featureKey: 'tokens', metadata: { who: 'ada' } })
  const invoice = await firstInvoice(customer, 'payment_failed')
  expect(await access(customer)).toMatchObject({
    entitlements: { tokens: { hasAccess: false } },
    subscriptions: [{ id: subscription.id, planKey, access: 'pending_payment', firstInvoiceId: invoice.id }],
    requests: [{ id: before.id }, { id: request.id }],
  })

  await newCard(customer)
  const paidAt = Date.now()
  await stripePost(installation.sandboxUrl, `invoices/${await stripeInvoiceOf(invoice.id)}/pay`)
  await waitFor(
    async () => await stateOf(customer),
    (state) => state === 'granted',
  )
  process.stdout.write(`access ${Date.now() - paidAt} ms after the payment at Stripe\n`)
  expect(await access(customer)).toMatchObject({
    entitlements: { tokens: { hasAccess: true } },
    requests: [],
  })
  expect(
    await installation.call<EntitlementValue>('GET', '/api/v1/customers/first/entitlements/tokens/value'),
  ).toEqual({ hasAccess: true })
  expect(await requestOf(customer, before.id)).toMatchObject({ status: 'granted' })
  expect(await requestOf(customer, request.id)).toMatchObject({
    status: 'granted',
    grantedAt: expect.any(String),
  })
  expect(await ask(customer), 'what is open is granted at once').toMatchObject({ status: 'granted' })
  expect(await timelineOf(subscription.id)).toContain('access_granted')
})

test('requests that race the payment are all granted, and none is left behind', async () => {
  const customer = await addCustomer(installation, scenario, {
    key: 'races',
    card: 'pm_card_chargeCustomerFail',
  })
  await override(customer, gated)
  await subscribe(customer)
  const invoice = await firstInvoice(customer, 'payment_failed')
  await newCard(customer)
  const paying = stripePost(installation.sandboxUrl, `invoices/${await stripeInvoiceOf(invoice.id)}/pay`)
  const asked: Promise<AccessRequest>[] = []
  await waitFor(
    async () => {
      asked.push(ask(customer), ask(customer, { featureKey: 'tokens' }))
      return await stateOf(customer)
    },
    (state) => state === 'granted',
  )
  const requests = await Promise.all(asked)
  await paying
  expect((await access(customer)).requests, `of ${requests.length}`).toEqual([])
})

test('a card that works opens in the step that closes the start, whatever the profile, by the plan’s gate', async () => {
  const customer = await addCustomer(installation, scenario, { key: 'works' })
  const customPlan = { ...fixedFee, accessGate: 'first_invoice' }
  const subscription = await subscribe(customer, { customPlan })
  expect(subscription.accessGate).toBe('first_invoice')
  await waitFor(
    async () => await stateOf(customer),
    (state) => state === 'granted',
  )
  const rows = await installation.database.db
    .selectFrom('subscriptionAccess')
    .selectAll()
    .where('subscriptionId', '=', subscription.id)
    .execute()
  expect(rows).toHaveLength(1)

  const other = await addCustomer(installation, scenario, {
    key: 'opened',
    card: 'pm_card_chargeCustomerFail',
  })
  await override(other, gated)
  await subscribe(other, { customPlan: { ...fixedFee, accessGate: 'none' } })
  expect(await stateOf(other)).toBe('granted')
})

const fixedFee = {
  name: 'Fixed',
  currency: 'USD',
  billingCadence: 'P1M',
  phases: [
    mainPhase({
      ...baseFee(),
      featureKey: 'tokens',
      entitlementTemplate: { type: 'static', config: '{"seats":5}' },
    }),
  ],
}

test('a trial passes card-free and open, and closes at the first invoice with a price until it is paid', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'trial', card: null })
  await override(customer, gated)
  const [main] = fixedFee.phases
  const trial = { ...main, key: 'trial', name: 'Trial', duration: 'P2W', rateCards: [] }
  const early = await ask(customer)
  await subscribe(customer, { customPlan: { ...fixedFee, phases: [trial, main] } })
  await waitFor(
    async () => await stateOf(customer),
    (state) => state === 'granted',
  )
  expect(await requestOf(customer, early.id), 'granted where nothing is to be paid').toMatchObject({
    status: 'granted',
  })
  const feature = await ask(customer, { featureKey: 'tokens' })
  expect(feature, 'the trial does not include it').toMatchObject({ status: 'pending' })
  await advanceTo(installation, own.clockId, '2026-01-14T23:00:00Z')
  expect(await stateOf(customer)).toBe('granted')

  await advanceTo(installation, own.clockId, '2026-01-15T00:00:00Z')
  const invoice = await firstInvoice(customer, 'payment_method_needed')
  expect((await access(customer)).subscriptions).toMatchObject([
    { access: 'pending_payment', firstInvoiceId: invoice.id, reason: expect.stringContaining('failed') },
  ])
  await newCard(customer)
  await retry(invoice)
  await waitFor(
    async () => await stateOf(customer),
    (state) => state === 'granted',
  )
  expect(await access(customer)).toMatchObject({
    entitlements: { tokens: { hasAccess: true, config: '{"seats":5}' } },
  })
  expect(await requestOf(customer, feature.id)).toMatchObject({
    status: 'granted',
    grantedAt: '2026-01-15T00:00:00.000Z',
  })
})

test('rule 21: a first invoice too small to collect opens nothing: the next one is to be paid', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, {
    key: 'small',
    card: 'pm_card_chargeCustomerFail',
  })
  await override(customer, gated)
  const [main] = fixedFee.phases
  const small = { ...main, key: 'small', name: 'Small', duration: 'P1M', rateCards: [baseFee('0.10')] }
  const large = { ...main, rateCards: [baseFee()] }
  await subscribe(customer, { customPlan: { ...fixedFee, phases: [small, large] } })
  await firstInvoice(customer, 'carried_forward')
  expect((await access(customer)).subscriptions).toMatchObject([
    { access: 'granted', reason: 'Nothing is to be paid yet.' },
  ])
  await advanceTo(installation, own.clockId, '2026-02-01T00:00:01Z')
  const [, february] = await invoicesOf(customer)
  expect((await access(customer)).subscriptions).toMatchObject([
    { access: 'pending_payment', firstInvoiceId: february?.id },
  ])
})

test('a running invoice that is withdrawn leaves access as it was', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'moved', card: null })
  await override(customer, gated)
  const [main] = fixedFee.phases
  const free = { ...main, key: 'free', name: 'Free', duration: 'P1M', rateCards: [] }
  const paid = { ...main, rateCards: [baseFee()] }
  const { id } = await subscribe(customer, { customPlan: { ...fixedFee, phases: [free, paid] } })
  await advanceTo(installation, own.clockId, '2026-01-02T00:00:00Z')
  await installation.call('POST', `/api/v1/subscriptions/${id}/invoice-now`)
  expect(await stateOf(customer)).toBe('granted')
  const another = await stripePost(installation.sandboxUrl, 'customers', { test_clock: own.stripeClockId })
  await installation.call('PUT', `/api/v1/customers/${customer.id}/apps`, [
    { type: 'stripe', stripeCustomerId: another.id },
  ])
  await installation.call('POST', `/api/v1/subscriptions/${id}/invoice-now`)
  // Both are of one instant on the clock: either may be listed first.
  const all = await waitFor(
    async () => await invoicesOf(customer),
    (invoices) => invoices.some(({ status }) => status === 'voided'),
  )
  expect(all.map(({ status }) => status).toSorted()).toEqual(['draft', 'voided'])
  expect(await stateOf(customer)).toBe('granted')
})

test('rule 32: a bank debit that is processing for days opens nothing and is not retried', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'debited', card: null })
  await newCard(customer, 'pm_usBankAccount_success')
  await override(customer, gated)
  const subscription = await subscribe(customer)
  const invoice = await firstInvoice(customer, 'payment_processing')
  const request = await ask(customer)
  const attempts = async () => (await stripeGetInvoice(await stripeInvoiceOf(invoice.id))).attempt_count
  await advanceTo(installation, own.clockId, '2026-01-04T12:00:00Z')
  expect((await access(customer)).subscriptions).toMatchObject([
    { access: 'pending_payment', reason: expect.stringContaining('processing') },
  ])
  expect(request.status).toBe('pending')
  expect(await attempts(), 'not tried again while it is processing').toBe(1)

  await advanceTo(installation, own.clockId, '2026-01-05T12:00:00Z')
  await waitFor(
    async () => await stateOf(customer),
    (state) => state === 'granted',
  )
  expect(await requestOf(customer, request.id)).toMatchObject({ status: 'granted' })
  expect(await attempts()).toBe(1)
  expect(await timelineOf(subscription.id)).toContain('access_granted')
})

test('rule 32: grace keeps access, then it is suspended, and the payment restores it', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'grace' })
  const subscription = await subscribe(customer)
  await firstInvoice(customer, 'paid')
  expect(await stateOf(customer)).toBe('granted')
  await newCard(customer, 'pm_card_chargeCustomerFail')
  await advanceTo(installation, own.clockId, '2026-02-07T23:59:00Z')
  expect(await stateOf(customer)).toBe('granted')
  await advanceTo(installation, own.clockId, '2026-02-08T00:00:00Z')
  expect((await access(customer)).subscriptions).toMatchObject([
    { access: 'suspended', since: '2026-02-08T00:00:00.000Z' },
  ])
  const request = await ask(customer, { subscriptionId: subscription.id })
  expect(request).toMatchObject({ status: 'pending' })

  const unpaid = (await invoicesOf(customer)).find(({ status }) => status !== 'paid')
  await newCard(customer)
  if (unpaid === undefined) throw new Error('everything is paid')
  await retry(unpaid)
  await waitFor(
    async () => await stateOf(customer),
    (state) => state === 'granted',
  )
  expect(await requestOf(customer, request.id)).toMatchObject({ status: 'granted' })
  expect(await timelineOf(subscription.id)).toContain('access_restored')
})

async function stripeGetInvoice(id: string) {
  const response = await fetch(`${installation.sandboxUrl}/v1/invoices/${id}`, {
    headers: { authorization: 'Bearer sk_test_sandbox' },
  })
  return (await response.json()) as {
    readonly attempt_count: number
    readonly payment_settings: { readonly payment_method_types: readonly string[] | null }
  }
}
