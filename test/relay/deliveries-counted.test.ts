import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { insertOutbox } from '../../src/db/stores/outbox.ts'
import { insertStripeEvent } from '../../src/db/stores/stripe-events.ts'
import { deliverInbox } from '../../src/relay/inbox.ts'
import { deliverOutbox } from '../../src/relay/outbox.ts'
import type { RelayDeps } from '../../src/relay/relay.ts'
import { insertProfile } from '../api/billing-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
let deps: RelayDeps
let counted: string[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  const notUsed = {} as never
  deps = {
    db: database.db,
    temporal: notUsed,
    stripe: notUsed,
    newId: ulid,
    log: { warn: () => {} },
    observer: { delivered: ({ box, outcome }) => void counted.push(`${box} ${outcome}`) },
  }
})
beforeEach(() => {
  counted = []
})
afterAll(async () => await database.drop())

/** Every commit that changed the table fails, until `mend`. */
async function breakCommits(table: string): Promise<{ mend: () => Promise<void> }> {
  await sql`CREATE OR REPLACE FUNCTION refuse_commit() RETURNS trigger LANGUAGE plpgsql
    AS $$ BEGIN RAISE 'the commit fails'; END $$`.execute(database.db)
  await sql`CREATE CONSTRAINT TRIGGER refused AFTER UPDATE ON ${sql.table(table)} INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION refuse_commit()`.execute(database.db)
  return {
    mend: async () => void (await sql`DROP TRIGGER refused ON ${sql.table(table)}`.execute(database.db)),
  }
}

test('what the outbox delivered counts once it is noted for good: not when that is rolled back', async () => {
  // There is no such subscription (any more): nothing is to be started, and the row is done.
  await insertOutbox(database.db, { kind: 'start_subscription', subjectId: ulid() })
  const { mend } = await breakCommits('outbox')
  await expect(deliverOutbox(deps)).rejects.toThrow('the commit fails')
  expect(counted).toEqual([])
  await mend()
  expect(await deliverOutbox(deps)).toBe(1)
  expect(counted).toEqual(['outbox done'])
})

test('what the inbox handed over counts once it is noted for good: not when that is rolled back', async () => {
  const { appId } = await insertProfile(database.db)
  await insertStripeEvent(database.db, appId, {
    id: 'evt_1',
    // Nothing is done about these.
    type: 'product.created',
    objectId: 'prod_1',
    invoiceId: null,
    stripeInvoiceId: null,
    stripeCustomerId: null,
    createdMs: Date.now(),
  })
  const { mend } = await breakCommits('stripe_events')
  await expect(deliverInbox(deps)).rejects.toThrow('the commit fails')
  expect(counted).toEqual([])
  await mend()
  expect(await deliverInbox(deps)).toBe(1)
  expect(counted).toEqual(['inbox done'])
})
