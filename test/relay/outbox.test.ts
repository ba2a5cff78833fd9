import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { insertOutbox } from '../../src/db/stores/outbox.ts'
import { deliverOutbox } from '../../src/relay/outbox.ts'
import type { RelayDeps } from '../../src/relay/relay.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import { insertSubscriptionRow } from '../api/invoice-fixtures.ts'
import { startAccount } from './support.ts'
import type { Account } from './support.ts'

/** The outbox on a database of its own, while Stripe is slow about one row. */
let database: Account['database']
let stripe: Account['stripe']
let appId: string
let close: Account['close']
let slow: string
beforeAll(async () => {
  ;({ database, stripe, appId, close } = await startAccount())
  const customerId = ulid()
  await database.db.insertInto('customers').values({ id: customerId, key: 'ada', name: 'Ada' }).execute()
  slow = await insertSubscriptionRow(database.db, customerId, [])
  await database.db
    .updateTable('subscriptions')
    .set({ stripeAppId: appId, stripeSubscriptionId: 'sub_slow' })
    .execute()
})
beforeEach(async () => {
  await database.db.deleteFrom('outbox').execute()
})
afterAll(async () => await close())

/** A relay whose questions about the subscription are answered when `answer` is called: there is no such one. */
function relay() {
  let answer = (): void => {}
  const held = new Promise<void>((resolve) => {
    answer = resolve
  })
  const asked: string[] = []
  const advanced: string[] = []
  const getSubscription: StripeGateway['getSubscription'] = async (app, id) => {
    asked.push(id)
    await held
    return await stripe.getSubscription(app, id)
  }
  const deps: RelayDeps = {
    db: database.db,
    temporal: {
      advanceTestClock: async (clockId: string) => {
        advanced.push(clockId)
      },
    } as never,
    stripe: { ...stripe, getSubscription },
    newId: ulid,
    log: { warn: () => {} },
  }
  const deliver = async (): Promise<number> => {
    await database.db
      .updateTable('outbox')
      .set({ nextAttemptAt: sql`now()` })
      .where('doneAt', 'is', null)
      .execute()
    return await deliverOutbox(deps)
  }
  return { deliver, answer: () => answer(), asked, advanced }
}

const rows = async () =>
  await database.db.selectFrom('outbox').select(['kind', 'doneAt', 'lastError']).orderBy('id').execute()

test('one that Stripe keeps waiting holds up nothing but what concerns the same subject', async () => {
  const { db } = database
  await insertOutbox(db, { kind: 'end_subscription', subjectId: slow })
  await insertOutbox(db, { kind: 'start_test_clock', subjectId: slow })
  await insertOutbox(db, { kind: 'start_test_clock', subjectId: 'clock' })
  const { deliver, answer, advanced, asked } = relay()
  expect(await deliver()).toBe(3)
  expect(advanced).toEqual(['clock'])
  const late = { doneAt: null, lastError: 'no answer within 5000 ms' }
  expect(await rows()).toMatchObject([late, late, { doneAt: expect.any(Date) }])

  // The next try waits for the one that goes on, and does not ask beside it.
  expect(await deliver()).toBe(2)
  expect(asked).toEqual(['sub_slow'])
  answer()
  await deliver()
  expect(await rows()).toMatchObject([
    { doneAt: null, lastError: 'Stripe has no subscription sub_slow.' },
    { doneAt: expect.any(Date) },
    { doneAt: expect.any(Date) },
  ])
})
