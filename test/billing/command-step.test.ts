import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SubscriptionRequest } from '../../src/billing/subscription-commands.ts'
import { stepSubscription } from '../../src/billing/subscription-step.ts'
import type { SubscriptionStepResult } from '../../src/billing/subscription-step.ts'
import { getSubscription } from '../../src/db/stores/subscriptions.ts'
import { ACCRUING } from '../../src/db/stores/running-invoices.ts'
import { listTimeline } from '../../src/db/stores/subscription-reads.ts'
import { insertInvoiceRow, insertOwner, insertSubscriptionRow } from '../api/invoice-fixtures.ts'
import type { Owner } from '../api/invoice-fixtures.ts'
import { basePhase, insertCustomer } from '../api/billing-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'

let database: TestDatabase
let first: Owner
beforeAll(async () => {
  database = await createTestDatabase()
  first = await insertOwner(database.db)
})
afterAll(async () => await database.drop())

const asOfMs = Date.parse('2025-01-10T00:00:00Z')
const end = new Date('2025-02-01T00:00:00Z')

/** A subscription of a customer of its own, billed up to the first of January. */
async function subscribed(): Promise<Owner> {
  const { appId, profileId } = first
  const customerId = await insertCustomer(database.db, { key: ulid(), appId })
  return {
    appId,
    profileId,
    customerId,
    subscriptionId: await insertSubscriptionRow(database.db, customerId, [basePhase]),
  }
}

async function step(
  { subscriptionId }: Owner,
  command: SubscriptionRequest,
  at = asOfMs,
): Promise<SubscriptionStepResult> {
  const options = { subscriptionId, asOfMs: at, command, newId: ulid, jitterWindowMs: 0 }
  return await stepSubscription(database.db, options)
}

const cancel = (effectiveAt: Date) =>
  ({ kind: 'cancel', requestId: ulid(), effectiveAtMs: effectiveAt.getTime() }) as const
const withdraw = () => ({ kind: 'unschedule_cancelation', requestId: ulid() }) as const

async function told({ subscriptionId }: Owner): Promise<readonly string[]> {
  const entries = await listTimeline(database.db, { type: 'subscription', id: subscriptionId })
  return entries.map(({ kind }) => kind)
}

test('a command that nothing follows is one write, with what is to come', async () => {
  const owner = await subscribed()
  const read = async () => await getSubscription(database.db, owner.subscriptionId)
  const version = (await read())?.version ?? 0
  const canceled = await step(owner, cancel(end))
  expect(canceled).toMatchObject({ isOnlyCommand: true, wakeMs: end.getTime(), refused: null })
  expect(await read()).toEqual(canceled.row)
  expect(canceled.row).toMatchObject({
    version: version + 1,
    lifecycle: 'canceled',
    activeTo: end,
    nextClosingAt: end,
    nextDueAt: end,
  })
  const withdrawn = await step(owner, withdraw())
  expect(await read()).toEqual(withdrawn.row)
  expect(withdrawn.row).toMatchObject({ version: version + 2, lifecycle: 'active', activeTo: null })
  expect(await told(owner)).toEqual(['cancel', 'unschedule_cancelation'])
})

test('a command that is carried out by two at once is carried out once, and refused to neither', async () => {
  const owner = await subscribed()
  const command = cancel(end)
  const steps = await Promise.all(Array.from({ length: 4 }, async () => await step(owner, command)))
  expect(steps.map(({ refused }) => refused)).toEqual([null, null, null, null])
  expect(steps.filter(({ isOnlyCommand }) => isOnlyCommand)).toHaveLength(1)
  expect(await told(owner)).toEqual(['cancel'])
})

test('a command that is refused changes nothing, and may be asked for again', async () => {
  const owner = await subscribed()
  const command = withdraw()
  expect((await step(owner, command)).refused?.code).toBe('conflict')
  await step(owner, cancel(end))
  expect((await step(owner, command)).refused).toBeNull()
  expect(await told(owner)).toEqual(['cancel', 'unschedule_cancelation'])
})

test('what is due by a command is billed in its step', async () => {
  const owner = await subscribed()
  const canceled = await step(owner, cancel(new Date(asOfMs)))
  expect(canceled.isOnlyCommand).toBeUndefined()
  expect(canceled.closed?.atMs).toBe(asOfMs)
  expect(await told(owner)).toContain('cancel')
})

test.each([
  ['that an earlier step left to collect', { status: 'issuing', hasWorkflow: false }],
  ['that still runs', { status: 'draft', substatus: ACCRUING, hasWorkflow: false }],
] as const)('an invoice %s is looked after by the step of a command', async (_which, row) => {
  const owner = await subscribed()
  await insertInvoiceRow(database.db, owner, row)
  const canceled = await step(owner, cancel(end))
  expect(canceled.isOnlyCommand).toBeUndefined()
  expect(canceled.isRunning).toBe('substatus' in row)
  expect(canceled.row).toMatchObject({ lifecycle: 'canceled', activeTo: end, nextDueAt: end })
})

test.each([
  ['was settled', { status: 'paid', hasWorkflow: false }],
  ['has a workflow of its own', { status: 'issuing', hasWorkflow: true }],
] as const)('an invoice that %s is none of a command’s business', async (_which, row) => {
  const owner = await subscribed()
  await insertInvoiceRow(database.db, owner, row)
  expect((await step(owner, cancel(end))).isOnlyCommand).toBe(true)
})
