import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collect, customerWith, invoiceFor, startWorld } from './world.ts'
import type { World } from './world.ts'

interface Delivery {
  readonly rawBody: Buffer
  readonly header: string | undefined
}

let world: World
let secret: string
const deliveries: Delivery[] = []
const receiver = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    deliveries.push({
      rawBody: Buffer.concat(chunks),
      header: request.headers['stripe-signature']?.toString(),
    })
    response.end()
  })
})

beforeAll(async () => {
  world = await startWorld()
  await new Promise<void>((resolve) => {
    receiver.listen(0, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/webhook`
  const endpoint = await world.gateway.createWebhookEndpoint('sk_test_sandbox', { url, appId: 'app_1' })
  secret = endpoint.secret
})
afterAll(async () => {
  await world.close()
  receiver.closeAllConnections()
  receiver.close()
})

test('rule 30: what Stripe delivers is verified with the secret of the installed endpoint, and names our invoice', async () => {
  const invoice = invoiceFor(await customerWith(world))
  await collect(world, invoice)
  const verified = () =>
    deliveries.map((delivery) =>
      world.gateway.verifyWebhook({ ...delivery, secrets: ['whsec_other', secret] }),
    )
  await expect
    .poll(() =>
      verified()
        .filter((event) => event.invoiceId === invoice.invoiceId)
        .map((event) => event.type)
        .sort(),
    )
    .toEqual(['invoice.created', 'invoice.finalized', 'invoice.paid'])
  expect(verified().every((event) => event.apiVersion === '2026-10-28.endive')).toBe(true)
  const own = verified().filter(({ isOwn }) => isOwn)
  expect(own.filter(({ invoiceId }) => invoiceId === invoice.invoiceId)).toHaveLength(3)
  for (const delivery of deliveries) {
    expect(() => world.gateway.verifyWebhook({ ...delivery, secrets: ['whsec_other'] })).toThrow(
      expect.objectContaining({ code: 'webhook_signature_invalid' }),
    )
  }
})
