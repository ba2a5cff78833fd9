import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { acceptCommand } from '../../src/billing/subscription-commands.ts'
import { lockCustomer } from '../../src/db/stores/subscription-create.ts'
import { updateSubscription } from '../../src/db/stores/subscriptions.ts'
import { DomainError } from '../../src/domain/errors.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import {
  basePhase,
  freePhase,
  insertClock,
  insertCustomer,
  insertPlan,
  insertProfile,
  recordingTemporal,
  stripeWithCustomer,
} from './billing-fixtures.ts'
import type { Call } from './billing-fixtures.ts'
import { connectClient } from './client.ts'
import { insertSubscriptionRow } from './invoice-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
let appId: string
let calls: Call[]
let stripe: Pick<StripeGateway, 'getCustomer'>
/** What the engine would do to the rows. */
let act: (call: Call) => Promise<void> | void = () => {}

beforeAll(async () => {
  const recorded = recordingTemporal(async (call) => await act(call))
  calls = recorded.calls
  const gateway = {
    getCustomer: async (...args: Parameters<StripeGateway['getCustomer']>) =>
      await stripe.getCustomer(...args),
  }
  api = await startTestApi({ temporal: recorded.temporal, stripe: gateway as StripeGateway })
  appId = (await insertProfile(api.db)).appId
  await insertPlan(api.db, { key: 'pro' })
  await insertPlan(api.db, { key: 'free', phases: [freePhase] })
})
afterAll(async () => await api.close())
beforeEach(() => {
  calls.length = 0
  act = () => {}
  stripe = stripeWithCustomer({ defaultPaymentMethodId: 'pm_1' })
})

let count = 0
const customer = async (
  options: { currency?: string; timezone?: string; testClockId?: string } = {},
): Promise<string> => await insertCustomer(api.db, { key: `c${(count += 1)}`, appId, ...options })

async function post(url: string, payload: object, headers: Record<string, string> = {}) {
  const response = await api.app.inject({ method: 'POST', url, payload, headers })
  return { status: response.statusCode, body: response.json() }
}
const subscribe = async (payload: object) =>
  await post('/api/v1/subscriptions', { plan: { key: 'pro' }, ...payload })
const get = async (url: string) => {
  const response = await api.app.inject({ method: 'GET', url })
  return { status: response.statusCode, body: response.json() }
}

test('a subscription snapshots its plan and asks for its workflow in the same transaction', async () => {
  const customerId = await customer({ timezone: 'America/New_York' })
  const { status, body } = await subscribe({ customerId, metadata: { team: 'a' } })
  expect(status).toBe(201)
  expect(body).toMatchObject({
    name: 'Plan pro',
    status: 'active',
    lifecycle: 'active',
    plan: { key: 'pro', version: 1 },
    currency: 'USD',
    billingCadence: 'P1M',
    timezone: 'America/New_York',
    metadata: { team: 'a' },
    billingAnchor: body.activeFrom,
    nextBillingAt: body.activeFrom,
  })
  const outbox = await api.db.selectFrom('outbox').select('kind').where('subjectId', '=', body.id).execute()
  expect(outbox).toEqual([{ kind: 'start_subscription' }])
  expect(calls).toMatchObject([
    { name: 'startSubscription', args: [{ subscriptionId: body.id, planKey: 'pro', testNowMs: null }] },
  ])
})

test('a workflow that cannot be started now does not fail the request: the outbox starts it', async () => {
  act = () => {
    throw new Error('no Temporal')
  }
  expect((await subscribe({ customerId: await customer() })).status).toBe(201)
})

test('a subscription can be read with its phases, items and current billing period', async () => {
  const clock = await insertClock(api.db, '2025-03-15T12:00:00Z')
  const customerId = await customer({ testClockId: clock, timezone: 'America/New_York' })
  const created = await subscribe({ customerId, billingAnchor: '2025-01-31T05:00:00Z' })
  const { status, body } = await get(`/api/v1/subscriptions/${created.body.id}`)
  expect(status).toBe(200)
  expect(body.activeFrom).toBe('2025-03-15T12:00:00.000Z')
  expect(body.alignment.currentAlignedBillingPeriod).toEqual({
    from: '2025-03-15T12:00:00.000Z',
    to: '2025-03-31T04:00:00.000Z',
  })
  const [phase] = body.phases
  expect(phase).toMatchObject({
    key: 'main',
    activeFrom: body.activeFrom,
    items: [{ key: 'base', price: { amount: '20' } }],
  })
  expect(phase.itemTimelines.base).toEqual(phase.items)
  expect(phase.id).toMatch(/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
})

test('a subscription can start in the future, and is scheduled until then', async () => {
  const { body } = await subscribe({ customerId: await customer(), timing: '2099-01-01T00:00:00Z' })
  expect(body).toMatchObject({
    status: 'scheduled',
    activeFrom: '2099-01-01T00:00:00.000Z',
    waitingFor: 'its start at 2099-01-01T00:00:00.000Z',
  })
})

test('next_billing_cycle starts at the next boundary of the anchor', async () => {
  const clock = await insertClock(api.db, '2025-02-10T00:00:00Z')
  const customerId = await customer({ testClockId: clock })
  const { body } = await subscribe({
    customerId,
    timing: 'next_billing_cycle',
    billingAnchor: '2025-01-31T00:00:00Z',
  })
  expect(body.activeFrom).toBe('2025-02-28T00:00:00.000Z')
})

const refusals: readonly [string, object, number, string, string | undefined][] = [
  ['a plan that does not exist', { plan: { key: 'none' } }, 404, 'not_found', 'plan'],
  ['a plan that is a draft', { plan: { key: 'drafted' } }, 409, 'plan_not_published', 'plan'],
  ['a plan in another currency', { plan: { key: 'euro' } }, 400, 'currency_mismatch', 'plan'],
  ['neither a plan nor a custom plan', { plan: undefined }, 400, 'validation_failed', 'plan'],
  [
    'a phase that the plan does not have',
    { startingPhase: 'trial' },
    400,
    'validation_failed',
    'startingPhase',
  ],
  ['a start in the past', { timing: '2001-01-01T00:00:00Z' }, 400, 'validation_failed', 'timing'],
  ['an instant that does not exist', { timing: '2025-02-30T99:00:00Z' }, 400, 'validation_failed', undefined],
]
test.each(refusals)('%s is refused', async (_name, payload, status, code, field) => {
  await insertPlan(api.db, { key: 'drafted', draft: true }).catch(() => {})
  await insertPlan(api.db, { key: 'euro', currency: 'EUR' }).catch(() => {})
  const refused = await subscribe({ customerId: await customer({ currency: 'USD' }), ...payload })
  expect(refused).toMatchObject({ status, body: { code } })
  if (field !== undefined) expect(refused.body.field).toBe(field)
  expect(calls).toEqual([])
})

test('a custom plan is held to what publishing holds a plan to', async () => {
  const customPlan = {
    name: 'Deal',
    currency: 'USD',
    billingCadence: 'P1M',
    phases: [{ ...basePhase, rateCards: [{ ...basePhase.rateCards[0], billingCadence: 'P4W' }] }],
  }
  const refused = await subscribe({ customerId: await customer(), plan: undefined, customPlan })
  expect(refused).toMatchObject({
    status: 400,
    body: { code: 'cadence_not_divisible', field: 'customPlan.phases[0].rateCards[0].billingCadence' },
  })
  const accepted = await subscribe({
    customerId: await customer(),
    plan: undefined,
    customPlan: { ...customPlan, phases: [basePhase] },
  })
  expect(accepted).toMatchObject({ status: 201, body: { name: 'Deal' } })
  expect(accepted.body.plan).toBeUndefined()
})

test('a paid plan is refused to a customer without a payment method, a free one is not', async () => {
  stripe = stripeWithCustomer({ email: 'a@example.com' })
  const customerId = await customer()
  expect(await subscribe({ customerId })).toMatchObject({
    status: 409,
    body: { code: 'payment_method_missing' },
  })
  expect(await subscribe({ customerId, plan: { key: 'free' } })).toMatchObject({ status: 201 })
})

test('a customer who is e-mailed invoices needs an e-mail address and no payment method', async () => {
  const customerId = await customer()
  await api.db
    .insertInto('billingOverrides')
    .values({ customerId, workflow: JSON.stringify({ payment: { collectionMethod: 'send_invoice' } }) })
    .execute()
  expect(await subscribe({ customerId })).toMatchObject({
    status: 409,
    body: { code: 'customer_email_missing' },
  })
  stripe = stripeWithCustomer({ email: 'a@example.com' })
  expect(await subscribe({ customerId })).toMatchObject({ status: 201 })
})

test('a customer who is not linked to Stripe is refused a paid plan', async () => {
  const customerId = await insertCustomer(api.db, { key: 'unlinked' })
  expect(await subscribe({ customerId })).toMatchObject({
    status: 409,
    body: { code: 'customer_not_linked' },
  })
})

test('a customer has one subscription at a time', async () => {
  const customerId = await customer()
  expect((await subscribe({ customerId })).status).toBe(201)
  expect(await subscribe({ customerId })).toMatchObject({
    status: 409,
    body: { code: 'subscription_overlap' },
  })
})

test('of two subscriptions at once the later one sees the earlier one', async () => {
  const customerId = await customer()
  const isBlocked = async () => {
    const waiting = await sql<{ count: string }>`select count(*) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(api.db)
    return waiting.rows[0]?.count !== '0'
  }
  let answer: ReturnType<typeof subscribe> | undefined
  await api.db.transaction().execute(async (trx) => {
    await lockCustomer(trx, customerId)
    let isAnswered = false
    answer = subscribe({ customerId }).finally(() => (isAnswered = true))
    await expect.poll(async () => isAnswered || (await isBlocked()), { timeout: 10_000 }).toBe(true)
    await insertSubscriptionRow(trx, customerId, [basePhase])
  })
  expect(await answer).toMatchObject({ status: 409, body: { code: 'subscription_overlap' } })
})

test('no subscription begins while the clock of its customer is advancing', async () => {
  const clock = await insertClock(api.db, '2025-01-01T00:00:00Z')
  const customerId = await customer({ testClockId: clock })
  await api.db.updateTable('testClocks').set({ status: 'advancing' }).where('id', '=', clock).execute()
  expect(await subscribe({ customerId })).toMatchObject({ status: 409, body: { code: 'clock_busy' } })
})

test('rule 6: what cancels at the end of the billing period is resolved to an instant when it is accepted', async () => {
  const clock = await insertClock(api.db, '2025-01-31T05:00:00Z')
  const customerId = await customer({ testClockId: clock, timezone: 'America/New_York' })
  const { body } = await subscribe({ customerId })
  await api.db
    .updateTable('testClocks')
    .set({ frozenTime: new Date('2025-02-10T00:00:00Z') })
    .where('id', '=', clock)
    .execute()
  await post(
    `/api/v1/subscriptions/${body.id}/cancel`,
    { timing: 'next_billing_cycle' },
    { 'idempotency-key': 'k1' },
  )
  expect(calls.at(-1)).toEqual({
    name: 'updateSubscription',
    args: [
      body.id,
      { kind: 'cancel', requestId: 'anonymous/k1', effectiveAtMs: Date.parse('2025-02-28T05:00:00Z') },
    ],
  })
})

test('canceling without a body means now', async () => {
  const clock = await insertClock(api.db, '2025-01-31T05:00:00Z')
  const { body } = await subscribe({ customerId: await customer({ testClockId: clock }) })
  const response = await api.app.inject({ method: 'POST', url: `/api/v1/subscriptions/${body.id}/cancel` })
  expect(response.statusCode).toBe(200)
  expect(calls.at(-1)).toMatchObject({
    args: [body.id, { effectiveAtMs: Date.parse('2025-01-31T05:00:00Z') }],
  })
})

test('canceling twice, and in the past, is refused', async () => {
  const { body } = await subscribe({ customerId: await customer() })
  act = async ({ name, args }) => {
    if (name !== 'updateSubscription') return
    await api.db
      .updateTable('subscriptions')
      .set({ activeTo: new Date('2099-01-01'), lifecycle: 'canceled' })
      .where('id', '=', String(args[0]))
      .execute()
  }
  const cancel = async (timing?: string) =>
    await post(`/api/v1/subscriptions/${body.id}/cancel`, timing === undefined ? {} : { timing })
  expect(await cancel('2001-01-01T00:00:00Z')).toMatchObject({
    status: 400,
    body: { code: 'validation_failed', field: 'timing' },
  })
  expect(await cancel()).toMatchObject({
    status: 200,
    body: { status: 'canceled', activeTo: '2099-01-01T00:00:00.000Z' },
  })
  expect(await cancel()).toMatchObject({ status: 409, body: { code: 'subscription_already_canceled' } })
})

test('a cancelation is taken back only while it is to come', async () => {
  const { body } = await subscribe({ customerId: await customer() })
  const unschedule = async () => await post(`/api/v1/subscriptions/${body.id}/unschedule-cancelation`, {})
  expect(await unschedule()).toMatchObject({ status: 409, body: { code: 'conflict' } })
  const end = async (activeTo: Date) =>
    await api.db.updateTable('subscriptions').set({ activeTo }).where('id', '=', body.id).execute()
  await end(new Date('2099-01-01'))
  expect(await unschedule()).toMatchObject({ status: 200 })
  await end(new Date('2020-01-01'))
  expect(await unschedule()).toMatchObject({ status: 409 })
})

test('a cancelation whose answer got lost is not refused when it is repeated under its key', async () => {
  const { body } = await subscribe({ customerId: await customer() })
  const cancel = async () =>
    await post(`/api/v1/subscriptions/${body.id}/cancel`, {}, { 'idempotency-key': 'lost-answer' })
  act = async ({ name, args }) => {
    if (name !== 'updateSubscription') return
    const { requestId } = args[1] as { readonly requestId: string }
    const row = await api.db
      .selectFrom('subscriptions')
      .selectAll()
      .where('id', '=', body.id)
      .executeTakeFirst()
    if (row === undefined) throw new Error('the subscription is gone')
    const command = { kind: 'cancel', requestId, effectiveAtMs: Date.parse('2099-01-01') } as const
    await updateSubscription(api.db, row, await acceptCommand(api.db, row, command))
    throw new DomainError('service_unavailable', 'no worker answered in time')
  }
  expect(await cancel()).toMatchObject({ status: 503 })
  expect(await cancel()).toMatchObject({ status: 200, body: { activeTo: '2099-01-01T00:00:00.000Z' } })
  expect(calls.filter(({ name }) => name === 'updateSubscription')).toHaveLength(1)
})

test('a cancelation is not taken back when the next subscription of the customer begins after it', async () => {
  const customerId = await customer()
  const { body } = await subscribe({ customerId })
  const end = new Date('2099-01-01')
  await api.db.updateTable('subscriptions').set({ activeTo: end }).where('id', '=', body.id).execute()
  const next = await subscribe({ customerId, timing: '2099-01-01T00:00:00Z' })
  expect(next.status).toBe(201)
  const row = await api.db
    .selectFrom('subscriptions')
    .selectAll()
    .where('id', '=', body.id)
    .executeTakeFirst()
  if (row === undefined) throw new Error('the subscription is gone')
  const command = { kind: 'unschedule_cancelation', requestId: 'back' } as const
  await expect(acceptCommand(api.db, row, command)).rejects.toMatchObject({ code: 'subscription_overlap' })
  await api.db.deleteFrom('subscriptionCommands').where('requestId', '=', 'back').execute()
  await api.db.updateTable('subscriptions').set({ deletedAt: end }).where('id', '=', next.body.id).execute()
  expect(await acceptCommand(api.db, row, command)).toEqual({ activeTo: null })
})

test('the subscriptions of a customer are listed by status and page', async () => {
  const customerId = await customer()
  const first = await subscribe({ customerId })
  await api.db
    .updateTable('subscriptions')
    .set({ activeTo: new Date(), lifecycle: 'ended' })
    .where('id', '=', first.body.id)
    .execute()
  const second = await subscribe({ customerId, timing: '2099-01-01T00:00:00Z' })
  const key = `c${count}`
  const all = await get(`/api/v1/customers/${key}/subscriptions?pageSize=1&order=DESC`)
  expect(all.body).toMatchObject({ totalCount: 2, page: 1, pageSize: 1, items: [{ id: second.body.id }] })
  const ended = await get(`/api/v1/customers/${customerId}/subscriptions?status=inactive&status=canceled`)
  expect(ended.body).toMatchObject({ totalCount: 1, items: [{ id: first.body.id, status: 'inactive' }] })
  expect(await get('/api/v1/customers/nobody/subscriptions')).toMatchObject({ status: 404 })
})

test('the timeline of a subscription tells what happened to it', async () => {
  const { body } = await subscribe({ customerId: await customer() })
  const timeline = await get(`/api/v1/subscriptions/${body.id}/timeline`)
  expect(timeline.body).toMatchObject([
    { kind: 'created', detail: expect.stringContaining('Subscribed to pro version 1') },
  ])
})

test('the published client subscribes, reads, lists and cancels', async () => {
  const client = await connectClient(api.app)
  const customerId = await customer()
  const created = await client.subscriptions.create({
    customerId,
    plan: { key: 'pro' },
    timing: new Date(Date.now() + 60_000),
  })
  const id = created?.id ?? ''
  expect(created?.activeFrom).toBeInstanceOf(Date)
  expect((await client.subscriptions.get(id))?.phases[0]?.items[0]).toMatchObject({
    key: 'base',
    billingCadence: 'P1M',
  })
  const listed = await client.customers.listSubscriptions(customerId, { status: ['scheduled'] })
  expect(listed?.items.map((one) => one.id)).toEqual([id])
  expect((await client.subscriptions.cancel(id, { timing: 'next_billing_cycle' }))?.id).toBe(id)
  await expect(client.subscriptions.migrate(id, { timing: 'immediate' })).rejects.toMatchObject({
    status: 501,
  })
})

test('an item shows the feature that it grants', async () => {
  await api.db.insertInto('features').values({ id: ulid(), key: 'support', name: 'Support' }).execute()
  const rateCards = basePhase.rateCards.map((card) => ({ ...card, featureKey: 'support' }))
  await insertPlan(api.db, { key: 'supported', phases: [{ ...basePhase, rateCards }] })
  const created = await subscribe({ customerId: await customer(), plan: { key: 'supported' } })
  const { body } = await get(`/api/v1/subscriptions/${created.body.id}`)
  expect(body.phases[0].items[0]).toMatchObject({
    featureKey: 'support',
    included: { feature: { key: 'support', name: 'Support' } },
  })
})
