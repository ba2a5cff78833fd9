import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { insertStripeEvent } from '../../src/db/stores/stripe-events.ts'
import { deliverInbox } from '../../src/relay/inbox.ts'
import type { RelayDeps } from '../../src/relay/relay.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import { insertCustomer } from '../api/billing-fixtures.ts'
import { insertInvoiceRow, insertSubscriptionRow } from '../api/invoice-fixtures.ts'
import { stripePost } from '../support/stripe-client.ts'
import { startAccount } from './support.ts'
import type { Account } from './support.ts'

/** A credit note is made and voided at Stripe, and what Stripe answers about it is long on its way. */
let account: Account
beforeAll(async () => {
  account = await startAccount()
})
afterAll(async () => await account.close())
beforeEach(async () => void (await account.database.db.deleteFrom('stripeEvents').execute()))

const withGateway = (more: Partial<StripeGateway> = {}): RelayDeps => ({
  db: account.database.db,
  temporal: {} as never,
  stripe: { ...account.stripe, ...more },
  newId: ulid,
  log: { warn: () => {} },
})

/** Whatever waits is due. */
async function deliver(deps: RelayDeps): Promise<void> {
  const nextAttemptAt = sql<Date>`now()`
  await account.database.db
    .updateTable('stripeEvents')
    .set({ nextAttemptAt })
    .where('processedAt', 'is', null)
    .execute()
  await deliverInbox(deps)
}

/** A credit note of an invoice that is ours, and what tells of it. */
async function creditNote() {
  const { database, sandbox, appId, profileId } = account
  const { id: customer } = await stripePost(sandbox.url, 'customers', { email: 'ada@example.com' })
  const { id: stripeInvoiceId } = await stripePost(sandbox.url, 'invoices', { customer })
  const item = { customer, invoice: stripeInvoiceId, amount: '2000', currency: 'usd' }
  await stripePost(sandbox.url, 'invoiceitems', item)
  await stripePost(sandbox.url, `invoices/${stripeInvoiceId}/finalize`, { auto_advance: 'false' })
  const customerId = await insertCustomer(database.db, { key: ulid() })
  const subscriptionId = await insertSubscriptionRow(database.db, customerId, [])
  const owner = { customerId, subscriptionId, appId, profileId }
  await insertInvoiceRow(database.db, owner, { status: 'voided', stripeInvoiceId })
  const note = await stripePost(sandbox.url, 'credit_notes', { invoice: stripeInvoiceId, amount: '500' })
  const tell = async (id: string, what: 'created' | 'voided'): Promise<void> =>
    void (await insertStripeEvent(database.db, appId, {
      id,
      type: `credit_note.${what}`,
      objectId: note.id,
      invoiceId: null,
      stripeInvoiceId,
      stripeCustomerId: customer,
      createdMs: Date.now(),
    }))
  return { id: note.id, tell }
}

/** Stripe has answered; its answer is on its way until it is let go. */
function heldAnswer() {
  let asked = 0
  let tell = (): void => {}
  const answered = new Promise<void>((resolve) => (tell = resolve))
  let letGo = (): void => {}
  const held = new Promise<void>((resolve) => (letGo = resolve))
  const getAdjustments: StripeGateway['getAdjustments'] = async (...args) => {
    asked += 1
    const found = await account.stripe.getAdjustments(...args)
    tell()
    await held
    return found
  }
  return { getAdjustments, answered, letGo, asked: () => asked }
}

const statusOf = async (id: string): Promise<string | undefined> =>
  (
    await account.database.db
      .selectFrom('invoiceAdjustments')
      .select('status')
      .where('id', '=', id)
      .executeTakeFirst()
  )?.status

test('rule 30: an answer that is overtaken by a newer one does not undo it', async () => {
  const note = await creditNote()
  const { answered, letGo, getAdjustments } = heldAnswer()
  await note.tell('evt_created', 'created')
  const older = deliver(withGateway({ getAdjustments }))
  await answered
  await stripePost(account.sandbox.url, `credit_notes/${note.id}/void`)
  await note.tell('evt_voided', 'voided')
  await deliverInbox(withGateway())
  expect(await statusOf(note.id)).toBe('void')
  letGo()
  await older
  expect(await statusOf(note.id)).toBe('void')
  await deliver(withGateway())
  const events = account.database.db.selectFrom('stripeEvents').select('outcome').orderBy('eventId')
  expect(await events.execute()).toEqual([{ outcome: 'recorded' }, { outcome: 'recorded' }])
  expect(await statusOf(note.id)).toBe('void')
})

test('an event whose handler takes too long is not handled twice at once: its next try hears the first', async () => {
  const note = await creditNote()
  const { answered, letGo, getAdjustments, asked } = heldAnswer()
  const deps = withGateway({ getAdjustments })
  await note.tell('evt_slow', 'created')
  await Promise.all([deliver(deps), answered])
  await deliver(deps)
  const event = account.database.db.selectFrom('stripeEvents').select(['attempts', 'outcome'])
  expect(await event.executeTakeFirst()).toEqual({ attempts: 2, outcome: null })
  expect(asked()).toBe(1)
  letGo()
  await deliver(deps)
  expect(await event.executeTakeFirst()).toEqual({ attempts: 2, outcome: 'recorded' })
})
