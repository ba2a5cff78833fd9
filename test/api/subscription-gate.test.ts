import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { CustomerAccess } from '../../src/api/schemas/access.ts'
import { DomainError } from '../../src/domain/errors.ts'
import type { Phase, RateCard } from '../../src/domain/rate-card.ts'
import { stripeFailure } from '../../src/stripe/failures.ts'
import type { PaymentMethodView, StripeCustomerView } from '../../src/stripe/customer-types.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import {
  basePhase,
  insertCustomer,
  insertPlan,
  insertProfile,
  recordingTemporal,
} from './billing-fixtures.ts'
import { connectClient } from './client.ts'
import type { IsAssignable, Schemas } from './client.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
let appId = ''
let there: Partial<StripeCustomerView> = {}
let method: Partial<PaymentMethodView> | null = null
let failure: Error | null = null

const stripe: Pick<StripeGateway, 'getCustomer' | 'getPaymentMethod'> = {
  getCustomer: async (_app, id) => {
    if (failure !== null) throw failure
    return {
      id,
      deleted: false,
      email: null,
      name: null,
      defaultPaymentMethodId: null,
      testClockId: null,
      currency: null,
      ...there,
    }
  },
  getPaymentMethod: async (_app, id) => {
    if (method === null) throw new DomainError('stripe_payment_method_not_found', `Stripe has no ${id}`)
    return { id, type: 'card', customerId: null, cardBrand: null, cardLast4: null, ...method }
  },
}

beforeAll(async () => {
  const { temporal } = recordingTemporal()
  api = await startTestApi({ temporal, stripe: stripe as StripeGateway })
  ;({ appId } = await insertProfile(api.db))
  await insertPlan(api.db, { key: 'paid' })
})
afterAll(async () => {
  await api.close()
})
beforeEach(() => {
  there = {}
  method = null
  failure = null
})

let made = 0
const newCustomer = async (options: { link?: string; override?: object; linked?: boolean } = {}) => {
  const key = `c${++made}`
  const id = await insertCustomer(api.db, { key, ...(options.linked !== false && { appId }) })
  if (options.link !== undefined)
    await api.db
      .updateTable('customerApps')
      .set({ stripeDefaultPaymentMethodId: options.link })
      .where('customerId', '=', id)
      .execute()
  if (options.override)
    await api.app.inject({ method: 'PUT', url: `/api/v1/billing/customers/${id}`, payload: options.override })
  return { id, key }
}
const subscribe = async (customerId: string, change: object = { plan: { key: 'paid' } }) =>
  (
    await api.app.inject({ method: 'POST', url: '/api/v1/subscriptions', payload: { customerId, ...change } })
  ).json<Record<string, unknown>>()

test("Stripe's default payment method is enough to be charged", async () => {
  there = { defaultPaymentMethodId: 'pm_1' }
  expect(await subscribe((await newCustomer()).id)).toMatchObject({ status: 'active', accessGate: 'none' })
})

test("the link's own payment method is enough, as long as it is the customer's", async () => {
  const { id, key } = await newCustomer({ link: 'pm_own' })
  method = { customerId: `cus_${key}` }
  expect(await subscribe(id)).toMatchObject({ status: 'active' })

  const detached = await newCustomer({ link: 'pm_own' })
  method = { customerId: null }
  expect(await subscribe(detached.id)).toMatchObject({
    code: 'payment_method_missing',
    detail: expect.stringContaining('pm_own'),
  })
})

test('a key that may not read payment methods does not stand in the way', async () => {
  method = { isUnread: true }
  expect(await subscribe((await newCustomer({ link: 'pm_own' })).id)).toMatchObject({ status: 'active' })
})

test('who cannot be charged is refused, saying what is missing', async () => {
  there = { email: 'a@example.com' }
  expect(await subscribe((await newCustomer()).id)).toMatchObject({
    status: 409,
    code: 'payment_method_missing',
    detail: expect.stringMatching(/cus_c\d+ of c\d+ has no default payment method/),
  })
})

test('who is deleted at Stripe, or not linked, is refused', async () => {
  there = { deleted: true }
  expect(await subscribe((await newCustomer()).id)).toMatchObject({
    code: 'customer_not_linked',
    detail: expect.stringContaining('deleted'),
  })
  expect(await subscribe((await newCustomer({ linked: false })).id)).toMatchObject({
    code: 'customer_not_linked',
  })
})

test.each([
  ['auth', 'permission_missing', 'stripe_permission_missing'],
  ['auth', 'unauthorized', 'stripe_key_unauthorized'],
  ['final', 'parameter_invalid', 'stripe_refused'],
  ['retryable', 'connection_failed', 'stripe_unavailable'],
] as const)('what Stripe says instead of an answer is told: %s %s', async (kind, code, told) => {
  failure = stripeFailure({ kind, code, message: 'no' })
  expect(await subscribe((await newCustomer()).id)).toMatchObject({ code: told })
})

test('who is e-mailed invoices needs an address there and no payment method', async () => {
  const override = { workflow: { payment: { collectionMethod: 'send_invoice' } } }
  there = { defaultPaymentMethodId: 'pm_1' }
  expect(await subscribe((await newCustomer({ override })).id)).toMatchObject({
    code: 'customer_email_missing',
  })
  there = { email: 'a@example.com' }
  expect(await subscribe((await newCustomer({ override })).id)).toMatchObject({ status: 'active' })
})

const [baseCard] = basePhase.rateCards
const free = { ...baseCard, price: null } as RateCard
const given = { ...baseCard, discounts: { percentage: { percentage: 100 } } } as RateCard
const half = { ...baseCard, discounts: { percentage: { percentage: 50 } } } as RateCard
const zero = { ...baseCard, price: { type: 'flat', amount: '0' } } as RateCard
const trial = (card: RateCard): Phase => ({ ...basePhase, key: 'trial', duration: 'P1M', rateCards: [card] })

test.each([
  ['a trial without rate cards', [{ ...trial(free), rateCards: [] }, basePhase], 'no'],
  ['a trial whose rate cards have no price', [trial(free), basePhase], 'no'],
  ['a trial at nothing', [trial(zero), basePhase], 'no'],
  ['a trial that is discounted away', [trial(given), basePhase], 'no'],
  ['a first phase at half the price', [trial(half), basePhase], 'a'],
  ['a plan that costs from the start', [basePhase], 'a'],
])('%s asks for %s payment method', async (_name, phases, needed) => {
  const customPlan = { name: 'Custom', currency: 'USD', billingCadence: 'P1M', phases }
  const answer = await subscribe((await newCustomer()).id, { customPlan })
  expect(answer).toMatchObject(needed === 'a' ? { code: 'payment_method_missing' } : { status: 'active' })
})

test("a plan's gate comes before the profile's, and both are kept on the subscription", async () => {
  there = { defaultPaymentMethodId: 'pm_1' }
  const override = { access: { gate: 'first_invoice' } }
  const customPlan = { name: 'Custom', currency: 'USD', billingCadence: 'P1M', phases: [basePhase] }
  const gateOf = async (change: object, options: { override?: object } = {}) =>
    (await subscribe((await newCustomer(options)).id, change))['accessGate']
  expect(await gateOf({ customPlan })).toBe('none')
  expect(await gateOf({ customPlan }, { override })).toBe('first_invoice')
  expect(await gateOf({ customPlan: { ...customPlan, accessGate: 'none' } }, { override })).toBe('none')

  const plan = { key: 'gated', name: 'Gated', currency: 'USD', billingCadence: 'P1M', phases: [basePhase] }
  const call = async (verb: 'POST' | 'PUT' | 'GET', url: string, payload?: object) =>
    (await api.app.inject({ method: verb, url, ...(payload && { payload }) })).json<{ id: string }>()
  const draft = await call('POST', '/api/v1/plans', { ...plan, accessGate: 'first_invoice' })
  expect(draft).toMatchObject({ accessGate: 'first_invoice' })
  const { key: _key, currency: _currency, ...update } = plan
  expect(await call('PUT', `/api/v1/plans/${draft.id}`, update)).not.toHaveProperty('accessGate')
  await call('PUT', `/api/v1/plans/${draft.id}`, { ...update, accessGate: 'first_invoice' })
  await call('POST', `/api/v1/plans/${draft.id}/publish`)
  expect(await gateOf({ plan: { key: 'gated' } })).toBe('first_invoice')
  expect(await call('POST', `/api/v1/plans/gated/next`)).toMatchObject({ accessGate: 'first_invoice' })
})

test('a customer that names no currency is billed in the default one of its profile', async () => {
  there = { defaultPaymentMethodId: 'pm_1' }
  const setDefault = async (defaultCurrency: string | null) =>
    await api.db.updateTable('billingProfiles').set({ defaultCurrency }).execute()
  await setDefault('EUR')
  expect(await subscribe((await newCustomer()).id)).toMatchObject({
    code: 'currency_mismatch',
    detail: expect.stringContaining('EUR, the default of its profile'),
  })
  await setDefault('USD')
  expect(await subscribe((await newCustomer()).id)).toMatchObject({ currency: 'USD' })
  await setDefault(null)
})

test("the published client reads a customer's access, by id and by key", async () => {
  const typed: IsAssignable<CustomerAccess, Schemas['CustomerAccess']> = true
  expect(typed).toBe(true)
  there = { defaultPaymentMethodId: 'pm_1' }
  const client = await connectClient(api.app)
  await api.db.insertInto('features').values({ id: 'f_seats', key: 'seats', name: 'Seats' }).execute()
  const card = { ...baseCard, featureKey: 'seats', entitlementTemplate: { type: 'boolean' } }
  const phases = [{ ...basePhase, rateCards: [card] }]
  const { id, key } = await newCustomer({ override: { access: { gate: 'first_invoice' } } })
  expect(await client.customers.getAccess(id), 'nothing subscribed, nothing to be had').toMatchObject({
    entitlements: {},
    subscriptions: [],
  })
  await subscribe(id, { customPlan: { name: 'Seats', currency: 'USD', billingCadence: 'P1M', phases } })
  expect(await client.customers.getAccess(key)).toMatchObject({
    entitlements: { seats: { hasAccess: false } },
    subscriptions: [{ access: 'pending_payment', reason: 'Its first invoice is being made.' }],
  })
  expect(await client.customers.entitlementsV1.value(key, 'seats')).toEqual({ hasAccess: false })
  const unknown = await api.app.inject({ url: `/api/v1/customers/${key}/entitlements/nothing/value` })
  expect(unknown.statusCode).toBe(404)
})
