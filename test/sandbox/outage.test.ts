import { afterAll, beforeAll, expect, test } from 'vitest'
import { clientOf, customerWith, openInvoice, refusalOf, startWorld } from './world.ts'
import type { World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test('nobody is cut off who was quiet for some seconds: that would be a fault that nobody asked for', async () => {
  const { headers } = await fetch(world.url)
  expect(headers.get('keep-alive')).toBe('timeout=600')
})

test('an outage takes every request, known or not, whatever its key; the control plane stays', async () => {
  const { stripe, control, url } = world
  const open = await openInvoice(stripe, (await customerWith(stripe)).id, 1000)
  const page = String(open.hosted_invoice_url)
  const key = { idempotencyKey: 'before' }
  await stripe.customers.create({}, key)
  await control('POST', '/faults', { kind: 'unavailable', times: 0 })
  const calls = [
    () => stripe.customers.create({}, key),
    () => stripe.events.list(),
    () => stripe.customers.create({ nonsense: '1' } as never),
    () => stripe.rawRequest('GET', '/v1/nothing/there'),
    () => clientOf(url, 'sk_live_no').customers.list(),
  ]
  for (const call of calls) expect(await refusalOf(call())).toMatchObject({ type: 'StripeAPIError' })
  expect((await fetch(page)).status).toBe(200)
  await control('POST', '/faults', { kind: 'unavailable', times: 0, pages: true })
  expect((await fetch(page)).status).toBe(503)
  expect((await control('GET', '/requests?path=nothing'))['requests']).toMatchObject([{ status: 503 }])
  await control('DELETE', '/faults')
  expect((await fetch(page)).status).toBe(200)
  expect((await stripe.customers.list()).data).toHaveLength(2)
})
