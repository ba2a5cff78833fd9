import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { numberSequenceOf } from '../../src/billing/number-sequence.ts'
import type { NumberSequence } from '../../src/billing/number-sequence.ts'
import type { Db } from '../../src/db/connection.ts'
import { bindInvoiceNumber, passInvoiceNumber } from '../../src/db/stores/invoice-numbers.ts'
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
const draft = { supplier, stripeInvoiceId: 'in_draft' }

/** Binds while another transaction has written the invoice, and is not over before the binding waits for it. */
async function bindBehind(id: string, write: (trx: Db) => Promise<unknown>): Promise<string | undefined> {
  const { db } = database
  const binding = await db.transaction().execute(async (trx) => {
    await write(trx)
    const bound = bindInvoiceNumber(db, { id, version: 1 }, draft)
    await waitFor(
      async () =>
        await sql`SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
          AND wait_event_type = 'Lock' AND query LIKE '%invoice_number_sequences%'`.execute(db),
      ({ rows }) => rows.length === 1,
    )
    return { bound }
  })
  return (await binding.bound)?.number
}

/** The number of an invoice more. */
async function nextNumber(of: NumberSequence = supplier): Promise<string> {
  const { db } = database
  const id = await insertInvoiceRow(db, owner)
  const bound = await bindInvoiceNumber(db, { id, version: 1 }, { ...draft, supplier: of })
  await db.updateTable('invoices').set({ stripeInvoiceId: null }).execute()
  return bound?.number ?? 'none'
}

const digitsOf = (number: string): number => Number(number.slice(-6))

test('rule 22: with its draft an invoice takes the next number, and keeps the one that it has', async () => {
  const { db } = database
  const before = await nextNumber()
  const id = await insertInvoiceRow(db, owner)
  const first = await bindInvoiceNumber(db, { id, version: 1 }, draft)
  expect(first).toMatchObject({ stripeInvoiceId: 'in_draft', version: 2 })
  expect(digitsOf(first?.number ?? '')).toBe(digitsOf(before) + 1)
  const read = await getInvoiceRow(db, id)
  if (!read) throw new Error('the invoice is gone')
  const again = await bindInvoiceNumber(db, read, { ...draft, stripeInvoiceId: 'in_other' })
  expect(again).toEqual(await getInvoiceRow(db, id))
  expect(again).toMatchObject({ stripeInvoiceId: 'in_other', number: first?.number, version: 3 })
  expect(digitsOf(await nextNumber())).toBe(digitsOf(before) + 2)
})

test('rule 22: an invoice that was written meanwhile takes neither draft nor number', async () => {
  const { db } = database
  const before = await nextNumber()
  const id = await insertInvoiceRow(db, owner)
  const bound = await bindBehind(
    id,
    async (trx) => await updateInvoice(trx, { id, version: 1 }, { statusReason: 'written' }),
  )
  expect(bound).toBeUndefined()
  expect(await getInvoiceRow(db, id)).toMatchObject({ stripeInvoiceId: null, number: null, version: 2 })
  expect(digitsOf(await nextNumber())).toBe(digitsOf(before) + 1)
})

test('rule 22: one who waited for another that bound a number spends none', async () => {
  const { db } = database
  const id = await insertInvoiceRow(db, owner)
  const first: (string | undefined)[] = []
  const second = await bindBehind(id, async (trx) =>
    first.push((await bindInvoiceNumber(trx, { id, version: 1 }, draft))?.number),
  )
  expect(second).toBeUndefined()
  await db.updateTable('invoices').set({ stripeInvoiceId: null }).execute()
  expect(digitsOf(await nextNumber())).toBe(digitsOf(first[0] ?? '') + 1)
})

test('an invoice that does not exist spends no number', async () => {
  const { db } = database
  const before = await nextNumber()
  expect(await bindInvoiceNumber(db, { id: 'none', version: 1 }, draft)).toBeUndefined()
  expect(digitsOf(await nextNumber())).toBe(digitsOf(before) + 1)
})

test('a number beyond six digits is written whole', async () => {
  await database.db.updateTable('invoiceNumberSequences').set({ nextNumber: '1234567' }).execute()
  expect(await nextNumber()).toBe('INV-1234567')
})

test('rule 22: suppliers whose ids end alike have numbers of their own', async () => {
  const ids = ['acme-europe', 'beta-europe', 'ACME-EUROPE', '', '01ARZ3NDEKTSV4RRFFQ69G5FAV']
  const given: string[] = []
  for (const id of [...ids, ...ids]) given.push(await nextNumber(numberSequenceOf(id)))
  expect(new Set(given).size).toBe(given.length)
  for (const number of given) expect(number).toMatch(/^INV-[0-9A-Z]{8}-00000[12]$/)
})

test('rule 22: a sequence that was begun keeps its prefix', async () => {
  const begun = { supplierKey: 'old-style', prefix: 'INV-STYLE', nextNumber: '7' }
  await database.db.insertInto('invoiceNumberSequences').values(begun).execute()
  expect(await nextNumber(numberSequenceOf('old-style'))).toBe('INV-STYLE-000007')
})

test('rule 22: a number that Stripe has is not given out again, be it of a supplier who has none here yet', async () => {
  const { db } = database
  const sequence = numberSequenceOf('restored')
  await passInvoiceNumber(db, `${sequence.prefix}-000004`)
  await passInvoiceNumber(db, `${sequence.prefix}-000002`)
  expect(await nextNumber(sequence)).toBe(`${sequence.prefix}-000005`)
  await passInvoiceNumber(db, `${sequence.prefix}-000009`)
  expect(await nextNumber(sequence)).toBe(`${sequence.prefix}-000010`)
  const before = await db.selectFrom('invoiceNumberSequences').selectAll().execute()
  for (const number of ['ABCD1234-0001', 'INV-12', 'INV', '']) await passInvoiceNumber(db, number)
  expect(await db.selectFrom('invoiceNumberSequences').selectAll().execute()).toEqual(before)
})
