import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { insertMeter } from '../../src/db/stores/meters.ts'
import { insertOutbox } from '../../src/db/stores/outbox.ts'
import { installationGauges } from '../../src/metrics/installation.ts'
import { workerMetrics } from '../../src/metrics/worker.ts'
import { insertClock, insertCustomer, insertProfile } from '../api/billing-fixtures.ts'
import { insertInvoiceRow, insertSubscriptionRow } from '../api/invoice-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { waitFor } from '../support/scenario.ts'
import { event, meter, rollUpAll, store } from '../usage/support.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(async () => await database.drop())

type Gauges = Readonly<Record<string, number>>

async function read(db: Database): Promise<Gauges> {
  const registry = new Registry()
  installationGauges(registry, db)
  const text = await registry.metrics()
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

/** Once the database has answered in time. */
async function gauges(): Promise<Gauges> {
  return await waitFor(
    async () => await read(database.db),
    ({ perennial_database_up: up }) => up === 1,
  )
}

async function due(customerId: string, hoursAgo: number): Promise<string> {
  const id = await insertSubscriptionRow(database.db, customerId, [])
  const nextDueAt = sql<Date>`now() - ${hoursAgo} * interval '1 hour'`
  await database.db.updateTable('subscriptions').set({ nextDueAt }).where('id', '=', id).execute()
  return id
}

test('what is due and not closed is counted in real time only, with the age of the oldest', async () => {
  const { db } = database
  const real = await insertCustomer(db, { key: 'real' })
  const testClockId = await insertClock(db, '2026-01-01T00:00:00Z')
  const clocked = await insertCustomer(db, { key: 'clocked', testClockId })
  await due(real, 1)
  await due(real, 3)
  await due(real, -1)
  await due(clocked, 9)
  const parked = await due(real, 7)
  await db.updateTable('subscriptions').set({ lifecycle: 'parked' }).where('id', '=', parked).execute()
  const now = await gauges()
  expect(now['perennial_overdue{of="subscription"}']).toBe(2)
  expect(Math.round((now['perennial_overdue_oldest_seconds{of="subscription"}'] ?? 0) / 3600)).toBe(3)
  expect(now['perennial_subscriptions_parked']).toBe(1)
  expect(now['perennial_overdue{of="invoice"}']).toBe(0)
})

test('invoices that wait are told apart by status and substatus; what is settled or still grows is not among them', async () => {
  const { db } = database
  const { appId, profileId } = await insertProfile(db)
  const customerId = await insertCustomer(db, { key: 'one', appId })
  const owner = { customerId, subscriptionId: await due(customerId, -1), appId, profileId }
  await insertInvoiceRow(db, owner, { status: 'issuing', substatus: 'failed' })
  await insertInvoiceRow(db, owner, { status: 'issued', substatus: 'payment_failed' })
  await insertInvoiceRow(db, owner, { status: 'issued', substatus: 'payment_failed' })
  await insertInvoiceRow(db, owner, { status: 'draft', substatus: 'accruing' })
  await insertInvoiceRow(db, owner, { status: 'paid' })
  const now = await gauges()
  const waiting = Object.entries(now).filter(([name]) => name.startsWith('perennial_invoices_waiting'))
  expect(Object.fromEntries(waiting)).toEqual({
    'perennial_invoices_waiting{status="issuing",substatus="failed"}': 1,
    'perennial_invoices_waiting{status="issued",substatus="payment_failed"}': 2,
  })
  expect(now['perennial_stripe_apps{status="ready"}']).toBe(1)
})

test('an invoice whose next step is due counts, one that was written off and is to be looked at too', async () => {
  const { db } = database
  const { appId, profileId } = await insertProfile(db)
  const customerId = await insertCustomer(db, { key: 'one', appId })
  const owner = { customerId, subscriptionId: await due(customerId, -1), appId, profileId }
  for (const status of ['issued', 'uncollectible', 'paid', 'voided'] as const)
    await insertInvoiceRow(db, owner, { status })
  await insertInvoiceRow(db, owner, { status: 'draft', substatus: 'accruing' })
  const nextDueAt = sql<Date>`now() - interval '2 hours'`
  await db.updateTable('invoices').set({ nextDueAt }).execute()
  const now = await gauges()
  expect(now['perennial_overdue{of="invoice"}']).toBe(2)
  expect(Math.round((now['perennial_overdue_oldest_seconds{of="invoice"}'] ?? 0) / 3600)).toBe(2)
})

test('the outbox tells how many rows wait and how old the oldest is', async () => {
  const { db } = database
  for (const subjectId of ['a', 'b', 'c']) await insertOutbox(db, { kind: 'start_invoice', subjectId })
  const createdAt = sql<Date>`now() - interval '10 minutes'`
  await db.updateTable('outbox').set({ createdAt }).where('subjectId', '=', 'a').execute()
  await db
    .updateTable('outbox')
    .set({ createdAt, doneAt: sql`now()` })
    .where('subjectId', '=', 'b')
    .execute()
  const now = await gauges()
  expect(now['perennial_relay_pending{box="outbox"}']).toBe(2)
  expect(Math.round((now['perennial_relay_oldest_seconds{box="outbox"}'] ?? 0) / 60)).toBe(10)
  expect(now['perennial_relay_pending{box="inbox"}']).toBe(0)
})

test('rollups tell how many events they lack, and since when the oldest of these is stored', async () => {
  const { db } = database
  const of = 'perennial_usage_rollups_behind'
  const behind = async () => {
    const now = await gauges()
    const { [`${of}_events`]: events, [`${of}_seconds`]: seconds } = now
    return { events, minutes: Math.round((seconds ?? Number.NaN) / 60) }
  }
  expect(await behind()).toEqual({ events: 0, minutes: 0 })
  const details = { id: 'meter', key: 'tokens', name: null, description: null, metadata: null }
  await insertMeter(db, { ...meter(), ...details }, new Date())
  await store(db, event())
  await rollUpAll(db)
  expect(await behind()).toEqual({ events: 0, minutes: 0 })
  await store(db, event(), event())
  await db
    .updateTable('events')
    .set({ storedAt: sql`now() - interval '7 minutes'` })
    .execute()
  expect(await behind()).toEqual({ events: 2, minutes: 7 })
  await rollUpAll(db)
  expect(await behind()).toEqual({ events: 0, minutes: 0 })
})

test('a pool that is in use does not look as if the database were away', async () => {
  const pool = openDatabase({ connectionString: database.url, maxConnections: 1 })
  const held = await pool.startTransaction().execute()
  const text = await waitFor(
    async () => await workerMetrics(pool, database.db).registry.metrics(),
    (text) => !text.includes('\nperennial_database_up 0\n'),
  )
  expect(text).toContain('\nperennial_database_up 1\n')
  await held.rollback().execute()
  await pool.destroy()
})

test('without the database nothing is said to be well', async () => {
  const gone = openDatabase({ connectionString: 'postgres://nobody@127.0.0.1:9/none', maxConnections: 1 })
  expect(await read(gone)).toEqual({ perennial_database_up: 0 })
  await gone.destroy()
})
