import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SubscriptionRequest } from '../../src/billing/subscription-commands.ts'
import { stepSubscription } from '../../src/billing/subscription-step.ts'
import { basePhase, insertCustomer } from '../api/billing-fixtures.ts'
import { insertSubscriptionRow } from '../api/invoice-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

/** Commands on subscriptions whose customers no billing profile applies to: what comes after a command does not get through. */
let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => await database.drop())

const asOfMs = Date.parse('2025-01-10T00:00:00Z')

async function subscribed(lifecycle: string): Promise<string> {
  const customerId = await insertCustomer(database.db, { key: ulid() })
  const id = await insertSubscriptionRow(database.db, customerId, [basePhase])
  await database.db.updateTable('subscriptions').set({ lifecycle }).where('id', '=', id).execute()
  return id
}

/** What a reader is told after the command and before what it leads to. */
async function shownAfter(subscriptionId: string, command: SubscriptionRequest) {
  const stepped = stepSubscription(database.db, {
    subscriptionId,
    asOfMs,
    command,
    newId: ulid,
    jitterWindowMs: 0,
  })
  await expect(stepped).rejects.toMatchObject({ code: 'profile_missing' })
  const columns = ['lifecycle', 'activeTo', 'nextClosingAt', 'nextDueAt'] as const
  const subscriptions = database.db.selectFrom('subscriptions').select(columns)
  return await subscriptions.where('id', '=', subscriptionId).executeTakeFirstOrThrow()
}

const cancel = (effectiveAtMs: number) => ({ kind: 'cancel', requestId: ulid(), effectiveAtMs }) as const
const laterMs = asOfMs + 86_400_000

test.each([
  ['to come', laterMs],
  ['now', asOfMs],
])('a cancelation shows from the moment it is accepted: one that is %s', async (_when, effectiveAtMs) => {
  const id = await subscribed('active')
  const end = new Date(effectiveAtMs)
  expect(await shownAfter(id, cancel(effectiveAtMs))).toEqual({
    lifecycle: 'canceled',
    activeTo: end,
    nextClosingAt: end,
    nextDueAt: end,
  })
})

test('one that is withdrawn shows no longer', async () => {
  const id = await subscribed('active')
  await shownAfter(id, cancel(laterMs))
  const withdrawn = await shownAfter(id, { kind: 'unschedule_cancelation', requestId: ulid() })
  const next = new Date('2025-02-01T00:00:00Z')
  expect(withdrawn).toEqual({ lifecycle: 'active', activeTo: null, nextClosingAt: next, nextDueAt: next })
})

test('where no period is left, no bill is shown', async () => {
  const id = await subscribed('active')
  // It is billed up to here.
  expect(await shownAfter(id, cancel(Date.parse('2025-01-01T00:00:00Z')))).toMatchObject({
    lifecycle: 'canceled',
    nextClosingAt: null,
  })
})

test('a subscription that is parked stays so when it is canceled', async () => {
  const id = await subscribed('parked')
  const command = cancel(laterMs)
  await stepSubscription(database.db, {
    subscriptionId: id,
    asOfMs,
    command,
    newId: ulid,
    jitterWindowMs: 0,
  })
  const columns = ['lifecycle', 'nextDueAt', 'nextClosingAt'] as const
  const subscriptions = database.db.selectFrom('subscriptions').select(columns).where('id', '=', id)
  expect(await subscriptions.executeTakeFirstOrThrow()).toEqual({
    lifecycle: 'parked',
    nextDueAt: null,
    nextClosingAt: new Date(laterMs),
  })
})
