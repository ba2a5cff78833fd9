// Sets up everything that the example bills by, over the public HTTP API, and prints the id of its test clock.
import { readFileSync } from 'node:fs'

const CUSTOMERS = ['conversation', 'code']
const FROZEN_TIME = '2023-11-01T00:00:00Z'
const apiUrl = process.env.PERENNIAL_URL ?? 'http://127.0.0.1:8888'
const apiKey = process.env.PERENNIAL_API_KEY
const stripeUrl = process.env.STRIPE_API_BASE ?? 'http://127.0.0.1:12111'
const stripeKey = process.env.STRIPE_API_KEY ?? 'sk_test_sandbox'

async function send(url, options) {
  const response = await fetch(url, options)
  const text = await response.text()
  if (!response.ok) throw new Error(`${options.method} ${url} answered ${response.status}: ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

const call = async (method, path, body) =>
  await send(apiUrl + path, {
    method,
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(apiKey && { authorization: `Bearer ${apiKey}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
  })

const stripe = async (path, form = {}) =>
  await send(`${stripeUrl}/v1/${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stripeKey}` },
    body: new URLSearchParams(form),
  })

// What is sold: edit catalog.json for a catalog of your own.
const { meter, features, plan } = JSON.parse(readFileSync(new URL('catalog.json', import.meta.url), 'utf8'))
await call('POST', '/api/v1/meters', meter)
for (const feature of features) await call('POST', '/api/v1/features', feature)
const { id: planId } = await call('POST', '/api/v1/plans', plan)
await call('POST', `/api/v1/plans/${planId}/publish`)

// Who collects, and on whose behalf.
const { app } = await call('POST', '/api/v1/marketplace/listings/stripe/install/apikey', {
  apiKey: stripeKey,
  name: 'Stripe',
  createBillingProfile: false,
})
await call('POST', '/api/v1/billing/profiles', {
  name: 'Cards',
  default: true,
  supplier: { name: 'Example AI Inc.', addresses: [{ country: 'US' }] },
  workflow: { payment: { collectionMethod: 'charge_automatically' } },
  apps: { tax: app.id, invoicing: app.id, payment: app.id },
})

// The traces are of November 2023, so the customers live on a test clock that stands at its beginning, here and at Stripe.
const clock = await call('POST', '/api/v1/test-clocks', { name: 'llm-tokens', frozenTime: FROZEN_TIME })
const stripeClock = await stripe('test_helpers/test_clocks', {
  frozen_time: `${Date.parse(FROZEN_TIME) / 1000}`,
})
for (const key of CUSTOMERS) {
  const there = await stripe('customers', { name: key, test_clock: stripeClock.id })
  const card = await stripe('payment_methods/pm_card_visa/attach', { customer: there.id })
  await stripe(`customers/${there.id}`, { 'invoice_settings[default_payment_method]': card.id })
  const customer = await call('POST', '/api/v1/customers', {
    key,
    name: key,
    currency: plan.currency,
    timezone: 'UTC',
    testClockId: clock.id,
    usageAttribution: { subjectKeys: [key] },
  })
  await call('PUT', `/api/v1/customers/${customer.id}/apps`, [
    { type: 'stripe', id: app.id, stripeCustomerId: there.id },
  ])
  await call('POST', '/api/v1/subscriptions', { customerId: customer.id, plan: { key: plan.key } })
}
process.stdout.write(`${clock.id}\n`)
