import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkouts, options } from '../support/checkout.ts'
import type { Session } from '../support/checkout.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, onOwnClock, startScenario } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripeGet } from '../support/stripe-client.ts'

interface StripeCustomer {
  readonly id: string
  readonly email: string | null
  readonly name: string | null
  readonly test_clock: string | null
  readonly address: { readonly country: string; readonly postal_code: string } | null
  readonly invoice_settings: { readonly default_payment_method: string | null }
}

let installation: Installation
let scenario: Scenario
let at: ReturnType<typeof checkouts>
beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
  await addTokenPlan(installation)
  at = checkouts(installation)
})
afterAll(() => installation.close())

/** The status and the problem of a request that is refused. */
async function refused(body: object): Promise<{ status: number; code: string; field?: string }> {
  const response = await fetch(`${installation.url}/api/v1/stripe/checkout/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const problem = (await response.json()) as { status: number; code: string; field?: string }
  return { status: response.status, code: problem.code, ...(problem.field && { field: problem.field }) }
}

const atStripe = async (id: string): Promise<StripeCustomer> =>
  await stripeGet<StripeCustomer>(installation.sandboxUrl, `customers/${id}`)

/** What Stripe was asked, since. */
async function requests(
  path: string,
  after = 0,
): Promise<readonly { readonly sequence: number; readonly params: Record<string, unknown> }[]> {
  const query = new URLSearchParams({ path, method: 'POST', after: String(after) })
  const response = await fetch(`${installation.sandboxUrl}/_sandbox/requests?${query.toString()}`)
  return ((await response.json()) as { requests: { sequence: number; params: Record<string, unknown> }[] })
    .requests
}

test('a checkout makes the customer here and at Stripe, and its card becomes their default', async () => {
  const session = await at.open({
    customer: {
      name: 'ACME, Inc.',
      key: 'acme',
      primaryEmail: 'pay@acme.test',
      billingAddress: { country: 'DE', postalCode: '10115', city: 'Berlin' },
      usageAttribution: { subjectKeys: ['acme-app'] },
    },
    options: { ...options, clientReferenceID: 'cart-1', metadata: { source: 'test' } },
  })
  expect(session).toMatchObject({
    mode: 'setup',
    currency: 'USD',
    successURL: options.successURL,
    clientReferenceId: 'cart-1',
    customerEmail: 'pay@acme.test',
    status: 'open',
    metadata: { source: 'test' },
  })
  expect(await atStripe(session.stripeCustomerId)).toMatchObject({
    name: 'ACME, Inc.',
    email: 'pay@acme.test',
    address: { country: 'DE', postal_code: '10115' },
  })
  const method = await at.save(session)
  expect((await at.linkOf('acme')).stripeCustomerId).toBe(session.stripeCustomerId)
  const there = await atStripe(session.stripeCustomerId)
  expect(there.invoice_settings.default_payment_method).toBe(method)
})

test('an existing customer is used by id and by key, and given what it lacks', async () => {
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/customers', {
    name: 'Existing',
    key: 'existing',
  })
  const byId = await at.open({ customer: { id }, options })
  const byKey = await at.open({ customer: { key: 'existing' }, options })
  const named = { name: 'Another name', key: 'existing', currency: 'EUR', primaryEmail: 'late@example.com' }
  const filled = await at.open({
    customer: { ...named, usageAttribution: { subjectKeys: ['more'] } },
    options: { successURL: options.successURL },
  })
  expect([byKey.customerId, filled.customerId]).toEqual([byId.customerId, byId.customerId])
  expect([byKey.stripeCustomerId, filled.stripeCustomerId]).toEqual([
    byId.stripeCustomerId,
    byId.stripeCustomerId,
  ])
  expect(filled.currency).toBe('EUR')
  expect(await installation.call('GET', `/api/v1/customers/${id}`)).toMatchObject({
    name: 'Existing',
    currency: 'EUR',
    primaryEmail: 'late@example.com',
    usageAttribution: { subjectKeys: ['existing', 'more'] },
  })
  expect((await atStripe(byId.stripeCustomerId)).email).toBe('late@example.com')
})

test('every option reaches Stripe under the name it has there today', async () => {
  const before = (await requests('checkout/sessions$')).at(-1)?.sequence ?? 0
  await at.open({
    customer: { key: 'acme' },
    options: {
      billingAddressCollection: 'required',
      cancelURL: 'https://example.com/cancel',
      clientReferenceID: 'ref',
      consentCollection: {
        paymentMethodReuseAgreement: { position: 'hidden' },
        promotions: 'auto',
        termsOfService: 'required',
      },
      currency: 'eur',
      customText: { afterSubmit: { message: 'after' }, submit: { message: 'now' } },
      expiresAt: Math.floor(Date.now() / 1000) + 3600,
      locale: 'de',
      metadata: { a: 'b' },
      successURL: options.successURL,
      uiMode: 'hosted',
      paymentMethodTypes: ['card', 'sepa_debit'],
      taxIdCollection: { enabled: true, required: 'if_supported' },
    },
  })
  const [sent] = await requests('checkout/sessions$', before)
  expect(sent?.params).toMatchObject({
    mode: 'setup',
    ui_mode: 'hosted_page',
    currency: 'eur',
    billing_address_collection: 'required',
    tax_id_collection: { enabled: 'true', required: 'if_supported' },
    // Implied: what is collected for the tax is kept where the tax is computed from.
    customer_update: { address: 'auto', name: 'auto' },
    consent_collection: {
      payment_method_reuse_agreement: { position: 'hidden' },
      promotions: 'auto',
      terms_of_service: 'required',
    },
    custom_text: { after_submit: { message: 'after' }, submit: { message: 'now' } },
    allowed_payment_method_types: ['card', 'sepa_debit'],
    locale: 'de',
    cancel_url: 'https://example.com/cancel',
    client_reference_id: 'ref',
    metadata: { a: 'b' },
  })
  expect(Object.keys(sent?.params ?? {})).not.toContain('payment_method_types')
})

test('a page within the caller’s own has a client secret and no address', async () => {
  const returnURL = 'https://example.com/return'
  for (const uiMode of ['embedded', 'custom']) {
    const session = await at.open({
      customer: { key: 'acme' },
      options: { currency: 'USD', uiMode, returnURL },
    })
    expect(session).toMatchObject({ returnURL, clientSecret: expect.stringContaining('_secret_') as unknown })
    expect(session.url).toBeUndefined()
  }
})

test('what cannot be opened is refused before anything is made', async () => {
  const customer = { name: 'Never made', key: 'never-made' }
  const embedded = { currency: 'USD', uiMode: 'embedded' }
  expect(await refused({ customer, options: { currency: 'USD' } })).toEqual({
    status: 400,
    code: 'validation_failed',
    field: 'options.successURL',
  })
  expect(await refused({ customer, options: { successURL: 'https://a.test' } })).toMatchObject({
    field: 'options.currency',
  })
  expect(await refused({ customer, options: { ...embedded } })).toMatchObject({ field: 'options.returnURL' })
  expect(await refused({ customer, options: { ...embedded, successURL: 'https://a.test' } })).toMatchObject({
    field: 'options.successURL',
  })
  expect(await refused({ customer, options: { ...options, currency: 'XXQ' } })).toMatchObject({
    code: 'unknown_currency',
  })
  expect(await refused({ customer, stripeCustomerId: 'cus_nobody', options })).toMatchObject({
    code: 'stripe_customer_not_found',
  })
  expect(await refused({ customer: { key: 'nobody' }, options })).toMatchObject({
    code: 'not_found',
    field: 'customer.key',
  })
  expect(await refused({ customer: {}, options })).toMatchObject({ field: 'customer' })
  expect(await refused({ customer: { key: 'never-made' }, options })).toMatchObject({ code: 'not_found' })
})

test.each([
  ['Stripe failed before it began', 'error_before', 1],
  ['Stripe failed after it was done', 'error_after', 1],
] as const)('rule 31: %s: the repeated request makes nothing twice', async (_what, kind, times) => {
  const name = `Once ${kind}`
  const customer = { name, usageAttribution: { subjectKeys: [name] } }
  const send = async (): Promise<Response> =>
    await fetch(`${installation.url}/api/v1/stripe/checkout/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': `checkout-${kind}` },
      body: JSON.stringify({ customer, options }),
    })
  const fault = { kind, method: 'POST', path: 'checkout/sessions$', times }
  await fetch(`${installation.sandboxUrl}/_sandbox/faults`, { method: 'POST', body: JSON.stringify(fault) })
  const first = await send()
  expect(first.status).toBeGreaterThanOrEqual(500)
  await fetch(`${installation.sandboxUrl}/_sandbox/faults`, { method: 'DELETE' })

  const second = (await (await send()).json()) as Session
  const third = (await (await send()).json()) as Session
  expect(third).toEqual(second)
  const query = new URLSearchParams({ name })
  const { items } = await installation.call<{ items: unknown[] }>(
    'GET',
    `/api/v1/customers?${query.toString()}`,
  )
  expect(items).toHaveLength(1)
  const dump = (await (await fetch(`${installation.sandboxUrl}/_sandbox/dump`)).json()) as {
    sessions: { customer: string }[]
    customers: { name: string | null }[]
  }
  expect(dump.customers.filter((there) => there.name === name)).toHaveLength(1)
  expect(dump.sessions.filter((session) => session.customer === second.stripeCustomerId)).toHaveLength(1)
})

test('a key that is used again for another request makes another customer', async () => {
  const send = async (name: string): Promise<Session> => {
    const response = await fetch(`${installation.url}/api/v1/stripe/checkout/sessions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'checkout-reused' },
      body: JSON.stringify({ customer: { name, usageAttribution: { subjectKeys: [name] } }, options }),
    })
    expect(response.status).toBe(201)
    return (await response.json()) as Session
  }
  const first = await send('First of the key')
  // It is forgotten after a day, and may be used for something else.
  await installation.database.db.deleteFrom('idempotencyKeys').where('key', '=', 'checkout-reused').execute()
  const second = await send('Second of the key')
  expect(second.customerId).not.toBe(first.customerId)
  expect(second.sessionId).not.toBe(first.sessionId)
})

test('a customer on a test clock gets its Stripe customer on the clock’s own', async () => {
  const own = await onOwnClock(installation, scenario)
  await addCustomer(installation, own, { key: 'on-clock-1' })
  const session = await at.open({
    customer: { name: 'On clock', key: 'on-clock-2', testClockId: own.clockId },
    options,
  })
  expect((await atStripe(session.stripeCustomerId)).test_clock).toBe(own.stripeClockId)
  expect(await at.save(session)).toMatch(/^pm_/)
})

test('a customer whose Stripe customer was deleted gets another', async () => {
  const session = await at.open({ customer: { name: 'Gone', key: 'gone' }, options })
  await fetch(`${installation.sandboxUrl}/v1/customers/${session.stripeCustomerId}`, {
    method: 'DELETE',
    headers: { authorization: 'Bearer sk_test_sandbox' },
  })
  const again = await at.open({ customer: { key: 'gone' }, options })
  expect(again.stripeCustomerId).not.toBe(session.stripeCustomerId)
  expect((await at.linkOf('gone')).stripeCustomerId).toBe(again.stripeCustomerId)
})

test('the newer shape is refused in its own words', async () => {
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/customers', {
    key: 'newer-words',
    name: 'Newer words',
  })
  const refusal = async (body: object): Promise<unknown> => {
    const path = `/v3/openmeter/customers/${id}/billing/stripe/checkout-sessions`
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(installation.url + path, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    })
    return await response.json()
  }
  expect(await refusal({ stripe_options: {} })).toMatchObject({
    field: 'stripe_options.success_url',
    detail: 'stripe_options.success_url must be given: the customer is sent there.',
  })
  expect(await refusal({ stripe_options: { ui_mode: 'embedded' } })).toMatchObject({
    field: 'stripe_options.return_url',
    detail: 'stripe_options.return_url must be given unless redirect_on_completion is "never".',
  })
  const options = { successURL: 'https://a.test', currency: 'XXQ' }
  expect(await refusal({ stripe_options: options })).toMatchObject({ field: 'stripe_options.currency' })
  expect(await refusal({ options })).toMatchObject({ field: 'options.currency' })
})
