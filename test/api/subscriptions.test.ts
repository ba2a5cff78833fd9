import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { lockCustomer } from '../../src/db/stores/subscription-create.ts'
import { basePhase, insertClock, insertCustomer, insertPlan } from './billing-fixtures.ts'
import { connectClient } from './client.ts'
import { insertSubscriptionRow } from './invoice-fixtures.ts'
import { startSubscriptionApi } from './subscription-world.ts'

let world: Awaited<ReturnType<typeof startSubscriptionApi>>
beforeAll(async () => {
  world = await startSubscriptionApi()
})
afterAll(async () => await world.api.close())
beforeEach(() => world.reset())

test('a subscription snapshots its plan and asks for its workflow in the same transaction', async () => {
  const customerId = await world.customer({ timezone: 'America/New_York' })
  const { status, body } = await world.subscribe({ customerId, metadata: { team: 'a' } })
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
  const outbox = await world.api.db
    .selectFrom('outbox')
    .select('kind')
    .where('subjectId', '=', body.id)
    .execute()
  expect(outbox).toEqual([{ kind: 'start_subscription' }])
  expect(world.calls).toMatchObject([
    { name: 'startSubscription', args: [{ subscriptionId: body.id, planKey: 'pro', testNowMs: null }] },
  ])
})

test('a workflow that cannot be started now does not fail the request: the outbox starts it', async () => {
  world.actAs(() => {
    throw new Error('no Temporal')
  })
  expect((await world.subscribe({ customerId: await world.customer() })).status).toBe(201)
})

test('a subscription can be read with its phases, items and current billing period', async () => {
  const clock = await insertClock(world.api.db, '2025-03-15T12:00:00Z')
  const customerId = await world.customer({ testClockId: clock, timezone: 'America/New_York' })
  const created = await world.subscribe({ customerId, billingAnchor: '2025-01-31T05:00:00Z' })
  const { status, body } = await world.get(`/api/v1/subscriptions/${created.body.id}`)
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
  const { body } = await world.subscribe({
    customerId: await world.customer(),
    timing: '2099-01-01T00:00:00Z',
  })
  expect(body).toMatchObject({
    status: 'scheduled',
    activeFrom: '2099-01-01T00:00:00.000Z',
    waitingFor: 'its start at 2099-01-01T00:00:00.000Z',
  })
})

test('next_billing_cycle starts at the next boundary of the anchor', async () => {
  const clock = await insertClock(world.api.db, '2025-02-10T00:00:00Z')
  const customerId = await world.customer({ testClockId: clock })
  const { body } = await world.subscribe({
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
  await insertPlan(world.api.db, { key: 'drafted', draft: true }).catch(() => {})
  await insertPlan(world.api.db, { key: 'euro', currency: 'EUR' }).catch(() => {})
  const refused = await world.subscribe({ customerId: await world.customer({ currency: 'USD' }), ...payload })
  expect(refused).toMatchObject({ status, body: { code } })
  if (field !== undefined) expect(refused.body.field).toBe(field)
  expect(world.calls).toEqual([])
})

test('a custom plan is held to what publishing holds a plan to', async () => {
  const customPlan = {
    name: 'Deal',
    currency: 'USD',
    billingCadence: 'P1M',
    phases: [{ ...basePhase, rateCards: [{ ...basePhase.rateCards[0], billingCadence: 'P4W' }] }],
  }
  const refused = await world.subscribe({ customerId: await world.customer(), plan: undefined, customPlan })
  expect(refused).toMatchObject({
    status: 400,
    body: { code: 'cadence_not_divisible', field: 'customPlan.phases[0].rateCards[0].billingCadence' },
  })
  const accepted = await world.subscribe({
    customerId: await world.customer(),
    plan: undefined,
    customPlan: { ...customPlan, phases: [basePhase] },
  })
  expect(accepted).toMatchObject({ status: 201, body: { name: 'Deal' } })
  expect(accepted.body.plan).toBeUndefined()
})

test('a paid plan is refused to a customer without a payment method, a free one is not', async () => {
  world.stripeHas({ email: 'a@example.com' })
  const customerId = await world.customer()
  expect(await world.subscribe({ customerId })).toMatchObject({
    status: 409,
    body: { code: 'payment_method_missing' },
  })
  expect(await world.subscribe({ customerId, plan: { key: 'free' } })).toMatchObject({ status: 201 })
})

test('a customer who is e-mailed invoices needs an e-mail address and no payment method', async () => {
  const customerId = await world.customer()
  await world.api.db
    .insertInto('billingOverrides')
    .values({ customerId, workflow: JSON.stringify({ payment: { collectionMethod: 'send_invoice' } }) })
    .execute()
  expect(await world.subscribe({ customerId })).toMatchObject({
    status: 409,
    body: { code: 'customer_email_missing' },
  })
  world.stripeHas({ email: 'a@example.com' })
  expect(await world.subscribe({ customerId })).toMatchObject({ status: 201 })
})

test('a customer who is not linked to Stripe is refused a paid plan', async () => {
  const customerId = await insertCustomer(world.api.db, { key: 'unlinked' })
  expect(await world.subscribe({ customerId })).toMatchObject({
    status: 409,
    body: { code: 'customer_not_linked' },
  })
})

test('a customer has one subscription at a time', async () => {
  const customerId = await world.customer()
  expect((await world.subscribe({ customerId })).status).toBe(201)
  expect(await world.subscribe({ customerId })).toMatchObject({
    status: 409,
    body: { code: 'subscription_overlap' },
  })
})

test('of two subscriptions at once the later one sees the earlier one', async () => {
  const customerId = await world.customer()
  const isBlocked = async () => {
    const waiting = await sql<{ count: string }>`select count(*) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(world.api.db)
    return waiting.rows[0]?.count !== '0'
  }
  let answer: ReturnType<typeof world.subscribe> | undefined
  await world.api.db.transaction().execute(async (trx) => {
    await lockCustomer(trx, customerId)
    let isAnswered = false
    answer = world.subscribe({ customerId }).finally(() => (isAnswered = true))
    await expect.poll(async () => isAnswered || (await isBlocked())).toBe(true)
    await insertSubscriptionRow(trx, customerId, [basePhase])
  })
  expect(await answer).toMatchObject({ status: 409, body: { code: 'subscription_overlap' } })
})

test('no subscription begins while the clock of its customer is advancing', async () => {
  const clock = await insertClock(world.api.db, '2025-01-01T00:00:00Z')
  const customerId = await world.customer({ testClockId: clock })
  await world.api.db.updateTable('testClocks').set({ status: 'advancing' }).where('id', '=', clock).execute()
  expect(await world.subscribe({ customerId })).toMatchObject({ status: 409, body: { code: 'clock_busy' } })
})

test('the subscriptions of a customer are listed by status and page', async () => {
  const customerId = await world.customer()
  const first = await world.subscribe({ customerId })
  await world.api.db
    .updateTable('subscriptions')
    .set({ activeTo: new Date(), lifecycle: 'ended' })
    .where('id', '=', first.body.id)
    .execute()
  const second = await world.subscribe({ customerId, timing: '2099-01-01T00:00:00Z' })
  const key = world.lastKey()
  const all = await world.get(`/api/v1/customers/${key}/subscriptions?pageSize=1&order=DESC`)
  expect(all.body).toMatchObject({ totalCount: 2, page: 1, pageSize: 1, items: [{ id: second.body.id }] })
  const ended = await world.get(
    `/api/v1/customers/${customerId}/subscriptions?status=inactive&status=canceled`,
  )
  expect(ended.body).toMatchObject({ totalCount: 1, items: [{ id: first.body.id, status: 'inactive' }] })
  expect(await world.get('/api/v1/customers/nobody/subscriptions')).toMatchObject({ status: 404 })
})

test('the timeline of a subscription tells what happened to it', async () => {
  const { body } = await world.subscribe({ customerId: await world.customer() })
  const timeline = await world.get(`/api/v1/subscriptions/${body.id}/timeline`)
  expect(timeline.body).toMatchObject([
    { kind: 'created', detail: expect.stringContaining('Subscribed to pro version 1') },
  ])
})

test('the published client subscribes, reads, lists and cancels', async () => {
  const client = await connectClient(world.api.app)
  const customerId = await world.customer()
  const created = await client.subscriptions.create({
    customerId,
    plan: { key: 'pro' },
    timing: new Date(Date.now() + 3_600_000),
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
  await world.api.db.insertInto('features').values({ id: ulid(), key: 'support', name: 'Support' }).execute()
  const rateCards = basePhase.rateCards.map((card) => ({ ...card, featureKey: 'support' }))
  await insertPlan(world.api.db, { key: 'supported', phases: [{ ...basePhase, rateCards }] })
  const created = await world.subscribe({ customerId: await world.customer(), plan: { key: 'supported' } })
  const { body } = await world.get(`/api/v1/subscriptions/${created.body.id}`)
  expect(body.phases[0].items[0]).toMatchObject({
    featureKey: 'support',
    included: { feature: { key: 'support', name: 'Support' } },
  })
})
