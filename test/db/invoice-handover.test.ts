import { afterAll, beforeAll, expect, test } from 'vitest'
import { inlineInvoices, isInline } from '../../src/db/stores/invoice-handover.ts'
import { getInvoiceRow } from '../../src/db/stores/invoices.ts'
import { ACCRUING } from '../../src/db/stores/running-invoices.ts'
import { invoiceStatuses } from '../../src/domain/invoice-state.ts'
import { basePhase } from '../api/billing-fixtures.ts'
import { insertInvoiceRow, insertOwner, insertSubscriptionRow } from '../api/invoice-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

test('a row is told to be collected by its step just where the question finds it', async () => {
  const owner = await insertOwner(database.db)
  const told: string[] = []
  const found: string[] = []
  for (const status of invoiceStatuses)
    for (const substatus of [null, ACCRUING, 'payment_failed'])
      for (const hasWorkflow of [false, true]) {
        // A subscription has one running invoice.
        const subscriptionId = await insertSubscriptionRow(database.db, owner.customerId, [basePhase])
        const state = { status, substatus, hasWorkflow }
        const id = await insertInvoiceRow(database.db, { ...owner, subscriptionId }, state)
        const row = await getInvoiceRow(database.db, id)
        const name = `${status} ${substatus ?? ''} ${hasWorkflow ? 'with' : 'without'} a workflow`
        if (row && isInline(row)) told.push(name)
        if ((await inlineInvoices(database.db, subscriptionId)).length > 0) found.push(name)
      }
  expect(told).toEqual(found)
  expect(told).toContain('issuing  without a workflow')
  expect(told).not.toContain('paid  without a workflow')
})
