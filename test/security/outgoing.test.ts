import { readdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import type { StoredApp } from '../../src/stripe/types.ts'

const root = new URL('../../', import.meta.url).pathname
/** What runs in the two processes of the product. */
const folders = [
  'domain',
  'workflows',
  'activities',
  'billing',
  'db',
  'stripe',
  'temporal',
  'relay',
  'reconcile',
  'metrics',
  'api',
]

interface Listener {
  readonly url: string
  readonly asked: string[]
  readonly close: () => void
}

async function listener(answer: RequestListener): Promise<Listener> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function appOf(gateway: StripeGateway): StoredApp {
  const apiKeyEncrypted = gateway.encryptSecret('sk_test_x', { appId: 'a', field: 'api_key' })
  return {
    id: 'a',
    livemode: false,
    apiKeyEncrypted,
    webhookSecretEncrypted: null,
    webhookEndpointId: 'we_1',
    stripeAccountId: null,
  }
}

/** Modules of Node that listen are fine; what connects is not. */
const opens = new RegExp(
  [
    String.raw`\bfetch\(|undici|new (WebSocket|EventSource)|new Stripe\(`,
    String.raw`import (\* as \w+|\w+|\{[^}]*\b(get|request|connect|createConnection|Agent|Socket|ClientRequest)\b[^}]*\}) from 'node:(https?|http2|net|tls|dgram)'`,
  ].join('|'),
)

test('the product opens no connection but by its clients of PostgreSQL, Temporal and Stripe', async () => {
  const found: string[] = []
  const look = async (folder: string, recursive: boolean): Promise<void> => {
    const files = await readdir(join(root, folder), { recursive })
    for (const file of files.filter((name) => name.endsWith('.ts'))) {
      const source = await readFile(join(root, folder, file), 'utf8')
      if (opens.test(source)) found.push(join(folder, file))
    }
  }
  for (const folder of folders) await look(`src/${folder}`, true)
  // The entries of the processes, and what stands beside the folders.
  for (const folder of ['', 'src']) await look(folder, false)
  // The one client of Stripe; and the metrics of Temporal's library, which this very process shows on loopback.
  expect(found).toEqual(['src/stripe/client.ts', 'src/metrics/temporal.ts'])
})

test('whatever an id of a caller holds, the request goes to the configured address, under the path of that call', async () => {
  const stripe = await listener((_request, response) => void response.writeHead(404).end('{}'))
  const gateway = createStripeGateway({ masterKey: 'm'.repeat(32), baseUrl: stripe.url, limits: false })
  const app = appOf(gateway)
  const ids = [
    '../../v1/payouts',
    '//evil.example/x',
    'http://169.254.169.254/',
    'cus_1?x=1#y',
    '@evil.example',
    '..',
  ]
  try {
    for (const id of ids) {
      await gateway.getCustomer(app, id).catch(() => null)
      await gateway.getPrice(app, id).catch(() => null)
      await gateway.getInvoice(app, id).catch(() => null)
    }
    expect(stripe.asked.length).toBe(ids.length * 3)
    for (const asked of stripe.asked)
      expect(asked).toMatch(/^GET \/v1\/(customers|prices|invoices)\/[^/?#]+(\?expand[^/]*)?$/)
  } finally {
    stripe.close()
  }
})

test('a redirect is followed nowhere', async () => {
  const elsewhere = await listener((_request, response) => void response.end('{}'))
  const stripe = await listener(
    (_request, response) => void response.writeHead(302, { location: `${elsewhere.url}/secret` }).end(),
  )
  const gateway = createStripeGateway({ masterKey: 'm'.repeat(32), baseUrl: stripe.url, limits: false })
  try {
    await expect(gateway.getCustomer(appOf(gateway), 'cus_1')).rejects.toThrow()
    expect(stripe.asked).toHaveLength(1)
    expect(elsewhere.asked).toEqual([])
  } finally {
    stripe.close()
    elsewhere.close()
  }
})

test('the address for webhooks is told to Stripe and never called', async () => {
  const ours = await listener((_request, response) => void response.end('{}'))
  const stripe = await listener((_request, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ id: 'we_1', object: 'webhook_endpoint', secret: 'whsec_1' }))
  })
  const gateway = createStripeGateway({ masterKey: 'm'.repeat(32), baseUrl: stripe.url, limits: false })
  try {
    await gateway.createWebhookEndpoint('sk_test_x', { url: `${ours.url}/hook`, appId: 'a' })
    expect(stripe.asked).toEqual(['POST /v1/webhook_endpoints'])
    expect(ours.asked).toEqual([])
  } finally {
    stripe.close()
    ours.close()
  }
})
