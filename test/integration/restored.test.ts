import { afterAll, beforeAll, expect, test } from 'vitest'
import { workflowIds } from '../../src/temporal/ids.ts'
import { billedCustomers } from '../support/billed.ts'
import { copyDatabase } from '../support/database.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { about, atStripe, closingsOf, reconcile, subscriptionOf } from '../support/reconciling.ts'
import { addTokenPlan, advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import { emptyNamespace } from '../support/temporal.ts'

let installation: Installation
let at: ReturnType<typeof billedCustomers>

beforeAll(async () => {
  installation = await startInstallation()
  const scenario = await startScenario(installation)
  await addTokenPlan(installation)
  at = billedCustomers(installation, scenario)
})
afterAll(async () => {
  await installation.close()
})

let nextEvent = 0
const usage = async (subject: string, time: string, tokens: number): Promise<void> =>
  await installation.call('POST', '/api/v1/events', [
    {
      specversion: '1.0',
      id: `${nextEvent++}`,
      source: 'restored',
      type: 'request',
      subject,
      time,
      data: { tokens, kind: 'context' },
    },
  ])

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
        .execute(),
    (rows) => rows.length === 0,
  )

  const database = await copyDatabase(installation.database)
  // What the backup does not have: February's invoices, paid.
  const advanceAll = async (where: Installation, to: string): Promise<void> => {
    await Promise.all(customers.map(async ({ clockId }) => await advanceTo(where, clockId, to)))
  }
  await advanceAll(installation, '2026-02-02T00:00:00Z')
  const before = await Promise.all(customers.map(async (billed) => await atStripe(installation, billed)))
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
          workflowIds.subscription((await subscriptionOf(installation, billed)).id),
        ),
      )),
      workflowIds.invoice(draft.id),
    ]
    expect(about(findings, workflows)).toHaveLength(workflows.length)

    // A number that Stripe has is not given out again.
    await restored.call('POST', `/api/v1/billing/invoices/${draft.id}/approve`)
    const taken = new Set(before.flat().map(({ number }) => number))
    const approved = await waitFor(
      async () => await atStripe(installation, waiting),
      ([one]) => one?.status === 'paid',
    )
    expect(taken.has(approved[0]?.number ?? null)).toBe(false)

    await advanceAll(restored, '2026-02-02T00:00:00Z')
    for (const [index, billed] of customers.entries()) {
      expect(await atStripe(installation, billed)).toEqual(before[index])
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
      expect(await closingsOf(restored, billed)).toEqual(['2026-01-01', '2026-02-01', '2026-03-01'])
      expect(
        (await atStripe(installation, billed)).map(({ status, amount_paid }) => [status, amount_paid]),
      ).toEqual([
        ['paid', 2000],
        ['paid', 3250],
        ['paid', 2000],
      ])
    }
    const numbers = (await Promise.all(customers.map(async (billed) => await atStripe(installation, billed))))
      .flat()
      .map(({ number }) => number)
    expect(new Set(numbers).size).toBe(numbers.length)
  } finally {
    await restored.close()
  }
}, 180_000)
