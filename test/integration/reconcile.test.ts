import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReconciler } from '../../src/reconcile/loop.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { temporalGateway } from '../../src/temporal/gateway.ts'
import { workflowIds } from '../../src/temporal/ids.ts'
import { billedCustomers } from '../support/billed.ts'
import { MASTER_KEY, startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { about, atStripe, closingsOf, reconcile, subscriptionOf } from '../support/reconciling.ts'
import { addCustomer, addTokenPlan, advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { giveCard, stripeGet, stripePost } from '../support/stripe-client.ts'

let installation: Installation
let scenario: Scenario
let at: ReturnType<typeof billedCustomers>
let asInstalled: { readonly reconciledEvent: string | null; readonly reconciledAt: Date | null }

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation)
  await addTokenPlan(installation)
  at = billedCustomers(installation, scenario)
  asInstalled = await installation.database.db
    .selectFrom('apps')
    .select(['reconciledEvent', 'reconciledAt'])
    .executeTakeFirstOrThrow()
})
afterAll(async () => {
  await installation.close()
})

async function terminated(...ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const handle = installation.client.workflow.getHandle(id)
    // It may be about to begin.
    await waitFor(
      async () =>
        await handle.terminate('by hand').then(
          () => 'done',
          (error: unknown) => String(error),
        ),
      (outcome) => outcome === 'done',
    )
  }
  const query = `ExecutionStatus = 'Running' AND WorkflowId IN (${ids.map((id) => `'${id}'`).join(', ')})`
  await waitFor(
    async () => (await installation.client.workflow.count(query)).count,
    (count) => count === 0,
  )
}

test('workflows that were terminated by hand come back, and billing goes on without a gap', async () => {
  const billed = await at.newCustomer({ key: 'terminated' })
  await at.subscribe(billed)
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  const declined = await at.newCustomer({ key: 'declined', card: 'pm_card_chargeCustomerFail' })
  await at.subscribe(declined)
  const unpaid = await at.untilInvoice(declined, ({ paymentAttempts }) => paymentAttempts === 1)
  const lost = [
    workflowIds.subscription((await subscriptionOf(installation, billed)).id),
    workflowIds.subscription((await subscriptionOf(installation, declined)).id),
    workflowIds.invoice(unpaid.id),
  ]
  await terminated(...lost)

  const missing = lost.map((subject) => ({ kind: 'workflow_missing', subject, repaired: false }))
  expect(about(await reconcile(installation, true), lost)).toEqual(missing)
  const repaired = missing.map((each) => ({ ...each, repaired: true }))
  expect(about(await reconcile(installation), lost)).toEqual(repaired)
  await waitFor(
    async () => about(await reconcile(installation, true), lost),
    (found) => found.length === 0,
  )

  await giveCard(installation.sandboxUrl, declined.stripeCustomerId)
  for (const each of [billed, declined]) {
    await advanceTo(installation, each.clockId, '2026-03-02T00:00:00Z')
    expect(await closingsOf(installation, each)).toEqual(['2026-01-01', '2026-02-01', '2026-03-01'])
    expect((await atStripe(installation, each)).map(({ status }) => status)).toEqual(['paid', 'paid', 'paid'])
  }
})

test('what is due and not done is told to look again, once as time doubles', async () => {
  const { db } = installation.database
  const customer = await addCustomer(
    installation,
    { ...scenario, clockId: null, stripeClockId: null },
    {
      key: 'overdue',
    },
  )
  await installation.call('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: 'tokens_monthly' },
  })
  const billed = { customerId: customer.id, stripeCustomerId: customer.stripeCustomerId, clockId: '' }
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  const before = await subscriptionOf(installation, billed)
  const dueAt = new Date(Date.now() - 25 * 60 * 1000)
  await db.updateTable('subscriptions').set({ nextDueAt: dueAt }).where('id', '=', before.id).execute()
  const subject = workflowIds.subscription(before.id)
  expect(about(await reconcile(installation), [subject])).toEqual([
    { kind: 'overdue', subject, repaired: true },
  ])
  await waitFor(
    async () => (await subscriptionOf(installation, billed)).nextDueAt?.getTime(),
    (dueMs) => dueMs === before.nextDueAt?.getTime(),
  )
  expect(await closingsOf(installation, billed)).toHaveLength(1)
})

test('a place to go on from that was never given out is refused', async () => {
  for (const after of ['stray_invoice:bm90IGEgdG9rZW4', 'subscription:\u0000', 'nothing here']) {
    await expect(installation.call('POST', '/api/v1/reconciliation', { after })).rejects.toThrow(
      'answered 400',
    )
  }
})

test('a workflow without a row is told of and left alone', async () => {
  const { client, taskQueue } = installation
  const workflowId = workflowIds.testClock('01ARZ3NDEKTSV4RRFFQ69G5FAV')
  const stray = await client.workflow.start('testClock', {
    workflowId,
    taskQueue,
    args: [{ testClockId: '01ARZ3NDEKTSV4RRFFQ69G5FAV', advancing: false }],
  })
  await waitFor(
    async () => about(await reconcile(installation), [workflowId]),
    (found) => found.length === 1 && found[0]?.kind === 'workflow_without_row',
  )
  expect((await stray.describe()).status.name).toBe('RUNNING')
  await stray.terminate()
})

test('rule 30: a refund whose webhook was lost is found in the list of events, be it the first ever compared', async () => {
  const billed = await at.newCustomer({ key: 'lost_webhook' })
  await at.subscribe(billed)
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  // As if none had run since the app was installed.
  await installation.database.db.updateTable('apps').set(asInstalled).execute()
  const { webhookEndpointId } = await installation.database.db
    .selectFrom('apps')
    .select('webhookEndpointId')
    .executeTakeFirstOrThrow()
  const endpoint = `webhook_endpoints/${webhookEndpointId ?? ''}`
  await stripePost(installation.sandboxUrl, endpoint, { disabled: 'true' })
  const { data } = await stripeGet<{ data: { id: string }[] }>(
    installation.sandboxUrl,
    `payment_intents?customer=${billed.stripeCustomerId}`,
  )
  await stripePost(installation.sandboxUrl, 'refunds', { payment_intent: data[0]?.id ?? '', amount: '500' })
  await reconcile(installation)
  await at.untilInvoice(billed, ({ adjustments }) => adjustments?.[0]?.['amount'] === '5.00')
  await stripePost(installation.sandboxUrl, endpoint, { disabled: 'false' })
})

test('what an endpoint is not asked for was not lost by it', async () => {
  const { db } = installation.database
  const billed = await at.newCustomer({ key: 'not_asked' })
  await at.subscribe(billed)
  const paid = await at.untilInvoice(billed, ({ status }) => status === 'paid')
  await stripePost(installation.sandboxUrl, `invoices/${paid.externalIds?.invoicing ?? ''}`, {
    'metadata[seen]': 'yes',
  })
  // As if none had run since the app was installed.
  await db.updateTable('apps').set(asInstalled).execute()
  await db.deleteFrom('stripeEvents').where('invoiceId', '=', paid.id).execute()
  await reconcile(installation)
  const found = await db.selectFrom('stripeEvents').select('type').where('invoiceId', '=', paid.id).execute()
  expect(found.map(({ type }) => type).toSorted()).toEqual(['invoice.finalized', 'invoice.paid'])
})

test('one worker at a time looks by itself, and removes what was done long ago', async () => {
  const { client, taskQueue, sandboxUrl, database } = installation
  const { db } = database
  const long = new Date(Date.now() - 40 * 86_400_000)
  const request = { kind: 'start_invoice', subjectId: 'gone' }
  await db
    .insertInto('outbox')
    .values([
      { ...request, doneAt: long },
      { ...request, nextAttemptAt: new Date(Date.now() + 3_600_000) },
    ])
    .execute()
  const event = { appId: scenario.appId, type: 'x', objectId: 'x', createdAt: long, receivedAt: long }
  await db
    .insertInto('stripeEvents')
    .values({ ...event, eventId: 'evt_old', processedAt: long })
    .execute()
  await db
    .insertInto('idempotencyKeys')
    .values({
      caller: 'x',
      key: 'old',
      method: 'POST',
      path: '/',
      bodyHash: Buffer.from('x'),
      createdAt: long,
    })
    .execute()
  const deps = {
    db,
    temporal: temporalGateway(client, { taskQueue }),
    stripe: createStripeGateway({ masterKey: MASTER_KEY, baseUrl: sandboxUrl, limits: false }),
    log: { info: () => {}, warn: () => {} },
  }
  const loops = [startReconciler(deps, 200), startReconciler(deps, 200)]
  const runs = await waitFor(
    async () => await db.selectFrom('reconciliationRuns').selectAll().orderBy('id').execute(),
    (rows) => rows.filter(({ endedAt }) => endedAt !== null).length >= 3,
  )
  await Promise.all(loops.map(async (loop) => await loop.stop()))
  expect(runs.map(({ error }) => error).filter((error) => error !== null)).toEqual([])
  expect(runs[0]?.examined).toBeGreaterThan(0)
  const starts = runs.map(({ startedAt }) => startedAt.getTime())
  for (const [index, start] of starts.entries())
    expect(start - (starts[index - 1] ?? 0)).toBeGreaterThanOrEqual(100)
  const left = await db.selectFrom('outbox').select('doneAt').where('subjectId', '=', 'gone').execute()
  expect(left).toEqual([{ doneAt: null }])
  expect(
    await db.selectFrom('stripeEvents').select('type').where('eventId', '=', 'evt_old').execute(),
  ).toEqual([])
  expect(await db.selectFrom('idempotencyKeys').select('key').where('key', '=', 'old').execute()).toEqual([])
})
