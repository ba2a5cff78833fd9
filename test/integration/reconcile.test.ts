import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReconciler } from '../../src/reconcile/loop.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { temporalGateway } from '../../src/temporal/gateway.ts'
import { workflowIds } from '../../src/temporal/ids.ts'
import { billedCustomers } from '../support/billed.ts'
import type { BilledCustomer } from '../support/billed.ts'
import { copyDatabase } from '../support/database.ts'
import { MASTER_KEY, startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { giveCard, stripeGet, stripePost } from '../support/stripe-client.ts'
import { emptyNamespace } from '../support/temporal.ts'

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

interface Finding {
  readonly kind: string
  readonly subject: string
  readonly repaired: boolean
}

/** Everything, as the command line asks for it. */
async function reconcile({ call }: Installation, dryRun = false): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  let after: string | undefined
  do {
    const answer: { readonly findings: readonly Finding[]; readonly next?: string } = await call(
      'POST',
      '/api/v1/reconciliation',
      { dryRun, ...(after !== undefined && { after }) },
    )
    findings.push(...answer.findings)
    after = answer.next
  } while (after !== undefined)
  return findings
}

const about = (findings: readonly Finding[], subjects: readonly string[]) =>
  findings
    .filter(({ subject }) => subjects.includes(subject))
    .map(({ kind, subject, repaired }) => ({ kind, subject, repaired }))

const subscriptionOf = async ({ customerId }: BilledCustomer, { database } = installation) =>
  await database.db
    .selectFrom('subscriptions')
    .selectAll()
    .where('customerId', '=', customerId)
    .executeTakeFirstOrThrow()

interface StripeInvoice {
  readonly id: string
  readonly number: string | null
  readonly status: string
  readonly amount_paid: number
}

/** What Stripe has of the customer: the other book of what was billed. */
const atStripe = async ({ stripeCustomerId }: BilledCustomer): Promise<readonly StripeInvoice[]> => {
  const path = `invoices?customer=${stripeCustomerId}&limit=100`
  const { data } = await stripeGet<{ data: StripeInvoice[] }>(installation.sandboxUrl, path)
  return data.toReversed()
}

const closingsOf = async (billed: BilledCustomer, where = installation): Promise<readonly string[]> => {
  const rows = await where.database.db
    .selectFrom('invoices')
    .select('closingAt')
    .where('customerId', '=', billed.customerId)
    .orderBy('closingAt')
    .execute()
  return rows.map(({ closingAt }) => closingAt.toISOString().slice(0, 10))
}

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

let nextEvent = 0
const usage = async (subject: string, time: string, tokens: number): Promise<void> =>
  await installation.call('POST', '/api/v1/events', [
    {
      specversion: '1.0',
      id: `${nextEvent++}`,
      source: 'reconcile',
      type: 'request',
      subject,
      time,
      data: { tokens, kind: 'context' },
    },
  ])

test('workflows that were terminated by hand come back, and billing goes on without a gap', async () => {
  const billed = await at.newCustomer({ key: 'terminated' })
  await at.subscribe(billed)
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  const declined = await at.newCustomer({ key: 'declined', card: 'pm_card_chargeCustomerFail' })
  await at.subscribe(declined)
  const unpaid = await at.untilInvoice(declined, ({ paymentAttempts }) => paymentAttempts === 1)
  const lost = [
    workflowIds.subscription((await subscriptionOf(billed)).id),
    workflowIds.subscription((await subscriptionOf(declined)).id),
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
    expect(await closingsOf(each)).toEqual(['2026-01-01', '2026-02-01', '2026-03-01'])
    expect((await atStripe(each)).map(({ status }) => status)).toEqual(['paid', 'paid', 'paid'])
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
  const before = await subscriptionOf(billed)
  const dueAt = new Date(Date.now() - 25 * 60 * 1000)
  await db.updateTable('subscriptions').set({ nextDueAt: dueAt }).where('id', '=', before.id).execute()
  const subject = workflowIds.subscription(before.id)
  expect(about(await reconcile(installation), [subject])).toEqual([
    { kind: 'overdue', subject, repaired: true },
  ])
  await waitFor(
    async () => (await subscriptionOf(billed)).nextDueAt?.getTime(),
    (dueMs) => dueMs === before.nextDueAt?.getTime(),
  )
  expect(await closingsOf(billed)).toHaveLength(1)
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

test('rule 31: restored to before its last invoices into an empty Temporal, it adopts them and bills on', async () => {
  const keys = ['restored_a', 'restored_b'] as const
  const customers = await Promise.all(keys.map(async (key) => await at.newCustomer({ key })))
  const waiting = await at.newCustomer({
    key: 'restored_waiting',
    workflow: { invoicing: { autoAdvance: false } },
  })
  for (const billed of [...customers, waiting]) await at.subscribe(billed)
  for (const billed of customers) await at.untilInvoice(billed, ({ status }) => status === 'paid')
  const draft = await at.untilInvoice(waiting, ({ status }) => status === 'draft')
  for (const key of keys) await usage(key, '2026-01-20T00:00:00Z', 1500)
  await reconcile(installation)
  // What is on its way to Temporal would begin by itself where the backup is restored.
  await waitFor(
    async () =>
      await installation.database.db
        .selectFrom('outbox')
        .select('kind')
        .where('doneAt', 'is', null)
        .where('subjectId', '!=', 'gone')
        .execute(),
    (rows) => rows.length === 0,
  )

  const database = await copyDatabase(installation.database)
  // What the backup does not have: February's invoices, paid.
  const advanceAll = async (where: Installation, to: string): Promise<void> => {
    await Promise.all(customers.map(async ({ clockId }) => await advanceTo(where, clockId, to)))
  }
  await advanceAll(installation, '2026-02-02T00:00:00Z')
  const before = await Promise.all(customers.map(async (billed) => await atStripe(billed)))
  expect(before.map((invoices) => invoices.map(({ status }) => status))).toEqual([
    ['paid', 'paid'],
    ['paid', 'paid'],
  ])

  const namespace = await emptyNamespace(installation.client)
  const restored = await startInstallation({
    on: { database, sandboxUrl: installation.sandboxUrl, namespace },
  })
  try {
    const findings = await reconcile(restored)
    const lost = before.map(([, last]) => last?.id ?? '')
    const onlyThere = about(findings, lost).filter(({ kind }) => kind === 'invoice_only_at_stripe')
    expect(new Set(onlyThere.map(({ subject }) => subject))).toEqual(new Set(lost))
    const workflows = [
      ...(await Promise.all(
        [...customers, waiting].map(async (billed) =>
          workflowIds.subscription((await subscriptionOf(billed)).id),
        ),
      )),
      workflowIds.invoice(draft.id),
    ]
    expect(about(findings, workflows)).toHaveLength(workflows.length)

    // A number that Stripe has is not given out again.
    await restored.call('POST', `/api/v1/billing/invoices/${draft.id}/approve`)
    const taken = new Set(before.flat().map(({ number }) => number))
    const approved = await waitFor(
      async () => await atStripe(waiting),
      ([one]) => one?.status === 'paid',
    )
    expect(taken.has(approved[0]?.number ?? null)).toBe(false)

    await advanceAll(restored, '2026-02-02T00:00:00Z')
    for (const [index, billed] of customers.entries()) {
      expect(await atStripe(billed)).toEqual(before[index])
      const rows = await restored.database.db
        .selectFrom('invoices')
        .select(['number', 'stripeInvoiceId', 'status'])
        .where('customerId', '=', billed.customerId)
        .orderBy('closingAt')
        .execute()
      expect(rows).toEqual(
        before[index]?.map(({ number, id, status }) => ({ number, stripeInvoiceId: id, status })),
      )
    }
    await advanceAll(restored, '2026-03-02T00:00:00Z')
    for (const billed of customers) {
      expect(await closingsOf(billed, restored)).toEqual(['2026-01-01', '2026-02-01', '2026-03-01'])
      expect((await atStripe(billed)).map(({ status, amount_paid }) => [status, amount_paid])).toEqual([
        ['paid', 2000],
        ['paid', 3250],
        ['paid', 2000],
      ])
    }
    const numbers = (await Promise.all(customers.map(async (billed) => await atStripe(billed))))
      .flat()
      .map(({ number }) => number)
    expect(new Set(numbers).size).toBe(numbers.length)
  } finally {
    await restored.close()
  }
}, 180_000)
