import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stripeGet, stripePost } from '../support/stripe-client.ts'
import { waitFor } from '../support/scenario.ts'
import { answered } from './checked-client.ts'
import { installStripe, startSdkWorld } from './world.ts'
import type { SdkWorld } from './world.ts'

/*
 * The examples of the founding documents, as they are written there but for host, ids, token, and what the published client
 * renamed: customers.app → customers.apps, appId → id.
 */

let world: SdkWorld
let appId: string
beforeAll(async () => {
  world = await startSdkWorld()
  appId = (await installStripe(world)).appId
})
afterAll(() => world.close())

const stripeCustomer = async (fields: Record<string, string> = {}): Promise<string> =>
  (await stripePost(world.installation.sandboxUrl, 'customers', fields)).id

const defaultMethodAtStripe = async (id: string): Promise<string | null> =>
  (
    await stripeGet<{ invoice_settings: { default_payment_method: string | null } }>(
      world.installation.sandboxUrl,
      `customers/${id}`,
    )
  ).invoice_settings.default_payment_method

interface Curl {
  readonly text: string
  /** What stands in the example → what stands for it here. */
  readonly instead: Readonly<Record<string, string>>
}

const withReplaced = ({ text, instead }: Curl): string =>
  Object.entries(instead).reduce((changed, [from, to]) => changed.replaceAll(from, to), text)

/** Sends what a curl example says: its method, address, headers and body, to the letter. */
async function sendCurl(curl: Curl): Promise<{ readonly status: number; readonly body: unknown }> {
  const text = withReplaced(curl)
  const quoted = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, inner = '']) => inner)
  const [method = ''] = quoted(/-X (\w+)/g)
  const [url = ''] = quoted(/'(http[^']+)'/g)
  const headers = quoted(/--header '([^']+)'/g).map((line): [string, string] => {
    const [name = '', ...value] = line.split(': ')
    return [name, value.join(': ')]
  })
  const [body = ''] = quoted(/--data-raw '([^']*)'/g)
  const response = await fetch(url, { method, headers, body })
  return { status: response.status, body: await response.json() }
}

const upsertByCurl = `curl  -X PUT \\
  'https://dev.openmeter.cloud/api/v1/customers/01JDJM1WF8Y461YQ9F0EW4WHY2/apps' \\
  --header 'Accept: */*' \\
  --header 'User-Agent: Thunder Client (https://www.thunderclient.com)' \\
  --header 'Authorization: Bearer my-token' \\
  --header 'Content-Type: application/json' \\
  --data-raw '[
  {
    "type": "stripe",
    "stripeCustomerId": "cus_xxxxxxx"
  }
]'`

const checkoutByCurl = `curl  -X POST \\
  'https://openmeter.cloud/api/v1/stripe/checkout/sessions' \\
  --header 'Authorization: Bearer my-token' \\
  --header 'Content-Type: application/json' \\
  --data-raw '{
  "customer": {
    "name": "ACME, Inc.",
    "currency": "USD",
    "usageAttribution": { "subjectKeys": ["my-identifier"] }
  },
  "options": {
    "successUrl": "https://example.com/success"
  }
}'`

test('the example of the client sets the Stripe customer id', async () => {
  const openmeter = world.client
  await openmeter.customers.create({
    name: 'Mine',
    key: 'my-openmeter-customer-id',
    usageAttribution: { subjectKeys: ['mine'] },
  })
  const cus = await stripeCustomer()

  const linked = await openmeter.customers.apps.upsert('my-openmeter-customer-id', [
    {
      type: 'stripe',
      stripeCustomerId: cus,
    },
  ])

  expect(linked).toMatchObject([{ id: appId, type: 'stripe', stripeCustomerId: cus }])
  const link = answered(await openmeter.customers.stripe.get('my-openmeter-customer-id'))
  expect(link.stripeDefaultPaymentMethodId).toBeUndefined()
})

test('its commented lines work too: the app by id, and a payment method that becomes the default', async () => {
  const openmeter = world.client
  const cus = await stripeCustomer()
  const { id: pm } = await stripePost(world.installation.sandboxUrl, 'payment_methods/pm_card_visa/attach', {
    customer: cus,
  })
  const item = { type: 'stripe' as const, stripeCustomerId: cus, stripeDefaultPaymentMethodId: pm }
  const linked = await openmeter.customers.apps.upsert('my-openmeter-customer-id', [{ ...item, id: appId }])
  expect(linked).toMatchObject([{ id: appId, stripeDefaultPaymentMethodId: pm }])
  expect(await defaultMethodAtStripe(cus)).toBe(pm)

  // As the document spells it.
  const older = [{ ...item, appId }]
  expect(await openmeter.customers.apps.upsert('my-openmeter-customer-id', older)).toMatchObject([
    { id: appId, stripeDefaultPaymentMethodId: pm },
  ])
  const unknown = { ...item, appId: '01JDJM1WF8Y461YQ9F0EW4WHY2' }
  await expect(openmeter.customers.apps.upsert('my-openmeter-customer-id', [unknown])).rejects.toThrow(
    'There is no app 01JDJM1WF8Y461YQ9F0EW4WHY2.',
  )
})

test('the curl example sets the Stripe customer id', async () => {
  const customer = answered(
    await world.client.customers.create({ name: 'By curl', usageAttribution: { subjectKeys: ['by-curl'] } }),
  )
  const cus = await stripeCustomer()
  const { status, body } = await sendCurl({
    text: upsertByCurl,
    instead: {
      'https://dev.openmeter.cloud': world.installation.url,
      '01JDJM1WF8Y461YQ9F0EW4WHY2': customer.id,
      cus_xxxxxxx: cus,
    },
  })
  expect(status).toBe(200)
  expect(body).toMatchObject([{ type: 'stripe', stripeCustomerId: cus }])
})

const checkoutExample = {
  customer: {
    name: 'ACME, Inc.',
    // Optional: make lookup easier
    key: 'my-database-id',
    usageAttribution: {
      // The subject in the usage event
      subjectKeys: ['my-usage-event-subject'],
    },
  },
  options: {
    // Stripe will redirect to this URL after the checkout
    successURL: 'https://example.com/success',
    currency: 'USD',
  },
}

test('the example of the client opens a checkout, with every field of the documented answer', async () => {
  const openmeter = world.client
  const session = answered(await openmeter.apps.stripe.createCheckoutSession(checkoutExample))
  expect(session).toMatchObject({
    customerId: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/) as unknown,
    mode: 'setup',
    sessionId: expect.stringMatching(/^cs_test_/) as unknown,
    setupIntentId: expect.stringMatching(/^seti_/) as unknown,
    stripeCustomerId: expect.stringMatching(/^cus_/) as unknown,
    successURL: 'https://example.com/success',
    url: `${world.installation.sandboxUrl}/c/${session.sessionId}`,
  })

  const customer = answered(await openmeter.customers.get('my-database-id'))
  expect(customer.id).toBe(session.customerId)
  expect(customer.usageAttribution?.subjectKeys).toEqual(['my-usage-event-subject'])

  // "Create an OpenMeter Customer (or use an existing one)": here, and at Stripe.
  const again = answered(await openmeter.apps.stripe.createCheckoutSession(checkoutExample))
  expect([again.customerId, again.stripeCustomerId]).toEqual([session.customerId, session.stripeCustomerId])
  expect(again.sessionId).not.toBe(session.sessionId)

  const body = new URLSearchParams({ card: '4242424242424242' })
  const page = await fetch(answered(session.url), { method: 'POST', body, redirect: 'manual' })
  expect(page.headers.get('location')).toBe('https://example.com/success')
  const link = await waitFor(
    async () => answered(await openmeter.customers.stripe.get('my-database-id')),
    ({ stripeDefaultPaymentMethodId }) => stripeDefaultPaymentMethodId !== undefined,
  )
  expect(await defaultMethodAtStripe(session.stripeCustomerId)).toBe(link.stripeDefaultPaymentMethodId)
})

test('the curl example opens a checkout, run by curl itself', async () => {
  const command = withReplaced({
    text: checkoutByCurl,
    instead: { 'https://openmeter.cloud': world.installation.url },
  })
  const { stdout } = await promisify(execFile)('bash', ['-c', `${command} --silent --fail-with-body`]).catch(
    async (error: unknown) => {
      // Where there is no curl, its request is sent as it stands.
      if (!/not found/.test(String(error))) throw error
      const { body } = await sendCurl({ text: command, instead: {} })
      return { stdout: JSON.stringify(body) }
    },
  )
  const session = JSON.parse(stdout) as Record<string, string>
  expect(session).toMatchObject({ mode: 'setup', currency: 'USD', successURL: 'https://example.com/success' })
  const customer = answered(await world.client.customers.get(answered(session['customerId'])))
  expect(customer).toMatchObject({ name: 'ACME, Inc.', currency: 'USD' })
  expect(customer.usageAttribution?.subjectKeys).toEqual(['my-identifier'])
})

/** As konnect_api_request shows them: the address after the region's host, and the body. */
const konnectCheckout = `{
  "stripe_options": {
    "success_url": "https://example.com/success",
    "cancel_url": "https://example.com/cancel"
  },
  "customer": {
    "name": "ACME, Inc.",
    "currency": "USD",
    "usageAttribution": { "subjectKeys": ["subject-123"] }
  },
  "options": { "mode": "setup" }
}`
const konnectPortal = '{"stripe_options": {"returnURL": "https://your-app.com/portal"}}'

async function konnect(
  method: string,
  path: string,
  body?: string,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(world.installation.url + path, {
    method,
    headers: { authorization: 'Bearer $KONNECT_TOKEN', 'content-type': 'application/json' },
    ...(body !== undefined && { body }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

test.each([
  ['/v3', 'subject-123'],
  ['/api/v3', 'subject-124'],
])('the requests of the newer document work under %s', async (prefix, subject) => {
  const { client, installation } = world
  const customer = answered(await client.customers.create({ name: 'ACME', key: `acme-${subject}` }))
  const billing = `${prefix}/openmeter/customers/${customer.id}/billing`

  const checkout = await konnect(
    'POST',
    `${billing}/stripe/checkout-sessions`,
    konnectCheckout.replace('subject-123', subject),
  )
  expect(checkout.status).toBe(201)
  expect(checkout.body).toMatchObject({
    customer_id: customer.id,
    mode: 'setup',
    currency: 'USD',
    success_url: 'https://example.com/success',
    cancel_url: 'https://example.com/cancel',
    session_id: expect.stringMatching(/^cs_test_/) as unknown,
    setup_intent_id: expect.stringMatching(/^seti_/) as unknown,
    stripe_customer_id: expect.stringMatching(/^cus_/) as unknown,
    url: expect.stringContaining(installation.sandboxUrl) as unknown,
  })
  const filled = answered(await client.customers.get(customer.id))
  expect(filled).toMatchObject({ name: 'ACME', currency: 'USD' })
  expect(filled.usageAttribution?.subjectKeys).toEqual([`acme-${subject}`, subject])

  const portal = await konnect('POST', `${billing}/stripe/portal-sessions`, konnectPortal)
  expect(portal.status).toBe(201)
  expect(portal.body).toMatchObject({
    stripe_customer_id: checkout.body['stripe_customer_id'],
    return_url: 'https://your-app.com/portal',
    url: expect.stringContaining(`${installation.sandboxUrl}/p/`) as unknown,
  })

  const cus = await stripeCustomer()
  const stripe = { customer_id: cus, labels: { team: 'a' } }
  const put = await konnect('PUT', billing, JSON.stringify({ app_data: { stripe } }))
  expect(put.status).toBe(200)
  expect(put.body).toMatchObject({
    billing_profile: { id: expect.any(String) as unknown },
    app_data: { stripe },
  })
  expect((await konnect('GET', billing)).body).toEqual(put.body)
})

test('the portal opens for the client', async () => {
  const session = answered(
    await world.client.customers.stripe.createPortalSession('my-database-id', {
      returnUrl: 'https://your-app.com/portal',
    }),
  )
  expect(session).toMatchObject({ returnUrl: 'https://your-app.com/portal', livemode: false })
  const page = await fetch(session.url)
  expect(page.status).toBe(200)
})
