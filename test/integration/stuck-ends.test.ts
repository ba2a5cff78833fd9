import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stepSubscription } from '../../src/billing/subscription-step.ts'
import { insertOutbox } from '../../src/db/stores/outbox.ts'
import { lockCustomer } from '../../src/db/stores/subscription-create.ts'
import { heardOf } from '../support/heard.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import {
  addCustomer,
  addTokenPlan,
  advanceTo,
  onOwnClock,
  startScenario,
  waitFor,
} from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { giveCard, stripeGet, stripePost } from '../support/stripe-client.ts'

const start = '2026-01-01T00:00:00Z'
let installation: Installation
let scenario: Scenario

beforeAll(async () => {
  installation = await startInstallation()
  scenario = await startScenario(installation, {
    frozenTime: start,
    dunning: { retries: ['P3D', 'P7D'], end: 'leave_overdue', grace: 'P7D' },
  })
  await addTokenPlan(installation)
})
afterAll(async () => {
  await installation.close()
})

interface HasId {
  readonly id: string
}

interface Invoice extends HasId {
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly hostedInvoiceUrl?: string
}

const dbOf = () => installation.database.db

const invoicesOf = async (customerId: string): Promise<readonly Invoice[]> =>
  (
    await installation.call<{ items: Invoice[] }>(
      'GET',
      `/api/v1/billing/invoices?customers=${customerId}&order=ASC`,
    )
  ).items

const subscribe = async (customerId: string, more: object = {}): Promise<string> =>
  (
    await installation.call<HasId>('POST', '/api/v1/subscriptions', {
      customerId,
      plan: { key: 'tokens_monthly' },
      ...more,
    })
  ).id

const paid = async (customerId: string): Promise<Invoice> => {
  const items = await waitFor(
    async () => await invoicesOf(customerId),
    (found) => found.length > 0 && found.every(({ status }) => status === 'paid'),
  )
  const first = items[0]
  if (!first) throw new Error('no invoice')
  return first
}

test('an e-mailed invoice whose customer’s card failed on Stripe’s page goes on waiting, and the clock arrives', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, {
    key: 'page-fails',
    card: null,
    email: 'a@b.example',
  })
  const profile = await installation.call<HasId>('POST', '/api/v1/billing/profiles', {
    name: 'E-mailed',
    default: false,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow: { payment: { collectionMethod: 'send_invoice' }, invoicing: { dueAfter: 'P30D' } },
    apps: { tax: own.appId, invoicing: own.appId, payment: own.appId },
  })
  await installation.call('PUT', `/api/v1/billing/customers/${customer.id}`, { billingProfileId: profile.id })
  await subscribe(customer.id)
  const invoice = await waitFor(
    async () => (await invoicesOf(customer.id))[0],
    (found) => found?.status === 'issued',
  )
  await fetch(invoice?.hostedInvoiceUrl ?? '', {
    method: 'POST',
    body: new URLSearchParams({ card: '4000000000000341' }),
  })
  await advanceTo(installation, own.clockId, '2026-01-20T00:00:00Z')
  expect((await invoicesOf(customer.id))[0]?.status).toBe('issued')
})

test('rule 32: what a missing card left unpaid is collected when one is added', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'card-gone' })
  await subscribe(customer.id)
  await paid(customer.id)
  const { sandboxUrl } = installation
  const cards = await stripeGet<{ data: HasId[] }>(
    sandboxUrl,
    `customers/${customer.stripeCustomerId}/payment_methods`,
  )
  for (const { id } of cards.data) await stripePost(sandboxUrl, `payment_methods/${id}/detach`)
  // Heard later, it would have the invoice charged again that waits for a card.
  await heardOf(installation, customer.stripeCustomerId)
  await advanceTo(installation, own.clockId, '2026-02-02T00:00:00Z')
  const second = async () => (await invoicesOf(customer.id))[1]
  expect((await second())?.statusDetails.extendedStatus).toBe('issued.payment_method_needed')

  await giveCard(sandboxUrl, customer.stripeCustomerId)
  await waitFor(second, (invoice) => invoice?.status === 'paid')
})

test('rule 30: an invoice that was paid without our knowing is not voided: it is refused, and booked as paid', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'paid-unseen' })
  await subscribe(customer.id)
  const { id } = await paid(customer.id)
  await dbOf()
    .updateTable('invoices')
    // Nothing is due: its workflow takes no step before the command.
    .set({ status: 'issued', paidAt: null, hasWorkflow: true, nextDueAt: null })
    .where('id', '=', id)
    .execute()
  await expect(
    installation.call('POST', `/api/v1/billing/invoices/${id}/void`, {
      action: { percentage: 100, action: { type: 'discard' } },
      reason: 'a mistake',
    }),
  ).rejects.toThrow('action_not_available')
  expect((await invoicesOf(customer.id))[0]?.status).toBe('paid')
})

test('every command gets its answer, also one that comes while the last step ends the subscription', async () => {
  const customer = await addCustomer(installation, scenario, { key: 'ends-twice' })
  const id = await subscribe(customer.id, { timing: '2026-03-01T00:00:00Z' })
  const handle = installation.client.workflow.getHandle(`subscription/${id}`)
  const cancel = async (requestId: string) =>
    await handle.executeUpdate('subscriptionCommand', {
      args: [{ kind: 'cancel', requestId, effectiveAtMs: Date.parse(start) }],
      updateId: requestId,
    })
  const answers = await Promise.allSettled([cancel('first'), cancel('second'), cancel('third')])
  expect(answers.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected'])
  await handle.result()
})

test('a cancelation is not withdrawn while a subscription that follows is being made', async () => {
  const customer = await addCustomer(installation, scenario, { key: 'overlap' })
  const id = await subscribe(customer.id)
  await paid(customer.id)
  const asOfMs = Date.parse(start)
  const step = async (command: Parameters<typeof stepSubscription>[1]['command'] & object) =>
    await stepSubscription(dbOf(), { subscriptionId: id, asOfMs, command, newId: ulid, jitterWindowMs: 0 })
  const endsMs = Date.parse('2026-01-15T00:00:00Z')
  await step({ kind: 'cancel', requestId: ulid(), effectiveAtMs: endsMs })
  let withdrawn: ReturnType<typeof step> | undefined
  await dbOf()
    .transaction()
    .execute(async (trx) => {
      await lockCustomer(trx, customer.id)
      const first = trx.selectFrom('subscriptions').selectAll().where('id', '=', id)
      const row = await first.executeTakeFirstOrThrow()
      const { phases } = row
      await trx
        .insertInto('subscriptions')
        .values({
          ...row,
          phases: JSON.stringify(phases),
          id: ulid(),
          activeFrom: new Date(endsMs),
          activeTo: null,
        })
        .execute()
      withdrawn = step({ kind: 'unschedule_cancelation', requestId: ulid() })
      // It has begun, and waits for this transaction.
      await waitFor(lockWaits, (waits) => waits > 0)
    })
  expect((await withdrawn)?.refused?.code).toBe('subscription_overlap')
})

/** How many connections to this test's database wait for a lock. */
async function lockWaits(): Promise<number> {
  const { rows } = await sql<{ waits: number }>`
    SELECT count(*)::int AS waits FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`.execute(dbOf())
  return rows[0]?.waits ?? 0
}

test('rule 32: the end of dunning cancels as of what was billed when more was billed meanwhile', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'billed-on' })
  const id = await subscribe(customer.id)
  await paid(customer.id)
  await advanceTo(installation, own.clockId, '2026-02-01T00:00:00Z')
  const [invoice] = await invoicesOf(customer.id)
  const payload = { invoiceId: invoice?.id, effectiveAtMs: Date.parse('2026-01-20T00:00:00Z') }
  await insertOutbox(dbOf(), { kind: 'invoice_outcome', subjectId: id, payload })
  const row = await waitFor(
    async () =>
      await dbOf()
        .selectFrom('subscriptions')
        .select('activeTo')
        .where('id', '=', id)
        .executeTakeFirstOrThrow(),
    ({ activeTo }) => activeTo !== null,
  )
  expect(row.activeTo).toEqual(new Date('2026-02-01T00:00:00Z'))
})

test('rule 32: the end of dunning cancels at once what was canceled for later', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'canceled-for-later' })
  const id = await subscribe(customer.id)
  await paid(customer.id)
  await installation.call('POST', `/api/v1/subscriptions/${id}/cancel`, { timing: '2026-12-01T00:00:00Z' })
  await advanceTo(installation, own.clockId, '2026-01-20T00:00:00Z')
  const [invoice] = await invoicesOf(customer.id)
  const effectiveAtMs = Date.parse('2026-01-20T00:00:00Z')
  await insertOutbox(dbOf(), {
    kind: 'invoice_outcome',
    subjectId: id,
    payload: { invoiceId: invoice?.id, effectiveAtMs },
  })
  // The clock moves on when no message about its customers is left.
  await advanceTo(installation, own.clockId, '2026-03-02T00:00:00Z')
  const row = dbOf().selectFrom('subscriptions').select('activeTo').where('id', '=', id)
  expect(await row.executeTakeFirstOrThrow()).toEqual({ activeTo: new Date(effectiveAtMs) })
})

test('a subscription that is canceled before it begins has ended, and its customer can go', async () => {
  const customer = await addCustomer(installation, scenario, { key: 'never-begins' })
  const id = await subscribe(customer.id, { timing: '2099-01-01T00:00:00Z' })
  const canceled = await installation.call('POST', `/api/v1/subscriptions/${id}/cancel`, {})
  expect(canceled).toMatchObject({ status: 'inactive', lifecycle: 'ended' })
  await installation.call('DELETE', `/api/v1/customers/${customer.id}`)
})

test('a subscription does not begin within one that has ended, which would bill its usage twice', async () => {
  const own = await onOwnClock(installation, scenario)
  const customer = await addCustomer(installation, own, { key: 'begins-within' })
  const id = await subscribe(customer.id)
  await paid(customer.id)
  await advanceTo(installation, own.clockId, '2026-01-20T12:00:00Z')
  await installation.call('POST', `/api/v1/subscriptions/${id}/cancel`, {})
  await waitFor(
    async () => await installation.call<{ lifecycle: string }>('GET', `/api/v1/subscriptions/${id}`),
    ({ lifecycle }) => lifecycle === 'ended',
  )
  await expect(subscribe(customer.id, { timing: '2026-01-20T11:59:59Z' })).rejects.toThrow(
    'subscription_overlap',
  )
  await subscribe(customer.id, { timing: '2026-01-20T12:00:00Z' })
})
