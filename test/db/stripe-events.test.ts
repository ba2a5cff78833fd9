import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { invoiceOfStripeEvent, invoicesOfStripeEvents } from '../../src/db/stores/invoices-of-events.ts'
import { insertInvoiceRow, insertOwner } from '../api/invoice-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

test('invoices of many events are those of each: by our id, else by its Stripe id, and of its app', async () => {
  const { db } = database
  const owner = await insertOwner(db)
  const otherApp = ulid()
  const app = { id: otherApp, type: 'stripe', name: 'Another account', stripeAccountId: 'acct_2' }
  await db
    .insertInto('apps')
    .values({ ...app, webhookSecretEncrypted: 'sealed' })
    .execute()
  const known = await insertInvoiceRow(db, owner, { stripeInvoiceId: 'in_1' })
  const unsynced = await insertInvoiceRow(db, owner)
  const elsewhere = await insertInvoiceRow(db, { ...owner, appId: otherApp }, { stripeInvoiceId: 'in_1' })
  const events = [owner.appId, otherApp].flatMap((appId) => [
    ...[known, unsynced, elsewhere, 'none'].map((invoiceId) => ({ appId, invoiceId, objectId: 'in_1' })),
    ...['in_1', 'in_2'].map((objectId) => ({ appId, invoiceId: null, objectId })),
  ])
  const found = await invoicesOfStripeEvents(db, events)
  const each = await Promise.all(events.map(async (event) => await invoiceOfStripeEvent(db, event)))
  expect(found.map((invoice) => invoice?.id)).toEqual(each.map((invoice) => invoice?.id))
  const [ours, theirs] = [found.slice(0, 6), found.slice(6)].map((of) => of.map((invoice) => invoice?.id))
  expect(ours).toEqual([known, unsynced, undefined, undefined, known, undefined])
  expect(theirs).toEqual([undefined, undefined, elsewhere, undefined, elsewhere, undefined])
})
