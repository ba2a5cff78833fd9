import { afterAll, beforeAll, expect, test } from 'vitest'
import { getInvoiceRow, updateInvoice, updateInvoiceAndTell } from '../../src/db/stores/invoices.ts'
import { insertInvoiceRow, insertOwner } from '../api/invoice-fixtures.ts'
import type { Owner } from '../api/invoice-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
let owner: Owner
beforeAll(async () => {
  database = await createTestDatabase()
  owner = await insertOwner(database.db)
})
afterAll(async () => {
  await database.drop()
})

const at = new Date('2026-03-01T00:00:00.123Z')
const patch = {
  status: 'issued',
  substatus: null,
  taxMinor: 210n,
  totalMinor: 12_345_678_901_234_567_890n / 10n,
  attempts: 2,
  issuedAt: at,
  needsNewPaymentMethod: true,
  statusReason: undefined,
}

const invoice = async () => {
  const row = await getInvoiceRow(database.db, await insertInvoiceRow(database.db, owner))
  if (!row) throw new Error('the invoice is gone')
  return row
}

test('what a write of an invoice answers is what is read of it then', async () => {
  const row = await invoice()
  const written = await updateInvoice(database.db, row, patch)
  expect(written).toEqual(await getInvoiceRow(database.db, row.id))
  expect(written).toMatchObject({ version: row.version + 1, taxMinor: '210', issuedAt: at })
})

test('so is what a write that is told answers, and what is told is of that invoice', async () => {
  const row = await invoice()
  const told = { at, kind: 'issued', detail: 'Issued as INV-1' }
  const written = await updateInvoiceAndTell(database.db, row, { patch, told })
  expect(written).toEqual(await getInvoiceRow(database.db, row.id))
  const timeline = await database.db
    .selectFrom('timeline')
    .selectAll()
    .where('subjectId', '=', row.id)
    .execute()
  expect(timeline).toMatchObject([{ subjectType: 'invoice', ...told }])
})

test('a row that was written since answers nothing, and nothing is told of it', async () => {
  const row = await invoice()
  await updateInvoice(database.db, row, { statusReason: 'first' })
  const told = { at, kind: 'issued', detail: 'Issued as INV-2' }
  expect(await updateInvoice(database.db, row, patch)).toBeUndefined()
  expect(await updateInvoiceAndTell(database.db, row, { patch, told })).toBeUndefined()
  expect(await getInvoiceRow(database.db, row.id)).toMatchObject({
    statusReason: 'first',
    status: row.status,
  })
  const timeline = await database.db
    .selectFrom('timeline')
    .selectAll()
    .where('subjectId', '=', row.id)
    .execute()
  expect(timeline).toEqual([])
})
