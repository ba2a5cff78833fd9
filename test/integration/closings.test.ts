import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { executeClosing } from '../../src/billing/closing-execute.ts'
import { planClosing } from '../../src/billing/closing-plan.ts'
import { loadSettings } from '../../src/billing/settings.ts'
import { stepSubscription } from '../../src/billing/subscription-step.ts'
import { inlineInvoices } from '../../src/db/stores/invoice-handover.ts'
import { appLinkAndLines } from '../../src/db/stores/invoice-to-send.ts'
import { getInvoiceRow } from '../../src/db/stores/invoices.ts'
import { getSubscription } from '../../src/db/stores/subscriptions.ts'
import { withSnapshot } from '../../src/db/transaction.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'

const start = '2026-01-01T00:00:00Z'
const firstEndMs = Date.parse('2026-02-01T00:00:00Z')
let installation: Installation
let scenario: Scenario

beforeAll(async () => {
  installation = await startInstallation()
  // The clock never moves: whatever closes February is one of the steps below, and not the workflow.
  scenario = await startScenario(installation, { frozenTime: start })
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

const dbOf = () => installation.database.db

/** A subscription whose first invoice is paid. */
async function subscribed(key: string): Promise<string> {
  const customer = await addCustomer(installation, scenario, { key })
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: 'tokens_monthly' },
  })
  await waitFor(
    async () => await invoicesOf(id),
    (invoices) => invoices.length === 1 && invoices[0]?.status === 'paid',
  )
  return id
}

const invoicesOf = async (subscriptionId: string) =>
  await dbOf()
    .selectFrom('invoices')
    .select(['id', 'status', 'closingAt'])
    .where('subscriptionId', '=', subscriptionId)
    .orderBy('closingAt')
    .execute()

const closingsOf = async (subscriptionId: string) =>
  await dbOf()
    .selectFrom('closings')
    .select(['periodAt', 'invoiceId', 'sequence', 'generation'])
    .where('subscriptionId', '=', subscriptionId)
    .orderBy('periodAt')
    .execute()

const step = async (subscriptionId: string, asOfMs = firstEndMs) =>
  await stepSubscription(dbOf(), { subscriptionId, asOfMs, newId: ulid, jitterWindowMs: 0 })

/** The whole closing, planned and carried out, without the lock on the subscription that a step takes. */
async function closeWithoutLock(subscriptionId: string): Promise<string | undefined> {
  return await withSnapshot(dbOf(), async (trx) => {
    const subscription = await getSubscription(trx, subscriptionId)
    if (!subscription) throw new Error('the subscription is gone')
    const closing = { atMs: firstEndMs, kind: 'boundary', previousMs: Date.parse(start) } as const
    const settings = await loadSettings(trx, subscription.customerId)
    const plan = await planClosing(trx, { subscription, settings, closing, reason: 'period' })
    return (await executeClosing(trx, plan, { asOfMs: firstEndMs, newId: ulid }))?.invoice.id
  })
}

test('rule 29: workers that close one period at the same time leave one closing and one invoice', async () => {
  const id = await subscribed('at-once')
  const results = await Promise.all(Array.from({ length: 6 }, async () => await step(id)))
  expect(results.map(({ row }) => row.closedThrough?.getTime())).toEqual(Array(6).fill(firstEndMs))
  expect(await closingsOf(id)).toHaveLength(2)
  expect(await invoicesOf(id)).toHaveLength(2)
})

test('rule 29: even without the lock the primary key lets one of the transactions through', async () => {
  const id = await subscribed('no-lock')
  const raised = await Promise.all(Array.from({ length: 4 }, async () => await closeWithoutLock(id)))
  expect(raised.filter((invoiceId) => invoiceId !== undefined)).toHaveLength(1)
  expect((await closingsOf(id)).map(({ sequence, generation }) => [sequence, generation])).toEqual([
    [0, 1],
    [0, 1],
  ])
  expect(await invoicesOf(id)).toHaveLength(2)
})

test('a closing answers the invoice that it made, and what it is sent with, as they are read', async () => {
  const id = await subscribed('answers')
  const { toCollect } = await step(id)
  const row = await getInvoiceRow(dbOf(), (await invoicesOf(id))[1]?.id ?? '')
  if (row === undefined) throw new Error('nothing was billed')
  expect(toCollect?.map((known) => known.row)).toEqual([row])
  const { lines, link, app } = await appLinkAndLines(dbOf(), row)
  expect(lines.length).toBeGreaterThan(1)
  expect(toCollect?.[0]?.toSend).toEqual({ lines, link, app: expect.objectContaining(app) as object })
})

test('an invoice that an earlier step did not get to collect has the next one ask for all', async () => {
  const id = await subscribed('left')
  await step(id)
  const next = await step(id, Date.parse('2026-03-01T00:00:00Z'))
  expect(next).toMatchObject({ row: { closedThrough: new Date('2026-03-01T00:00:00Z') } })
  expect(next.toCollect).toBeUndefined()
  expect(await inlineInvoices(dbOf(), id)).toHaveLength(2)
})

test('rule 29: an orchestrator that forgot what it closed, and a void, do not free the key', async () => {
  const id = await subscribed('forgetful')
  await step(id)
  const [, second] = await invoicesOf(id)
  await dbOf()
    .updateTable('invoices')
    .set({ status: 'voided', voidedAt: new Date(firstEndMs), nextDueAt: null })
    .where('id', '=', second?.id ?? '')
    .execute()
  const closed = await closingsOf(id)
  await dbOf()
    .updateTable('subscriptions')
    .set({ closedThrough: new Date(start), version: 99 })
    .where('id', '=', id)
    .execute()
  const repeated = await step(id)
  expect(repeated.row.closedThrough).toEqual(new Date(firstEndMs))
  expect(await closingsOf(id)).toEqual(closed)
  expect((await invoicesOf(id)).map(({ status }) => status)).toEqual(['paid', 'voided'])
})
