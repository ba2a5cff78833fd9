import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitingInvoices } from '../../src/db/stores/reconciliation.ts'
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

test('an invoice that was written off waits as long as Stripe is to be asked about it; pages are in order', async () => {
  const { db } = database
  const owner = await insertOwner(db)
  const due = new Date()
  const states = [
    { status: 'overdue', nextDueAt: due },
    { status: 'uncollectible', nextDueAt: due },
    { status: 'uncollectible', nextDueAt: null },
    { status: 'paid', nextDueAt: null },
    { status: 'issued', nextDueAt: null },
    { status: 'uncollectible', nextDueAt: due, hasWorkflow: false },
  ]
  const ids: string[] = []
  for (const state of states) ids.push(await insertInvoiceRow(db, owner, { hasWorkflow: true, ...state }))
  const waiting = [0, 1, 4].map((index) => ids[index] ?? '').toSorted()
  expect(await waitingInvoices(db, { after: null, limit: 10 })).toEqual(waiting)
  expect(await waitingInvoices(db, { after: null, limit: 2 })).toEqual(waiting.slice(0, 2))
  expect(await waitingInvoices(db, { after: waiting[1] ?? null, limit: 2 })).toEqual(waiting.slice(2))
})
