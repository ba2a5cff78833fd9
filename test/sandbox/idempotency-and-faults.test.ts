import { afterEach, beforeEach, expect, test } from 'vitest'
import { clientOf, customerWith, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeEach(async () => {
  world = await startWorld()
})
afterEach(() => world.close())

const count = async () => (await world.stripe.customers.list({ limit: 100 })).data.length

test('a key executes once, and its first reply is replayed', async () => {
  const { stripe } = world
  const first = await stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'k1' })
  const again = await stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'k1' })
  expect(again.id).toBe(first.id)
  expect(again.lastResponse.headers['idempotent-replayed']).toBe('true')
  expect(await count()).toBe(1)
})

test('a key with other parameters is refused', async () => {
  const { stripe } = world
  await stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'k1' })
  const refusal = await refusalOf(stripe.customers.create({ name: 'Bob' }, { idempotencyKey: 'k1' }))
  expect(refusal).toMatchObject({ statusCode: 400, type: 'StripeIdempotencyError' })
})

test('a decline is replayed under its key; a validation failure is not saved', async () => {
  const { stripe } = world
  const customer = await customerWith(stripe, 'pm_card_chargeCustomerFail')
  const open = await openInvoice(stripe, customer.id, 900)
  const first = await refusalOf(stripe.invoices.pay(open.id, {}, { idempotencyKey: 'pay' }))
  const again = await refusalOf(stripe.invoices.pay(open.id, {}, { idempotencyKey: 'pay' }))
  expect(again.charge).toBe(first.charge)
  expect((await stripe.charges.list({ customer: customer.id })).data).toHaveLength(1)
  await refusalOf(stripe.customers.create({ nonsense: 'x' } as never, { idempotencyKey: 'v' }))
  expect((await stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'v' })).name).toBe('Ada')
})

test('a second request with the key of one in progress is a 409', async () => {
  const { stripe, control } = world
  await control('POST', '/faults', { kind: 'hold' })
  const slow = stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'k' })
  await expect
    .poll(async () => ((await control('GET', '/faults'))['faults'] as { hits: number }[])[0]?.hits)
    .toBe(1)
  const refusal = await refusalOf(stripe.customers.create({ name: 'Ada' }, { idempotencyKey: 'k' }))
  expect(refusal).toMatchObject({ statusCode: 409, code: 'idempotency_key_in_use' })
  await control('DELETE', '/faults')
  expect((await slow).name).toBe('Ada')
})

test.each([
  ['rate_limit', 429, 'rate_limit'],
  ['conflict', 409, 'idempotency_key_in_use'],
])('%s is not saved: the same key succeeds next time', async (kind, statusCode, code) => {
  const { stripe, control } = world
  await control('POST', '/faults', { kind, method: 'POST', path: '^/v1/customers$' })
  expect(await refusalOf(stripe.customers.create({}, { idempotencyKey: 'k' }))).toMatchObject({
    statusCode,
    code,
  })
  await stripe.customers.create({}, { idempotencyKey: 'k' })
  expect(await count()).toBe(1)
})

test('a lock_timeout stays under its key for the day, without having done anything', async () => {
  const { stripe, control } = world
  await control('POST', '/faults', { kind: 'lock_timeout' })
  for (let i = 0; i < 2; i++) {
    const refusal = await refusalOf(stripe.customers.create({}, { idempotencyKey: 'k' }))
    expect(refusal).toMatchObject({ statusCode: 429, code: 'lock_timeout' })
  }
  expect(await count()).toBe(0)
  await stripe.customers.create({}, { idempotencyKey: 'k:g2' })
})

test.each([
  ['error_before', 0],
  ['error_after', 1],
])('%s is a 500 that is replayed, with %i customers made', async (kind, made) => {
  const { stripe, control } = world
  await control('POST', '/faults', { kind })
  for (let i = 0; i < 2; i++) {
    expect((await refusalOf(stripe.customers.create({}, { idempotencyKey: 'k' }))).statusCode).toBe(500)
  }
  expect(await count()).toBe(made)
})

test('a connection reset before execution leaves nothing; the client tries again by itself', async () => {
  const { stripe, control } = world
  await control('POST', '/faults', { kind: 'reset_before', times: 2 })
  expect((await refusalOf(stripe.customers.create({}, { idempotencyKey: 'k' }))).type).toBe(
    'StripeConnectionError',
  )
  expect(await count()).toBe(0)
})

test('a body cut after the commit is a connection error, and the key replays what was done', async () => {
  const { stripe, control } = world
  await control('POST', '/faults', { kind: 'truncate_after' })
  expect((await refusalOf(stripe.customers.create({}, { idempotencyKey: 'k' }))).type).toBe(
    'StripeConnectionError',
  )
  await stripe.customers.create({}, { idempotencyKey: 'k' })
  expect(await count()).toBe(1)
})

test('a connection reset after the commit is healed by the client and the key', async () => {
  const { stripe, control } = world
  await control('POST', '/faults', { kind: 'reset_after' })
  await stripe.customers.create({}, { idempotencyKey: 'k' })
  expect(await count()).toBe(1)
})

test('a fault hits from its nth matching request on, as often as told', async () => {
  const { stripe, control } = world
  await control('POST', '/faults', { kind: 'rate_limit', path: '/v1/customers', nth: 2, times: 2 })
  const outcomes: string[] = []
  for (let i = 0; i < 4; i++) {
    outcomes.push(
      await stripe.customers.create({}).then(
        () => 'made',
        () => 'refused',
      ),
    )
  }
  expect(outcomes).toEqual(['made', 'refused', 'refused', 'made'])
})

test.each([
  ['sk_live_abc', 'The local sandbox refuses live keys'],
  ['pk_test_abc', 'Invalid API Key provided'],
])('the key %s is refused with a 401', async (key, message) => {
  const refusal = await refusalOf(
    clientOf(world.url, key)
      .accounts.retrieve('acct_x')
      .catch(() => clientOf(world.url, key).customers.list()),
  )
  expect(refusal).toMatchObject({ statusCode: 401, message: expect.stringContaining(message) as string })
})

test('a restricted test key is as good', async () => {
  expect((await clientOf(world.url, 'rk_test_abc').customers.list()).data).toEqual([])
})

test('the journal has every request as it was sent', async () => {
  const { stripe, control } = world
  await stripe.customers.create({ metadata: { a: '1' } }, { idempotencyKey: 'k' })
  await refusalOf(stripe.customers.retrieve('cus_none'))
  const { requests } = await control('GET', '/requests')
  expect(requests).toMatchObject([
    {
      method: 'POST',
      path: '/v1/customers',
      params: { metadata: { a: '1' } },
      idempotencyKey: 'k',
      status: 200,
    },
    { method: 'GET', path: '/v1/customers/cus_none', status: 404, errorCode: 'resource_missing' },
  ])
})
