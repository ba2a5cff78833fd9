import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { updateInvoice } from '../../src/db/stores/invoices.ts'
import { insertStripeEvent, takeStripeEvents } from '../../src/db/stores/stripe-events.ts'
import { deliverInbox } from '../../src/relay/inbox.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import { insertInvoiceRow, insertSubscriptionRow } from '../api/invoice-fixtures.ts'
import { steerSandbox, stripePost } from '../support/stripe-client.ts'
import { startAccount } from './support.ts'
import type { Account } from './support.ts'

/** The inbox on a database of its own, against a sandbox, one delivery at a time. */
let database: Account['database']
let sandbox: Account['sandbox']
let stripe: Account['stripe']
let appId: string
let profileId: string
let close: Account['close']
beforeAll(async () => {
  ;({ database, sandbox, stripe, appId, profileId, close } = await startAccount())
})
afterAll(async () => await close())

const event = (id: string, type: string, objectId: string) => ({
  id,
  type,
  objectId,
  invoiceId: null,
  stripeInvoiceId: null,
  stripeCustomerId: 'cus_1',
  createdMs: Date.now(),
})

const deliver = async (gateway = stripe): Promise<number> =>
  await deliverInbox({
    db: database.db,
    temporal: {} as never,
    stripe: gateway,
    newId: ulid,
    log: { warn: () => {} },
  })

test('events that are stored at once are taken in their order', async () => {
  await database.db.transaction().execute(async (trx) => {
    for (const id of ['evt_c', 'evt_b', 'evt_a']) await insertStripeEvent(trx, appId, event(id, 'x', 'x'))
    // As one index has them, which is another order.
    await sql`UPDATE stripe_events
      SET next_attempt_at = now() - (200 - ascii(right(event_id, 1))) * interval '1 second'`.execute(trx)
  })
  const taken = await takeStripeEvents(database.db, 10)
  expect(taken.map(({ eventId }) => eventId)).toEqual(['evt_c', 'evt_b', 'evt_a'])
  await deliver()
})

test('events of one subscription wait for each other', async () => {
  for (const what of ['created', 'updated', 'deleted'])
    await insertStripeEvent(
      database.db,
      appId,
      event(`evt_${what}`, `customer.subscription.${what}`, 'sub_none'),
    )
  expect(await deliver()).toBe(3)
  const asked = await steerSandbox<{ requests: readonly object[] }>(sandbox.url, {
    method: 'GET',
    path: '/requests?path=/subscriptions/sub_none',
  })
  // Stripe has no such subscription: the others wait until the first is done.
  expect(asked.requests).toHaveLength(1)
  await database.db.deleteFrom('stripeEvents').execute()
})

test('an event that waited behind one that is given up is tried before it is given up itself', async () => {
  const { db } = database
  for (const what of ['created', 'updated'])
    await insertStripeEvent(db, appId, event(`evt_${what}`, `customer.subscription.${what}`, 'sub_gone'))
  await sql`UPDATE stripe_events SET attempts = 80, received_at = received_at - interval '4 days'`.execute(db)
  const givenUp = async (): Promise<readonly string[]> => {
    const rows = await db.selectFrom('stripeEvents').selectAll().orderBy('eventId').execute()
    return rows.filter(({ processedAt }) => processedAt !== null).map(({ eventId }) => eventId)
  }
  expect(await deliver()).toBe(2)
  expect(await givenUp()).toEqual(['evt_created'])
  await sql`UPDATE stripe_events SET next_attempt_at = now()`.execute(db)
  expect(await deliver()).toBe(1)
  expect(await givenUp()).toEqual(['evt_created', 'evt_updated'])
  const asked = await steerSandbox<{ requests: readonly object[] }>(sandbox.url, {
    method: 'GET',
    path: '/requests?path=/subscriptions/sub_gone',
  })
  expect(asked.requests).toHaveLength(2)
  await db.deleteFrom('stripeEvents').execute()
})

test('an event of an invoice that bears no id of ours is done with at the first try', async () => {
  const { db } = database
  const foreign = { ...event('evt_foreign', 'invoice.paid', 'in_1'), stripeInvoiceId: 'in_1' }
  const restored = {
    ...event('evt_restored', 'invoice.paid', 'in_2'),
    stripeInvoiceId: 'in_2',
    invoiceId: ulid(),
  }
  for (const one of [foreign, restored]) await insertStripeEvent(db, appId, one)
  await deliver()
  const found = await db
    .selectFrom('stripeEvents')
    .select(['outcome', 'lastError'])
    .orderBy('eventId')
    .execute()
  expect(found).toEqual([
    { outcome: 'not_ours', lastError: null },
    // Made by us, so that its row may be about to be committed.
    { outcome: null, lastError: 'no such invoice yet' },
  ])
  await db.deleteFrom('stripeEvents').execute()
})

/** Whose invoices a test has, here and at Stripe. */
async function insertOwner() {
  const { db } = database
  const customerId = ulid()
  await db.insertInto('customers').values({ id: customerId, key: customerId, name: 'Ada' }).execute()
  const subscriptionId = await insertSubscriptionRow(db, customerId, [])
  const customer = await stripePost(sandbox.url, 'customers', { name: 'Ada' })
  const draft = async (): Promise<string> =>
    (await stripePost(sandbox.url, 'invoices', { customer: customer.id })).id
  return { owner: { customerId, subscriptionId, appId, profileId }, draft }
}

test('a bill that gets another draft while Stripe is asked of the one before keeps nothing of that', async () => {
  const { db } = database
  const { owner, draft } = await insertOwner()
  const [before, after] = [await draft(), await draft()]
  await stripePost(sandbox.url, `invoices/${before}/finalize`)
  const id = await insertInvoiceRow(db, owner, { substatus: 'accruing', stripeInvoiceId: before })
  const bill = () => db.selectFrom('invoices').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  await insertStripeEvent(db, appId, {
    ...event('evt_finalized', 'invoice.finalized', before),
    invoiceId: id,
    stripeInvoiceId: before,
  })
  const getInvoice: StripeGateway['getInvoice'] = async (...asked) => {
    const view = await stripe.getInvoice(...asked)
    await updateInvoice(db, await bill(), { stripeInvoiceId: after })
    return view
  }
  await deliver({ ...stripe, getInvoice })
  expect(await bill()).toMatchObject({ stripeInvoiceId: after, statusCode: null, statusReason: null })
  await db
    .updateTable('stripeEvents')
    .set({ nextAttemptAt: sql`now()` })
    .execute()
  await deliver()
  expect(await bill()).toMatchObject({ statusCode: null, statusReason: null })
  expect(await db.selectFrom('stripeEvents').select('outcome').execute()).toEqual([{ outcome: 'confirmed' }])
  await db.deleteFrom('stripeEvents').execute()
})

test('that an invoice was overpaid is said once, be its first try in vain', async () => {
  const { db } = database
  const { owner, draft } = await insertOwner()
  const there = { id: await draft() }
  const subjectId = await insertInvoiceRow(db, owner, { status: 'paid', stripeInvoiceId: there.id })
  await insertStripeEvent(db, appId, {
    ...event('evt_over', 'invoice.overpaid', there.id),
    stripeInvoiceId: there.id,
  })
  await steerSandbox(sandbox.url, {
    method: 'POST',
    path: '/faults',
    body: { kind: 'rate_limit', method: 'GET', path: `/invoices/${there.id}` },
  })
  // The sandbox takes no more than is due.
  const getInvoice: StripeGateway['getInvoice'] = async (...asked) => ({
    ...(await stripe.getInvoice(...asked)),
    amountOverpaidMinor: 500n,
  })
  const deliverAgain = async (): Promise<void> => {
    await db
      .updateTable('stripeEvents')
      .set({ nextAttemptAt: sql`now()`, processedAt: null })
      .execute()
    await deliver({ ...stripe, getInvoice })
  }
  const said = db.selectFrom('timeline').select(['kind', 'detail']).where('subjectId', '=', subjectId)
  await deliverAgain()
  expect(await said.execute()).toEqual([])
  await deliverAgain()
  await deliverAgain()
  expect(await said.execute()).toEqual([{ kind: 'overpaid', detail: 'Overpaid at Stripe by $5.00' }])
})
