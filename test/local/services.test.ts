import { randomUUID } from 'node:crypto'
import { Connection } from '@temporalio/client'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { pendingMigrations } from '../../src/db/migrate.ts'
import { createTestDatabase } from '../support/database.ts'
import { testTemporalAddress } from '../support/temporal.ts'

test('a test database is migrated, its own, and gone after drop', async () => {
  const [one, two] = await Promise.all([createTestDatabase(), createTestDatabase()])
  expect(one.url).not.toBe(two.url)
  expect(await pendingMigrations(one.db)).toEqual([])
  const { rows } = await sql<{ n: string }>`SELECT count(*) AS n FROM invoices`.execute(one.db)
  expect(rows[0]?.n).toBe('0')
  await Promise.all([one.drop(), two.drop()])
})

test('the dev server of Temporal serves with our search attributes', async () => {
  const connection = await Connection.connect({ address: await testTemporalAddress() })
  const { count } = await connection.workflowService.countWorkflowExecutions({
    namespace: 'default',
    query: `CustomerKey = '${randomUUID()}' AND NextBillingTime > '2026-01-01T00:00:00Z'`,
  })
  expect(Number(count ?? 0)).toBe(0)
  await connection.close()
})
