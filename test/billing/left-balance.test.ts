import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { changeInvoice } from '../../src/billing/invoice-write.ts'
import { carryUnsent } from '../../src/billing/unsent-credit.ts'
import { getInvoiceRow } from '../../src/db/stores/invoices.ts'
import { insertLedgerEntry } from '../../src/db/stores/ledger.ts'
import { insertOwner, insertInvoiceRow } from '../api/invoice-fixtures.ts'
import type { Owner } from '../api/invoice-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

/** Invoices of a subscription that goes on, and then of one whose last period is billed. */
let database: TestDatabase
let owner: Owner
beforeAll(async () => {
  database = await createTestDatabase()
  owner = await insertOwner(database.db)
})
afterAll(async () => await database.drop())

const asOfMs = Date.parse('2025-03-02T00:00:00Z')
const billedThrough = new Date('2025-03-01T00:00:00Z')

/** What becomes of a credit, by when its subscription ends. */
const ends: [where: string, activeTo: Date | null][] = [
  ['is left to the next bill', null],
  ['stays in the ledger, for no period is left to bill', billedThrough],
]

async function endAt(activeTo: Date | null): Promise<void> {
  const set = { activeTo, closedThrough: billedThrough }
  await database.db.updateTable('subscriptions').set(set).where('id', '=', owner.subscriptionId).execute()
}

async function newInvoice() {
  const row = await getInvoiceRow(
    database.db,
    await insertInvoiceRow(database.db, owner, { status: 'issued' }),
  )
  if (row === undefined) throw new Error('the invoice is gone')
  return row
}

async function told(invoiceId: string): Promise<readonly string[]> {
  const entries = database.db.selectFrom('timeline').select('detail').where('subjectId', '=', invoiceId)
  return (await entries.execute()).map(({ detail }) => detail)
}

test.each(ends)(
  'rule 21: the timeline tells that the credit of a voided invoice %s',
  async (where, activeTo) => {
    await endAt(activeTo)
    const row = await newInvoice()
    const { subscriptionId, customerId, currency, id: invoiceId } = row
    const entry = { id: ulid(), subscriptionId, customerId, currency, invoiceId }
    await insertLedgerEntry(database.db, { ...entry, kind: 'carried_in', amountMinor: 499n })
    const patch = { status: 'voided', voidedAt: new Date(asOfMs) }
    await changeInvoice(database.db, row, { asOfMs, detail: null, patch })
    const left = `The credit of $4.99 that it took over of earlier invoices ${where}`
    expect(await told(row.id)).toEqual([left])
  },
)

test.each(ends)(
  'rule 21: the timeline tells that a credit Stripe takes no item for %s',
  async (where, activeTo) => {
    await endAt(activeTo)
    const row = await newInvoice()
    await carryUnsent(database.db, row, { unsentMinor: -250n, asOfMs })
    expect(await told(row.id)).toEqual([`A credit of $2.50 ${where}: Stripe Tax takes no negative lines`])
  },
)
