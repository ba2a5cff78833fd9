import { afterEach, beforeEach, expect, test } from 'vitest'
import { refusalOf, startReceiver, startWorld, until } from './world.ts'
import type { Receiver, World } from './world.ts'

let world: World
let receiver: Receiver
beforeEach(async () => {
  world = await startWorld()
  receiver = await startReceiver()
  const { id, secret } = await world.stripe.webhookEndpoints.create({
    url: receiver.url,
    enabled_events: ['customer.created'],
  })
  receiver.trust(String(secret))
  expect((await world.stripe.webhookEndpoints.retrieve(id)).secret).toBeUndefined()
})
afterEach(async () => {
  await world.close()
  await receiver.close()
})

const arrived = (count: number) =>
  until(
    () => receiver.received,
    (received) => received.length >= count,
  )
const settled = () =>
  until(
    () => world.control('GET', '/settled'),
    (state) => state['settled'] === true && state['failing'] === 0,
  )

test('an event arrives signed, at the endpoints that want its type', async () => {
  const { id } = await world.stripe.customers.create({})
  await world.stripe.customers.update(id, { name: 'Ada' })
  await settled()
  expect(receiver.received).toMatchObject([{ type: 'customer.created', object: id, verified: true }])
})

test('a failed delivery is tried again until it succeeds', async () => {
  receiver.answer(500, 302)
  await world.stripe.customers.create({})
  const received = await arrived(3)
  expect(new Set(received.map(({ id }) => id)).size).toBe(1)
  await settled()
  const [event] = (await world.stripe.events.list({ delivery_success: true })).data
  expect(event?.pending_webhooks).toBe(0)
})

test('a duplicate has the same id, or on request a new one', async () => {
  await world.control('POST', '/webhooks/rules', { action: 'duplicate' })
  await world.stripe.customers.create({})
  const same = await arrived(2)
  expect(new Set(same.map(({ id }) => id)).size).toBe(1)
  await world.control('POST', '/webhooks/rules', { action: 'duplicate_new_id' })
  await world.stripe.customers.create({})
  const all = await arrived(4)
  expect(new Set(all.map(({ id }) => id)).size).toBe(3)
  expect(new Set(all.slice(2).map(({ object }) => object)).size).toBe(1)
})

test.each(['wrong_signature', 'old_timestamp'])('%s spoils one try; the next is sound', async (action) => {
  await world.control('POST', '/webhooks/rules', { action })
  receiver.answer(400)
  await world.stripe.customers.create({})
  expect((await arrived(2)).map(({ verified }) => verified)).toEqual([false, true])
})

test('reordered deliveries arrive backwards', async () => {
  await world.control('POST', '/webhooks/rules', { action: 'reorder', count: 3, times: 3 })
  const made: string[] = []
  for (let i = 0; i < 3; i++) made.push((await world.stripe.customers.create({})).id)
  expect((await arrived(3)).map(({ object }) => object)).toEqual(made.toReversed())
})

test('a dropped delivery never comes, and can be sent again', async () => {
  await world.control('POST', '/webhooks/rules', { action: 'drop' })
  await world.stripe.customers.create({})
  await settled()
  expect(receiver.received).toEqual([])
  const [event] = (await world.stripe.events.list()).data
  await world.control('POST', `/webhooks/resend/${event?.id}`)
  await arrived(1)
})

test('of many deliveries eight are on their way at one time, and the others follow in order', async () => {
  receiver.hold()
  await world.control('POST', '/webhooks/hold')
  const made: string[] = []
  for (let i = 0; i < 20; i++) made.push((await world.stripe.customers.create({})).id)
  await world.control('POST', '/webhooks/release')
  await arrived(8)
  expect(await world.control('GET', '/settled')).toMatchObject({ pending: 20 })
  expect(receiver.received).toHaveLength(8)
  receiver.release()
  await settled()
  expect(receiver.received.map(({ object }) => object).toSorted()).toEqual(made.toSorted())
  expect(new Set(receiver.received.slice(0, 8).map(({ object }) => object))).toEqual(
    new Set(made.slice(0, 8)),
  )
})

test('held deliveries wait for the release', async () => {
  await world.control('POST', '/webhooks/hold')
  await world.stripe.customers.create({})
  expect(await world.control('GET', '/settled')).toMatchObject({ settled: false, pending: 1 })
  await world.control('POST', '/webhooks/release')
  await arrived(1)
})

test('a disabled or deleted endpoint gets nothing more', async () => {
  receiver.answer(500)
  await world.stripe.customers.create({})
  await arrived(1)
  const [endpoint] = (await world.stripe.webhookEndpoints.list()).data
  await world.stripe.webhookEndpoints.update(String(endpoint?.id), { disabled: true })
  await settled()
  // The failed one may have been tried again before.
  const before = receiver.received.length
  await world.stripe.customers.create({})
  await settled()
  expect(receiver.received).toHaveLength(before)
  await world.stripe.webhookEndpoints.del(String(endpoint?.id))
  expect((await refusalOf(world.stripe.webhookEndpoints.retrieve(String(endpoint?.id)))).statusCode).toBe(404)
})
