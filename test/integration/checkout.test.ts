import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertStripeEvent } from '../../src/db/stores/stripe-events.ts'
import { checkouts, options } from '../support/checkout.ts'
import type { Session } from '../support/checkout.ts'
import { holdRequest } from '../support/faults.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, onOwnClock, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripeGet, stripePost } from '../support/stripe-client.ts'

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

async function outcomeOf(eventId: string): Promise<string | null> {
  const row = await waitFor(
    async () =>
      await installation.database.db
        .selectFrom('stripeEvents')
        .select(['outcome', 'processedAt'])
        .where('eventId', '=', eventId)
        .executeTakeFirst(),
    (event) => event !== undefined && event.processedAt !== null,
  )
  return row?.outcome ?? null
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
  await at.complete(session.sessionId)
  const method = await at.linkedMethod('acme')
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

test('rule 30: a checkout that is told of twice, or late, does not undo what came after it', async () => {
  const session = await at.open({ customer: { name: 'Late', key: 'late' }, options })
  await at.complete(session.sessionId)
  const saved = await at.linkedMethod('late')
  const { id: newer } = await stripePost(
    installation.sandboxUrl,
    'payment_methods/pm_card_mastercard/attach',
    { customer: session.stripeCustomerId },
  )
  await installation.call('PUT', '/api/v1/customers/late/stripe', {
    stripeCustomerId: session.stripeCustomerId,
    stripeDefaultPaymentMethodId: newer,
  })
  const event = {
    id: 'evt_late',
    type: 'setup_intent.succeeded',
    objectId: session.setupIntentId,
    invoiceId: null,
    stripeInvoiceId: null,
    stripeCustomerId: session.stripeCustomerId,
    createdMs: Date.now() - 60_000,
  }
  await insertStripeEvent(installation.database.db, scenario.appId, event)
  expect(await outcomeOf('evt_late')).toBe('superseded')
  expect((await at.linkOf('late')).stripeDefaultPaymentMethodId).toBe(newer)

  // A person names none again: Stripe's default is charged, and what Checkout saved may become it.
  await insertStripeEvent(installation.database.db, scenario.appId, {
    ...event,
    id: 'evt_later',
    createdMs: Date.now() + 60_000,
  })
  expect(await outcomeOf('evt_later')).toBe('linked')
  expect((await at.linkOf('late')).stripeDefaultPaymentMethodId).toBe(saved)
})

test('of two checkouts that are told of at once the newer one counts', async () => {
  const { db } = installation.database
  const customer = { name: 'Twice', key: 'twice' }
  const older = await at.open({ customer, options })
  await at.complete(older.sessionId)
  const first = await at.linkedMethod('twice')
  const newer = await at.open({ customer, options })
  await at.complete(newer.sessionId)
  const second = await at.linkedMethod('twice', (method) => method !== first)
  const told = async (id: string, session: Session, ago: number): Promise<string> => {
    await insertStripeEvent(db, scenario.appId, {
      id,
      type: 'setup_intent.succeeded',
      objectId: session.setupIntentId,
      invoiceId: null,
      stripeInvoiceId: null,
      stripeCustomerId: session.stripeCustomerId,
      createdMs: Date.now() - ago,
    })
    return id
  }
  for (let round = 0; round < 5; round++) {
    const forgotten = { stripeDefaultPaymentMethodId: null, paymentMethodSetAt: null }
    const links = db.updateTable('customerApps').where('stripeCustomerId', '=', newer.stripeCustomerId)
    await links.set(forgotten).execute()
    const ids = await Promise.all([
      told(`evt_newer_${round}`, newer, 10_000),
      told(`evt_older_${round}`, older, 60_000),
    ])
    for (const id of ids) await outcomeOf(id)
    expect((await at.linkOf('twice')).stripeDefaultPaymentMethodId).toBe(second)
  }
})

test('rule 30: a checkout that is told of late leaves another Stripe customer that was linked meanwhile', async () => {
  const session = await at.open({ customer: { name: 'Relinked', key: 'relinked' }, options })
  await at.complete(session.sessionId)
  await at.linkedMethod('relinked')
  const other = await stripePost(installation.sandboxUrl, 'customers', { name: 'Other' })
  await installation.call('PUT', '/api/v1/customers/relinked/stripe', { stripeCustomerId: other.id })
  await insertStripeEvent(installation.database.db, scenario.appId, {
    id: 'evt_relinked',
    type: 'setup_intent.succeeded',
    objectId: session.setupIntentId,
    invoiceId: null,
    stripeInvoiceId: null,
    stripeCustomerId: session.stripeCustomerId,
    createdMs: Date.now() - 60_000,
  })
  expect(await outcomeOf('evt_relinked')).toBe('superseded')
  expect((await at.linkOf('relinked')).stripeCustomerId).toBe(other.id)
})

test('rule 30: a Stripe customer that is linked while a checkout is acted on stays', async () => {
  const session = await at.open({ customer: { name: 'Raced', key: 'raced' }, options })
  await at.complete(session.sessionId)
  await at.linkedMethod('raced')
  await waitFor(
    async () =>
      await installation.database.db
        .selectFrom('stripeEvents')
        .select('processedAt')
        .where((eb) =>
          eb.or([eb('sourceId', '=', session.sessionId), eb('sourceId', '=', session.setupIntentId)]),
        )
        .where('type', 'in', ['checkout.session.completed', 'setup_intent.succeeded'])
        .execute(),
    (told) => told.length === 2 && told.every(({ processedAt }) => processedAt !== null),
  )
  const other = await stripePost(installation.sandboxUrl, 'customers', { name: 'Winner' })
  const path = `/customers/${session.stripeCustomerId}$`
  const held = await holdRequest(installation.sandboxUrl, { kind: 'hold_after', method: 'GET', path })
  await insertStripeEvent(installation.database.db, scenario.appId, {
    id: 'evt_raced',
    type: 'setup_intent.succeeded',
    objectId: session.setupIntentId,
    invoiceId: null,
    stripeInvoiceId: null,
    stripeCustomerId: session.stripeCustomerId,
    createdMs: Date.now() - 60_000,
  })
  await held.arrived()
  await installation.call('PUT', '/api/v1/customers/raced/stripe', { stripeCustomerId: other.id })
  await held.letGo()
  expect(await outcomeOf('evt_raced')).toBe('superseded')
  expect((await at.linkOf('raced')).stripeCustomerId).toBe(other.id)
})

test('what a customer of a test clock saves is theirs, though the clock is ahead of Stripe', async () => {
  const clock = await installation.call<{ id: string }>('POST', '/api/v1/test-clocks', {
    name: 'ahead',
    frozenTime: '2040-01-01T00:00:00Z',
  })
  await installation.call('POST', '/api/v1/customers', {
    key: 'ahead',
    name: 'Ahead',
    testClockId: clock.id,
  })
  const there = await stripePost(installation.sandboxUrl, 'customers', { name: 'Not on a clock' })
  const { id: first } = await stripePost(installation.sandboxUrl, 'payment_methods/pm_card_visa/attach', {
    customer: there.id,
  })
  await installation.call('PUT', '/api/v1/customers/ahead/stripe', {
    stripeCustomerId: there.id,
    stripeDefaultPaymentMethodId: first,
  })
  const session = await at.open({ customer: { key: 'ahead' }, options })
  await at.complete(session.sessionId)
  await at.linkedMethod('ahead', (method) => method !== first)
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

test('a setup intent that we did not ask for is left alone', async () => {
  const customer = await addCustomer(installation, scenario, { key: 'foreign', card: null })
  const intent = await stripePost(installation.sandboxUrl, 'setup_intents', {
    customer: customer.stripeCustomerId,
    payment_method: 'pm_card_visa',
    confirm: 'true',
    'automatic_payment_methods[enabled]': 'true',
    'automatic_payment_methods[allow_redirects]': 'never',
  })
  const row = await waitFor(
    async () =>
      await installation.database.db
        .selectFrom('stripeEvents')
        .select('outcome')
        .where('sourceId', '=', intent.id)
        .where('type', '=', 'setup_intent.succeeded')
        .executeTakeFirst(),
    (event) => event?.outcome != null,
  )
  expect(row?.outcome).toBe('not_ours')
  expect((await at.linkOf(customer.id)).stripeDefaultPaymentMethodId).toBeUndefined()
})

test('another Stripe customer is linked only once it has a payment method', async () => {
  const customer = await addCustomer(installation, scenario, { key: 'moving' })
  const other = await stripePost(installation.sandboxUrl, 'customers', { name: 'Other' })
  const session = await at.open({ customer: { key: 'moving' }, stripeCustomerId: other.id, options })
  expect(session.stripeCustomerId).toBe(other.id)
  expect((await at.linkOf('moving')).stripeCustomerId).toBe(customer.stripeCustomerId)
  await at.complete(session.sessionId)
  await at.linkedMethod('moving')
  expect((await at.linkOf('moving')).stripeCustomerId).toBe(other.id)
})

test('a customer on a test clock gets its Stripe customer on the clock’s own', async () => {
  const own = await onOwnClock(installation, scenario)
  await addCustomer(installation, own, { key: 'on-clock-1' })
  const session = await at.open({
    customer: { name: 'On clock', key: 'on-clock-2', testClockId: own.clockId },
    options,
  })
  expect((await atStripe(session.stripeCustomerId)).test_clock).toBe(own.stripeClockId)
  await at.complete(session.sessionId)
  await at.linkedMethod('on-clock-2')
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
