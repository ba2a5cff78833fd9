import { readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifyRollups } from '../../src/cli/recount-usage.ts'
import { insertMeter } from '../../src/db/stores/meters.ts'
import { currentCutoff, hasLateUsage, usageQuantityAtCutoff } from '../../src/db/stores/usage-query.ts'
import { withSnapshot } from '../../src/db/transaction.ts'
import { requireTransactionIds } from '../../src/db/transaction-ids.ts'
import { insertInvoiceRow, insertOwner } from '../api/invoice-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { event, meter, rollUpAll, store } from '../usage/support.ts'

const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8')
const catchUp = /^DO \$\$\n[^`]+/m.exec(page)?.[0] ?? ''

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await database.drop()
})

const request = {
  meter: meter(),
  subjects: ['acme'],
  from: new Date('2025-01-01T00:00:00Z'),
  to: new Date('2025-02-01T00:00:00Z'),
}

test('rule 8: a dump in a new cluster is refused until transaction ids have caught up; then late usage is seen', async () => {
  const { db } = database
  await requireTransactionIds(db)
  const details = { id: 'meter', key: 'tokens', name: null, description: null, metadata: null }
  await insertMeter(db, { ...meter(), ...details }, new Date())
  await store(db, event())
  await rollUpAll(db)
  await requireTransactionIds(db)
  // As if all of it had been stored where some hundred more transactions had gone by: one snapshot, which nobody moves.
  const cutoff = await withSnapshot(db, async (trx) => {
    const { rows } = await sql<{
      next: string
    }>`SELECT pg_snapshot_xmax(pg_current_snapshot()) AS next`.execute(trx)
    const stored = BigInt(rows[0]?.next ?? 0) + 500n
    await sql`UPDATE events SET txid = ${String(stored)}::xid8`.execute(trx)
    await sql`UPDATE usage_rollups SET txid = ${String(stored + 1n)}::xid8`.execute(trx)
    await expect(requireTransactionIds(trx)).rejects.toThrow('Advance its transaction ids')
    return `${stored + 2n}:${stored + 2n}:`
  })

  await sql.raw(catchUp).execute(db)
  await requireTransactionIds(db)
  const late = { ...request, cutoff }
  expect(await hasLateUsage(db, late)).toBe(false)
  await store(db, event(), event())
  for (const isRolled of [false, true]) {
    if (isRolled) await rollUpAll(db)
    expect(await hasLateUsage(db, late)).toBe(true)
    expect((await usageQuantityAtCutoff(db, late)).quantity).toBe('1')
    const now = { ...request, cutoff: await currentCutoff(db) }
    expect((await usageQuantityAtCutoff(db, now)).quantity).toBe('3')
  }
  const everything = { meterId: null, subjects: null, from: null, to: null }
  expect((await verifyRollups(db, everything)).differing).toBe(0)
}, 120_000)

test('rule 8: a closing that is ahead of the cluster is refused, also where the newest event is not', async () => {
  const { db } = database
  const owner = await insertOwner(db)
  const invoiceId = await insertInvoiceRow(db, owner)
  const ahead = String(BigInt((await currentCutoff(db)).split(':')[1] ?? 0) + 500n)
  const at = new Date('2025-02-01T00:00:00Z')
  await db
    .insertInto('closings')
    .values({
      subscriptionId: owner.subscriptionId,
      periodAt: at,
      reason: 'period',
      periodFrom: new Date('2025-01-01T00:00:00Z'),
      usageCutoff: `${ahead}:${ahead}:`,
      asOf: at,
      invoiceId,
    })
    .execute()
  await expect(requireTransactionIds(db)).rejects.toThrow('Advance its transaction ids')
  await sql.raw(catchUp).execute(db)
  await requireTransactionIds(db)
  await db.transaction().execute(async (trx) => {
    // A cutoff names the next id: where nothing was stored since, it still is.
    await trx
      .updateTable('closings')
      .set({ usageCutoff: await currentCutoff(trx) })
      .execute()
    await requireTransactionIds(trx)
  })
}, 120_000)
