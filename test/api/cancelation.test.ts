import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { acceptCommand } from '../../src/billing/subscription-commands.ts'
import { updateSubscription } from '../../src/db/stores/subscriptions.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { insertClock } from './billing-fixtures.ts'
import { startSubscriptionApi } from './subscription-world.ts'

let world: Awaited<ReturnType<typeof startSubscriptionApi>>
beforeAll(async () => {
  world = await startSubscriptionApi()
})
afterAll(async () => await world.api.close())
beforeEach(() => world.reset())

test('rule 6: what cancels at the end of the billing period is resolved to an instant when it is accepted', async () => {
  const clock = await insertClock(world.api.db, '2025-01-31T05:00:00Z')
  const customerId = await world.customer({ testClockId: clock, timezone: 'America/New_York' })
  const { body } = await world.subscribe({ customerId })
  await world.api.db
    .updateTable('testClocks')
    .set({ frozenTime: new Date('2025-02-10T00:00:00Z') })
    .where('id', '=', clock)
    .execute()
  await world.post(
    `/api/v1/subscriptions/${body.id}/cancel`,
    { timing: 'next_billing_cycle' },
    { 'idempotency-key': 'k1' },
  )
  expect(world.calls.at(-1)).toEqual({
    name: 'updateSubscription',
    args: [
      body.id,
      { kind: 'cancel', requestId: 'anonymous/k1', effectiveAtMs: Date.parse('2025-02-28T05:00:00Z') },
    ],
  })
})

test('canceling without a body means now', async () => {
  const clock = await insertClock(world.api.db, '2025-01-31T05:00:00Z')
  const { body } = await world.subscribe({ customerId: await world.customer({ testClockId: clock }) })
  const response = await world.api.app.inject({
    method: 'POST',
    url: `/api/v1/subscriptions/${body.id}/cancel`,
  })
  expect(response.statusCode).toBe(200)
  expect(world.calls.at(-1)).toMatchObject({
    args: [body.id, { effectiveAtMs: Date.parse('2025-01-31T05:00:00Z') }],
  })
})

test('canceling twice, and in the past, is refused', async () => {
  const { body } = await world.subscribe({ customerId: await world.customer() })
  world.actAs(async ({ name, args }) => {
    if (name !== 'updateSubscription') return
    await world.api.db
      .updateTable('subscriptions')
      .set({ activeTo: new Date('2099-01-01'), lifecycle: 'canceled' })
      .where('id', '=', String(args[0]))
      .execute()
  })
  const cancel = async (timing?: string) =>
    await world.post(`/api/v1/subscriptions/${body.id}/cancel`, timing === undefined ? {} : { timing })
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
  const { body } = await world.subscribe({ customerId: await world.customer() })
  const unschedule = async () =>
    await world.post(`/api/v1/subscriptions/${body.id}/unschedule-cancelation`, {})
  expect(await unschedule()).toMatchObject({ status: 409, body: { code: 'conflict' } })
  const end = async (activeTo: Date) =>
    await world.api.db.updateTable('subscriptions').set({ activeTo }).where('id', '=', body.id).execute()
  await end(new Date('2099-01-01'))
  expect(await unschedule()).toMatchObject({ status: 200 })
  await end(new Date('2020-01-01'))
  expect(await unschedule()).toMatchObject({ status: 409 })
})

const lost = [
  [
    'by workers that are away is answered from its rows',
    new DomainError('service_unavailable', 'no worker answered in time'),
    200,
  ],
  ['otherwise is not refused when it is repeated under its key', new Error('the process died'), 500],
] as const

test.each(lost)('a cancelation whose answer got lost %s', async (key, failure, status) => {
  const { body } = await world.subscribe({ customerId: await world.customer() })
  const headers = { 'idempotency-key': key.replaceAll(' ', '-') }
  const cancel = async () => await world.post(`/api/v1/subscriptions/${body.id}/cancel`, {}, headers)
  const asked = (): number => world.calls.filter(({ name }) => name === 'updateSubscription').length
  const before = asked()
  world.actAs(async ({ name, args }) => {
    if (name !== 'updateSubscription') return
    const { requestId } = args[1] as { readonly requestId: string }
    const row = await world.api.db
      .selectFrom('subscriptions')
      .selectAll()
      .where('id', '=', body.id)
      .executeTakeFirst()
    if (row === undefined) throw new Error('the subscription is gone')
    const command = { kind: 'cancel', requestId, effectiveAtMs: Date.parse('2099-01-01') } as const
    await updateSubscription(world.api.db, row, await acceptCommand(world.api.db, row, command))
    throw failure
  })
  expect(await cancel()).toMatchObject({ status })
  expect(await cancel()).toMatchObject({ status: 200, body: { activeTo: '2099-01-01T00:00:00.000Z' } })
  expect(asked() - before).toBe(1)
})

test('a cancelation is not taken back when the next subscription of the customer begins after it', async () => {
  const customerId = await world.customer()
  const { body } = await world.subscribe({ customerId })
  const end = new Date('2099-01-01')
  await world.api.db.updateTable('subscriptions').set({ activeTo: end }).where('id', '=', body.id).execute()
  const next = await world.subscribe({ customerId, timing: '2099-01-01T00:00:00Z' })
  expect(next.status).toBe(201)
  const row = await world.api.db
    .selectFrom('subscriptions')
    .selectAll()
    .where('id', '=', body.id)
    .executeTakeFirst()
  if (row === undefined) throw new Error('the subscription is gone')
  const command = { kind: 'unschedule_cancelation', requestId: 'back' } as const
  await expect(acceptCommand(world.api.db, row, command)).rejects.toMatchObject({
    code: 'subscription_overlap',
  })
  await world.api.db.deleteFrom('subscriptionCommands').where('requestId', '=', 'back').execute()
  await world.api.db
    .updateTable('subscriptions')
    .set({ deletedAt: end })
    .where('id', '=', next.body.id)
    .execute()
  expect(await acceptCommand(world.api.db, row, command)).toEqual({ activeTo: null })
})
