import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Db } from '../../src/db/connection.ts'
import { bindInvoiceNumber } from '../../src/db/stores/invoice-numbers.ts'
import { getInvoiceRow, updateInvoice } from '../../src/db/stores/invoices.ts'
import { insertInvoiceRow, insertOwner } from '../api/invoice-fixtures.ts'
import type { Owner } from '../api/invoice-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { waitFor } from '../support/scenario.ts'

let database: TestDatabase
let owner: Owner
beforeAll(async () => {
  database = await createTestDatabase()
  owner = await insertOwner(database.db)
})
afterAll(async () => {
  await database.drop()
})

const supplier = { key: 'default', prefix: 'INV' }

/** Binds while another transaction has written the invoice, and is not over before the binding waits for it. */
async function bindBehind(id: string, write: (trx: Db) => Promise<unknown>): Promise<string> {
  const { db } = database
  const binding = await db.transaction().execute(async (trx) => {
    await write(trx)
    const bound = bindInvoiceNumber(db, id, supplier)
    await waitFor(
      async () =>
        await sql`SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
          AND wait_event_type = 'Lock' AND query LIKE '%invoice_number_sequences%'`.execute(db),
      ({ rows }) => rows.length === 1,
    )
    return { bound }
  })
  return await binding.bound
}

test('rule 22: a number is bound to an invoice as another transaction has written it meanwhile', async () => {
  const { db } = database
  const id = await insertInvoiceRow(db, owner)
  const number = await bindBehind(
    id,
    async (trx) => await updateInvoice(trx, { id, version: 1 }, { stripeInvoiceId: 'in_meanwhile' }),
  )
  expect(await getInvoiceRow(db, id)).toMatchObject({ number, stripeInvoiceId: 'in_meanwhile', version: 2 })
})

test('rule 22: one who waited for another that bound a number takes that, and spends none', async () => {
  const { db } = database
  const id = await insertInvoiceRow(db, owner)
  const first: string[] = []
  const second = await bindBehind(id, async (trx) => first.push(await bindInvoiceNumber(trx, id, supplier)))
  expect([second]).toEqual(first)
  const next = await bindInvoiceNumber(db, await insertInvoiceRow(db, owner), supplier)
  expect(Number(next.slice(-6))).toBe(Number(second.slice(-6)) + 1)
})

test('an invoice that does not exist spends no number', async () => {
  const { db } = database
  const before = await bindInvoiceNumber(db, await insertInvoiceRow(db, owner), supplier)
  await expect(bindInvoiceNumber(db, 'none', supplier)).rejects.toThrow('invoice none does not exist')
  const after = await bindInvoiceNumber(db, await insertInvoiceRow(db, owner), supplier)
  expect(Number(after.slice(-6))).toBe(Number(before.slice(-6)) + 1)
})

test('a number beyond six digits is written whole', async () => {
  const { db } = database
  await db.updateTable('invoiceNumberSequences').set({ nextNumber: '1234567' }).execute()
  expect(await bindInvoiceNumber(db, await insertInvoiceRow(db, owner), supplier)).toBe('INV-1234567')
})
