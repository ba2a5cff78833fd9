import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findCustomerLink } from '../../src/db/stores/customer-links.ts'
import { upsertCustomerLink } from '../../src/db/stores/apps.ts'
import { linkCustomer } from '../../src/api/actions/customer-links.ts'
import type { ApiDeps } from '../../src/api/deps.ts'
import { insertStripeEvent } from '../../src/db/stores/stripe-events.ts'
import { deliverInbox } from '../../src/relay/inbox.ts'
import { pollEvents } from '../../src/relay/poll-events.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import { metadataKeys } from '../../src/stripe/metadata.ts'
import { waitFor } from '../support/scenario.ts'
import { steerSandbox, stripeGet, stripePost } from '../support/stripe-client.ts'
import { startAccount } from './support.ts'
import type { Account } from './support.ts'

/** A customer saves one card and then another, and Stripe is slow or away about the first. */
let database: Account['database']
let sandbox: Account['sandbox']
let stripe: Account['stripe']
let appId: string
let close: Account['close']
beforeAll(async () => {
  ;({ database, sandbox, stripe, appId, close } = await startAccount())
  await database.db.updateTable('apps').set({ livemode: false }).execute()
})
afterAll(async () => await close())

interface Saved {
  readonly setupIntentId: string
  readonly paymentMethodId: string
}

interface Saver {
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly older: Saved
  readonly newer: Saved
}

/** Nothing of this was told of yet. */
async function savesTwo(): Promise<Saver> {
  const customerId = ulid()
  await database.db.insertInto('customers').values({ id: customerId, key: customerId, name: 'Ada' }).execute()
  const { id: stripeCustomerId } = await stripePost(sandbox.url, 'customers', { name: 'Ada' })
  const save = async (card: string): Promise<Saved> => {
    const { id } = await stripePost(sandbox.url, 'setup_intents', {
      customer: stripeCustomerId,
      payment_method: card,
      confirm: 'true',
      'automatic_payment_methods[enabled]': 'true',
      'automatic_payment_methods[allow_redirects]': 'never',
      [`metadata[${metadataKeys.customer}]`]: customerId,
      [`metadata[${metadataKeys.app}]`]: appId,
    })
    const intent = await stripeGet<{ payment_method: string }>(sandbox.url, `setup_intents/${id}`)
    return { setupIntentId: id, paymentMethodId: intent.payment_method }
  }
  const older = await save('pm_card_visa')
  const newer = await save('pm_card_mastercard')
  const app = await database.db.selectFrom('apps').selectAll().executeTakeFirstOrThrow()
  const eventsCursor = await stripe.newestEventId(app)
  await database.db.updateTable('apps').set({ eventsCursor }).execute()
  return { customerId, stripeCustomerId, older, newer }
}

async function tell(id: string, saver: Saver, which: 'older' | 'newer'): Promise<void> {
  await insertStripeEvent(database.db, appId, {
    id,
    type: 'setup_intent.succeeded',
    objectId: saver[which].setupIntentId,
    invoiceId: null,
    stripeInvoiceId: null,
    stripeCustomerId: saver.stripeCustomerId,
    createdMs: Date.now() - (which === 'older' ? 60_000 : 10_000),
  })
}

/** Everything that waits, once. */
async function deliver(gateway = stripe): Promise<void> {
  const { db } = database
  await db
    .updateTable('stripeEvents')
    .set({ nextAttemptAt: sql`now()` })
    .execute()
  await deliverInbox({ db, temporal: {} as never, stripe: gateway, newId: ulid, log: { warn: () => {} } })
}

const eventOf = async (eventId: string) =>
  await database.db
    .selectFrom('stripeEvents')
    .selectAll()
    .where('eventId', '=', eventId)
    .executeTakeFirstOrThrow()

/** Until all that Stripe tells of is done. */
async function deliverAll(): Promise<void> {
  const { db } = database
  await waitFor(
    async () => {
      await pollEvents({ db, stripe, log: { warn: () => {} } })
      await deliver()
      return await db.selectFrom('stripeEvents').select('type').where('processedAt', 'is', null).execute()
    },
    (waiting) => waiting.length === 0,
  )
}

async function named({ customerId, stripeCustomerId }: Saver) {
  const link = await findCustomerLink(database.db, customerId, appId)
  const there = await stripeGet<{ invoice_settings: { default_payment_method: string | null } }>(
    sandbox.url,
    `customers/${stripeCustomerId}`,
  )
  return {
    here: link?.stripeDefaultPaymentMethodId,
    atStripe: there.invoice_settings.default_payment_method,
  }
}

async function link({ customerId, stripeCustomerId }: Saver, paymentMethodId: string): Promise<void> {
  const now = new Date()
  await upsertCustomerLink(
    database.db,
    {
      customerId,
      appId,
      stripeCustomerId,
      stripeDefaultPaymentMethodId: paymentMethodId,
      stripeTestClockId: null,
      paymentMethodSetAt: now,
    },
    now,
  )
}

test('the newer of two cards counts, though the call for the older one lands after it was told of', async () => {
  const saver = await savesTwo()
  let land = (): void => {}
  const held = new Promise<void>((resolve) => (land = resolve))
  let landed: ReturnType<StripeGateway['setDefaultPaymentMethod']> | undefined
  const setDefaultPaymentMethod: StripeGateway['setDefaultPaymentMethod'] = async (app, request) => {
    landed = held.then(async () => await stripe.setDefaultPaymentMethod(app, request))
    return await landed
  }
  await tell('evt_older', saver, 'older')
  await deliver({ ...stripe, setDefaultPaymentMethod })
  expect(await eventOf('evt_older')).toMatchObject({ processedAt: null, attempts: 1 })
  await tell('evt_newer', saver, 'newer')
  await deliver()
  land()
  await landed
  await deliverAll()
  const { paymentMethodId } = saver.newer
  expect(await named(saver)).toEqual({ here: paymentMethodId, atStripe: paymentMethodId })
})

test('what a call for the older card did at Stripe after all is put right', async () => {
  const saver = await savesTwo()
  await stripePost(sandbox.url, `customers/${saver.stripeCustomerId}`, {
    'invoice_settings[default_payment_method]': saver.older.paymentMethodId,
  })
  const { paymentMethodId } = saver.newer
  await link(saver, paymentMethodId)
  await tell('evt_again', saver, 'older')
  await deliver()
  expect(await eventOf('evt_again')).toMatchObject({ outcome: 'superseded' })
  expect(await named(saver)).toEqual({ here: paymentMethodId, atStripe: paymentMethodId })
})

test('a call whose outcome is not known keeps others away until it must have landed', async () => {
  const saver = await savesTwo()
  await steerSandbox(sandbox.url, {
    method: 'POST',
    path: '/faults',
    body: { kind: 'error_before', method: 'POST', path: `/customers/${saver.stripeCustomerId}$` },
  })
  await tell('evt_unknown', saver, 'older')
  await deliver()
  await deliver()
  expect(await eventOf('evt_unknown')).toMatchObject({
    processedAt: null,
    lastError: 'what this Stripe customer is charged is being changed',
  })
  const { stripeCustomerId } = saver
  const turns = database.db.selectFrom('stripeCustomerTurns').select('stripeCustomerId')
  expect(await turns.execute()).toEqual([{ stripeCustomerId }])
  await database.db
    .updateTable('stripeCustomerTurns')
    .set({ heldUntil: sql`now() - interval '1 second'` })
    .execute()
  await deliver()
  expect(await eventOf('evt_unknown')).toMatchObject({ outcome: 'linked' })
  expect((await named(saver)).here).toBe(saver.older.paymentMethodId)
  expect(await turns.execute()).toEqual([])
})

/** The call of the API that names a payment method of the customer. */
async function name({ customerId, stripeCustomerId }: Saver, saved: Saved, more: Partial<ApiDeps> = {}) {
  const deps = { db: database.db, stripe, newId: ulid, now: () => new Date(), ...more } as unknown as ApiDeps
  const named = { stripeCustomerId, stripeDefaultPaymentMethodId: saved.paymentMethodId }
  return await linkCustomer(deps, { id: customerId, primaryEmail: null }, [
    { type: 'stripe', id: appId, ...named },
  ])
}

/** A gateway whose call for the default lands when it is let. */
function heldAt() {
  let tell = (): void => {}
  const called = new Promise<void>((resolve) => (tell = resolve))
  let land = (): void => {}
  const held = new Promise<void>((resolve) => (land = resolve))
  const setDefaultPaymentMethod: StripeGateway['setDefaultPaymentMethod'] = async (app, request) => {
    tell()
    await held
    return await stripe.setDefaultPaymentMethod(app, request)
  }
  return { stripe: { ...stripe, setDefaultPaymentMethod }, called, land }
}

test('what is named by a request is not undone by what Stripe told of before it heard of it', async () => {
  const saver = await savesTwo()
  await stripePost(sandbox.url, `customers/${saver.stripeCustomerId}`, {
    'invoice_settings[default_payment_method]': saver.older.paymentMethodId,
  })
  const { called, land, ...held } = heldAt()
  const request = name(saver, saver.newer, held)
  await called
  await insertStripeEvent(database.db, appId, {
    id: 'evt_customer',
    type: 'customer.updated',
    objectId: saver.stripeCustomerId,
    invoiceId: null,
    stripeInvoiceId: null,
    stripeCustomerId: saver.stripeCustomerId,
    createdMs: Date.now(),
  })
  await deliver()
  const { paymentMethodId } = saver.newer
  expect((await named(saver)).here).toBe(paymentMethodId)
  land()
  await request
  await deliverAll()
  expect(await named(saver)).toEqual({ here: paymentMethodId, atStripe: paymentMethodId })
})

test('a card that is attached again and named while its detachment is looked at is kept', async () => {
  const saver = await savesTwo()
  const { paymentMethodId } = saver.newer
  await link(saver, paymentMethodId)
  await stripePost(sandbox.url, `payment_methods/${paymentMethodId}/detach`)
  await pollEvents({ db: database.db, stripe, log: { warn: () => {} } })
  let tell = (): void => {}
  const looked = new Promise<void>((resolve) => (tell = resolve))
  let answer = (): void => {}
  const held = new Promise<void>((resolve) => (answer = resolve))
  const getPaymentMethod: StripeGateway['getPaymentMethod'] = async (app, id) => {
    const seen = await stripe.getPaymentMethod(app, id)
    tell()
    await held
    return seen
  }
  const delivered = deliver({ ...stripe, getPaymentMethod })
  await looked
  let tries = 0
  const request = name(saver, saver.newer, { newId: () => `${(tries += 1)}` })
  const waits = waitFor(
    async () => tries,
    (count) => count > 1,
  )
  await Promise.race([request, waits])
  answer()
  await Promise.all([delivered, request])
  await deliverAll()
  expect(await named(saver)).toEqual({ here: paymentMethodId, atStripe: paymentMethodId })
})

test('of two requests at one time the one that is stored last is the one that Stripe has', async () => {
  const saver = await savesTwo()
  const { called, land, ...held } = heldAt()
  const older = name(saver, saver.older, held)
  await called
  let tries = 0
  const newer = name(saver, saver.newer, { newId: () => `${(tries += 1)}` })
  const state = async (): Promise<string> => (tries > 1 ? 'waits for its turn' : 'under way')
  const done = newer.then(() => 'done')
  const waits = waitFor(state, (now) => now !== 'under way')
  expect(await Promise.race([done, waits])).toBe('waits for its turn')
  land()
  await Promise.all([older, newer])
  const { paymentMethodId } = saver.newer
  expect(await named(saver)).toEqual({ here: paymentMethodId, atStripe: paymentMethodId })
})

test('a request whose turn does not come is refused, and changes nothing', async () => {
  const saver = await savesTwo()
  await link(saver, saver.older.paymentMethodId)
  const { stripeCustomerId } = saver
  const heldUntil = sql<Date>`now() + interval '1 hour'`
  await database.db
    .insertInto('stripeCustomerTurns')
    .values({ appId, stripeCustomerId, holder: 'somebody', heldUntil })
    .execute()
  await expect(name(saver, saver.newer)).rejects.toMatchObject({ code: 'stripe_customer_busy' })
  expect((await named(saver)).here).toBe(saver.older.paymentMethodId)
  await database.db.deleteFrom('stripeCustomerTurns').execute()
})

test('a request that names cards at two accounts is refused as a whole where the turn of one does not come', async () => {
  const saver = await savesTwo()
  const { db } = database
  const other = ulid()
  const installed = { name: 'Another', stripeAccountId: 'acct_2', livemode: false, type: 'stripe' }
  const apiKeyEncrypted = stripe.encryptSecret('sk_test_sandbox', { appId: other, field: 'api_key' })
  await db
    .insertInto('apps')
    .values({ ...installed, id: other, apiKeyEncrypted })
    .execute()
  const { stripeCustomerId } = saver
  const heldUntil = sql<Date>`now() + interval '1 hour'`
  const held = { appId: other, stripeCustomerId, holder: 'somebody', heldUntil }
  await db.insertInto('stripeCustomerTurns').values(held).execute()
  const named = { stripeCustomerId, stripeDefaultPaymentMethodId: saver.newer.paymentMethodId }
  const deps = { db, stripe, newId: ulid, now: () => new Date() } as unknown as ApiDeps
  const customer = { id: saver.customerId, primaryEmail: null }
  const items = [appId, other].map((id) => ({ type: 'stripe' as const, id, ...named }))
  await expect(linkCustomer(deps, customer, items)).rejects.toMatchObject({ code: 'stripe_customer_busy' })
  expect(await findCustomerLink(db, saver.customerId, appId)).toBeNull()
  const turns = db.selectFrom('stripeCustomerTurns').select('holder')
  expect(await turns.execute()).toEqual([{ holder: 'somebody' }])
  await db.deleteFrom('stripeCustomerTurns').execute()
  await db.deleteFrom('apps').where('id', '=', other).execute()
})
