import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertStripeEvent } from '../../src/db/stores/stripe-events.ts'
import { checkouts, options } from '../support/checkout.ts'
import type { Session } from '../support/checkout.ts'
import { holdRequest } from '../support/faults.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripePost } from '../support/stripe-client.ts'

/** What becomes of a payment method that was saved, whatever Stripe tells of it, and in whichever order. */
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

test('a payment method that is detached at Stripe is forgotten, and the subscription says so', async () => {
  const session = await at.open({ customer: { name: 'Detached', key: 'detached' }, options })
  const method = await at.save(session)
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerKey: 'detached',
    plan: { key: 'tokens_monthly' },
  })
  await stripePost(installation.sandboxUrl, `payment_methods/${method}/detach`)
  await waitFor(
    async () => await at.linkOf('detached'),
    (link) => link.stripeDefaultPaymentMethodId === undefined,
  )
  const notes = await installation.database.db
    .selectFrom('timeline')
    .select('kind')
    .where('subjectId', '=', id)
    .execute()
  expect(notes.map(({ kind }) => kind)).toContain('payment_method_detached')
})

test('a default that the customer chooses at Stripe, as in the portal, is charged from then on', async () => {
  const session = await at.open({ customer: { name: 'Chooses', key: 'chooses' }, options })
  const saved = await at.save(session)
  const { id: chosen } = await stripePost(
    installation.sandboxUrl,
    'payment_methods/pm_card_mastercard/attach',
    { customer: session.stripeCustomerId },
  )
  expect((await at.linkOf('chooses')).stripeDefaultPaymentMethodId).toBe(saved)
  await stripePost(installation.sandboxUrl, `customers/${session.stripeCustomerId}`, {
    'invoice_settings[default_payment_method]': chosen,
  })
  await waitFor(
    async () => await at.linkOf('chooses'),
    (link) => link.stripeDefaultPaymentMethodId === chosen,
  )
})

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

test('rule 30: a checkout that is told of twice, or late, does not undo what came after it', async () => {
  const session = await at.open({ customer: { name: 'Late', key: 'late' }, options })
  const saved = await at.save(session)
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
  const first = await at.save(older)
  const newer = await at.open({ customer, options })
  const second = await at.save(newer)
  expect(second).not.toBe(first)
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
  await at.save(session)
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
  await at.save(session)
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
  expect(await at.save(session)).not.toBe(first)
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
  await at.save(session)
  expect((await at.linkOf('moving')).stripeCustomerId).toBe(other.id)
})
