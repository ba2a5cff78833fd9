import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ulid } from 'ulid'
import { classifyStripeError } from '../../src/stripe/failures.ts'
import { customerWith } from '../stripe/world.ts'
import { contractTargets } from './target.ts'
import type { ContractTarget } from './target.ts'

const HOUR_MS = 3_600_000

describe.each(contractTargets())('what accounts and customers take for granted of $name', ({ start }) => {
  let target: ContractTarget
  beforeAll(async () => {
    target = await start()
  })
  afterAll(() => target.close())

  test('a key tells its account and its mode', async () => {
    const inspected = await target.gateway.inspectKey(target.key)
    expect(inspected).toMatchObject({
      livemode: false,
      kind: target.key.startsWith('rk_') ? 'restricted' : 'secret',
    })
    expect(inspected.accountId).toMatch(/^acct_/)
    expect(inspected.keyMask).not.toContain(target.key)
  })

  test('a key that does not exist is refused', async () => {
    const wrong = `sk_test_${'0'.repeat(24)}`
    await target.forget(wrong)
    await expect(target.gateway.inspectKey(wrong)).rejects.toMatchObject({ code: 'stripe_key_unauthorized' })
  })

  test('a customer that was deleted is answered for as deleted, one that never was is not found', async () => {
    const customer = await customerWith(target, { card: null })
    await target.stripe.customers.del(customer)
    expect(await target.gateway.getCustomer(target.app, customer)).toMatchObject({ deleted: true })
    await expect(target.gateway.getCustomer(target.app, 'cus_never')).rejects.toMatchObject({
      code: 'stripe_customer_not_found',
    })
  })

  test('a card that declines at once is not attached', async () => {
    const stripeCustomerId = await customerWith(target, { card: null })
    const refusal = await target.gateway
      .attachPaymentMethod(target.app, { stripeCustomerId, paymentMethodId: 'pm_card_visa_chargeDeclined' })
      .catch(classifyStripeError)
    expect(refusal).toMatchObject({ kind: 'outcome', code: 'card_declined' })
  })

  test('Checkout in setup mode needs no list of methods, and has its setup intent and its address at once', async () => {
    const customer = await customerWith(target, { card: null })
    const session = await target.stripe.checkout.sessions.create({
      mode: 'setup',
      currency: 'usd',
      customer,
      success_url: 'https://example.com/success',
      cancel_url: 'https://example.com/cancel',
      metadata: { perennial_customer_id: 'c' },
      setup_intent_data: { metadata: { perennial_customer_id: 'c' } },
    })
    expect(session).toMatchObject({ mode: 'setup', status: 'open', customer, client_secret: null })
    expect(session.url).toMatch(/^https?:/)
    const intent = await target.stripe.setupIntents.retrieve(session.setup_intent as string)
    expect(intent.metadata).toMatchObject({ perennial_customer_id: 'c' })
    await target.stripe.checkout.sessions.expire(session.id)
  })

  test('the portal is configured once and opens for a customer', async () => {
    const customer = await customerWith(target, { card: null })
    const configuration = await target.stripe.billingPortal.configurations.create({
      features: {
        payment_method_update: { enabled: true },
        invoice_history: { enabled: true },
        customer_update: { enabled: true, allowed_updates: ['address', 'tax_id'] },
      },
      business_profile: {
        privacy_policy_url: 'https://example.com/privacy',
        terms_of_service_url: 'https://example.com/terms',
      },
    })
    const session = await target.stripe.billingPortal.sessions.create({
      customer,
      configuration: configuration.id,
      return_url: 'https://example.com/portal',
    })
    expect(session.url).toMatch(/^https?:/)
  })

  test('a webhook endpoint tells its secret once, and is found, checked and deleted', async () => {
    const appId = ulid()
    const request = { appId, url: `https://example.com/webhook/${appId}` }
    const { endpointId, secret } = await target.gateway.createWebhookEndpoint(target.key, request)
    expect(secret).toMatch(/^whsec_/)
    const app = { ...target.app, id: appId, webhookEndpointId: endpointId }
    const sealed = target.gateway.encryptSecret(target.key, { appId, field: 'api_key' })
    const stored = { ...app, apiKeyEncrypted: sealed }
    expect(await target.gateway.checkWebhookEndpoint(stored)).toMatchObject({
      exists: true,
      enabled: true,
      url: request.url,
      missingEvents: [],
      spareEvents: [],
    })
    await target.gateway.deleteWebhookEndpoint(stored)
    await target.gateway.deleteWebhookEndpoint(stored)
    expect(await target.gateway.checkWebhookEndpoint(stored)).toMatchObject({ exists: false })
  })

  test('rule 30: what happened is in the list of events, oldest first after a cursor', async () => {
    const before = await target.gateway.newestEventId(target.app)
    const customer = await customerWith(target)
    await expect
      .poll(
        async () => {
          const { events } = await target.gateway.listEvents(target.app, { cursor: before })
          return events.filter((event) => event.stripeCustomerId === customer).map((event) => event.type)
        },
        { timeout: 30_000 },
      )
      .toContain('payment_method.attached')
  })

  test('a test clock advances and is ready', async () => {
    const frozenTimeMs = Math.floor(Date.now() / 1000) * 1000
    const clock = await target.gateway.createTestClock(target.app, { name: 'contract', frozenTimeMs })
    const toMs = frozenTimeMs + 24 * HOUR_MS
    const moved = await target.gateway.advanceTestClock(target.app, { testClockId: clock.id, toMs })
    expect(moved).toMatchObject({ status: 'ready', frozenTimeMs: toMs })
    await target.stripe.testHelpers.testClocks.del(clock.id)
  })
})
