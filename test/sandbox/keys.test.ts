import { afterAll, beforeAll, expect, test } from 'vitest'
import { permissionOf } from '../../src/sandbox/permissions.ts'
import { routes } from '../../src/sandbox/routes.ts'
import { clientOf, customerWith, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const restricted = async (key: string, permissions: readonly string[]) => {
  await world.control('POST', '/keys', { key, permissions })
  return clientOf(world.url, key)
}

test('every endpoint asks for a permission that a key can have', () => {
  const open = routes.filter(({ method, pattern }) => permissionOf(method, pattern) === undefined)
  expect(open.map(({ method, pattern }) => `${method} ${pattern}`)).toEqual([])
})

test('a restricted key is refused what it was not given, before the object is looked for', async () => {
  const stripe = await restricted('rk_test_reader1234', [
    'customer:read',
    'invoice:write',
    'webhook_endpoint:read',
  ])
  const { id } = await world.stripe.customers.create({})
  expect((await stripe.customers.retrieve(id)).id).toBe(id)
  const refusal = await refusalOf(stripe.customers.update('cus_nobody', { name: 'Ada' }))
  expect(refusal).toMatchObject({
    statusCode: 403,
    type: 'StripePermissionError',
    rawType: 'invalid_request_error',
  })
  expect(refusal.message).toBe(
    "The provided key 'rk_test_****1234' does not have the required permissions for this endpoint on account " +
      "'acct_1SandboxPerennial'. Having the 'rak_customer_write' permission would allow this request to continue.",
  )
  expect((await refusalOf(stripe.webhookEndpoints.del('we_1'))).message).toContain('rak_webhook_write')
  expect((await stripe.webhookEndpoints.list()).data).toEqual([])
})

test('write implies read, and an expansion asks for its own permission', async () => {
  const stripe = await restricted('rk_test_writer', ['invoice:write'])
  const open = await openInvoice(world.stripe, (await customerWith(world.stripe)).id, 1000)
  expect((await stripe.invoices.retrieve(open.id, { expand: ['payments'] })).id).toBe(open.id)
  const expand = ['payments.data.payment.payment_intent']
  expect((await refusalOf(stripe.invoices.retrieve(open.id, { expand }))).message).toContain(
    'rak_payment_intent_read',
  )
  await restricted('rk_test_writer', ['invoice:write', 'rak_payment_intent_read'])
  expect((await stripe.invoices.retrieve(open.id, { expand })).payments?.data).toHaveLength(1)
})

test('a revoked key is a 401 until it is forgotten, and a key may belong to an account of its own', async () => {
  const stripe = clientOf(world.url, 'sk_test_goneabcd')
  await world.control('POST', '/keys', { key: 'sk_test_goneabcd', revoked: true })
  expect(await refusalOf(stripe.customers.list())).toMatchObject({
    statusCode: 401,
    code: 'api_key_expired',
    message: 'Expired API Key provided: sk_test_****abcd',
  })
  await world.control('POST', '/keys', { key: 'sk_test_goneabcd', revoked: 'deleted' })
  expect((await refusalOf(stripe.customers.list())).message).toBe(
    'Invalid API Key provided: sk_test_****abcd',
  )
  await world.control('POST', '/keys', { key: 'sk_test_goneabcd', revoked: false, account: 'acct_other' })
  expect((await stripe.accounts.retrieveCurrent()).id).toBe('acct_other')
  await world.control('DELETE', '/keys/sk_test_goneabcd')
  expect((await stripe.accounts.retrieveCurrent()).id).toBe('acct_1SandboxPerennial')
  expect(await world.control('POST', '/keys', { key: 'rk_test_a', permissions: ['sheep:write'] })).toEqual({
    error: 'no such permission: sheep:write',
  })
})
