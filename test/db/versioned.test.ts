import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { lockAccess } from '../../src/db/stores/access.ts'
import { appAndLink } from '../../src/db/stores/billing-settings.ts'
import {
  getInvoiceRow,
  updateInvoice,
  updateInvoiceAndLink,
  updateInvoiceAndTell,
} from '../../src/db/stores/invoices.ts'
import { insertCustomer } from '../api/billing-fixtures.ts'
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

const invoice = async (of: Owner = owner) => {
  const row = await getInvoiceRow(database.db, await insertInvoiceRow(database.db, of))
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

test('who the customer is at the app is answered with a write, as it is read', async () => {
  const row = await invoice()
  const told = { at, kind: 'issued', detail: 'Issued as INV-3' }
  const { link } = await appAndLink(database.db, row.appId, row.customerId)
  expect(link).not.toBeNull()
  expect(await updateInvoiceAndLink(database.db, row, { patch, told })).toEqual({
    row: await getInvoiceRow(database.db, row.id),
    link,
  })
  const stranger = await insertCustomer(database.db, { key: 'not-linked' })
  const other = await invoice({ ...owner, customerId: stranger })
  expect((await updateInvoiceAndLink(database.db, other, { patch, told }))?.link).toBeNull()
})

test('access that is locked with a write is locked until its transaction ends', async () => {
  const row = await invoice()
  const told = { at, kind: 'paid', detail: 'Paid' }
  const order: string[] = []
  const isWaiting = async () => {
    const { rows } = await sql`SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`.execute(database.db)
    return rows.length > 0
  }
  const ask = async () =>
    await database.db.transaction().execute(async (trx) => {
      await lockAccess(trx, row.customerId)
      order.push('asked')
    })
  const asking = await database.db.transaction().execute(async (trx) => {
    await updateInvoiceAndTell(trx, row, { patch, told, accessOf: row.customerId })
    const asked = ask()
    await waitFor(isWaiting, Boolean)
    order.push('paid')
    return { asked }
  })
  await asking.asked
  expect(order).toEqual(['paid', 'asked'])
})

test('a row that was written since answers nothing, and nothing is told of it', async () => {
  const row = await invoice()
  await updateInvoice(database.db, row, { statusReason: 'first' })
  const told = { at, kind: 'issued', detail: 'Issued as INV-2' }
  expect(await updateInvoice(database.db, row, patch)).toBeUndefined()
  expect(await updateInvoiceAndTell(database.db, row, { patch, told })).toBeUndefined()
  expect(await updateInvoiceAndLink(database.db, row, { patch, told })).toBeUndefined()
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
