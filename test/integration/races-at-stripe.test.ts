import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { pushBill } from '../../src/billing/push-bill.ts'
import { runningInvoice } from '../../src/db/stores/running-invoices.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { stripeSubscriptions } from '../support/at-stripe.ts'
import { billedCustomers } from '../support/billed.ts'
import { holdRequest } from '../support/faults.ts'
import { MASTER_KEY, startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { baseFee, mainPhase } from '../support/plans.ts'
import { advanceTo, NEW_YEAR, startScenario, waitFor } from '../support/scenario.ts'
import { stripeDelete, stripeGet, stripePost } from '../support/stripe-client.ts'

/** What comes between two steps: people at Stripe, requests that are late, refusals that last. */
let installation: Installation
let at: ReturnType<typeof stripeSubscriptions>
let billedAt: ReturnType<typeof billedCustomers>

beforeAll(async () => {
  installation = await startInstallation()
  const scenario = await startScenario(installation)
  at = stripeSubscriptions(installation, scenario)
  billedAt = billedCustomers(installation, scenario)
  await at.begin()
  await addFeePlan()
})
afterEach(async () => {
  await billedAt.sandbox('DELETE', '/faults')
  await billedAt.sandbox('DELETE', '/webhooks/rules')
})
afterAll(async () => {
  await installation.close()
})

const items = { stripe: { billing: 'subscription_items' } }

/** Ten dollars, due at the start. */
async function addFeePlan(): Promise<void> {
  const phases = [mainPhase(baseFee('10'))]
  const plan = { key: 'fee_plan', name: 'Fee', currency: 'USD', billingCadence: 'P1M', phases }
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/plans', plan)
  await installation.call('POST', `/api/v1/plans/${id}/publish`)
}

/** How many requests the product has sent so far whose path matches. */
async function requests(path: string, method = 'POST'): Promise<number> {
  const query = `/requests?method=${method}&path=${encodeURIComponent(path)}`
  return (await billedAt.sandbox<{ requests: unknown[] }>('GET', query)).requests.length
}

/** Waits until the workflow is there and has done all that it was told of. */
async function untilIdle(workflowId: string): Promise<void> {
  const handle = installation.client.workflow.getHandle(workflowId)
  await waitFor(
    async () => {
      const described = await handle.describe().catch(() => null)
      return described !== null && (described.raw.pendingWorkflowTask ?? null) === null
    },
    (isDone) => isDone,
  )
}

const aMoment = async (ms: number): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, ms))
}

/** A person invoices at Stripe what is pending there. */
async function sweep(customer: string): Promise<void> {
  const fields = { customer, pending_invoice_items_behavior: 'include', auto_advance: 'false' }
  const swept = await stripePost(installation.sandboxUrl, 'invoices', fields)
  await stripePost(installation.sandboxUrl, `invoices/${swept.id}/finalize`)
  await stripePost(installation.sandboxUrl, `invoices/${swept.id}/pay`, { paid_out_of_band: 'true' })
}

test('an item that somebody deletes after the period is made again, and nothing is paid before it is', async () => {
  const subscribed = await at.subscribedAtStripe('deleted_item', items)
  const { clockId, stripeCustomerId, subscriptionId } = subscribed
  const { sandboxUrl, database } = installation
  // Without a subscription at Stripe nothing sweeps by itself.
  await database.db
    .updateTable('subscriptions')
    .set({ stripeSubscriptionId: null, stripeAppId: null })
    .where('id', '=', subscriptionId)
    .execute()
  await at.usage('deleted_item', NEW_YEAR, { tokens: 900 })
  await advanceTo(installation, clockId, '2026-02-01T00:00:01Z')
  const isIssued = (bill?: { statusDetails: { extendedStatus: string } }) =>
    bill?.statusDetails.extendedStatus === 'issued.billed_by_stripe'
  await waitFor(
    async () => await at.billsOf(subscribed),
    ([bill]) => isIssued(bill),
  )
  const { data } = await stripeGet<{ data: { id: string; amount: number }[] }>(
    sandboxUrl,
    `invoiceitems?customer=${stripeCustomerId}&limit=100`,
  )
  expect(data.map(({ amount }) => amount)).toEqual([900])
  await stripeDelete(sandboxUrl, `invoiceitems/${data[0]?.id}`)
  await advanceTo(installation, clockId, '2026-02-03T00:00:00Z')
  const [bill] = await at.billsOf(subscribed)
  expect(bill).toMatchObject({
    statusDetails: { extendedStatus: 'issued.billed_by_stripe' },
    amountPaid: '0.00',
  })
  expect(await at.itemsOf(subscribed)).toEqual([[900, 'pending']])
  await sweep(stripeCustomerId)
  await advanceTo(installation, clockId, '2026-02-08T00:00:00Z')
  expect(await at.billsOf(subscribed)).toMatchObject([{ status: 'paid', amountPaid: '9.00' }])
})

test('what cannot be taken back at Stripe says why and is looked at now and then, not all the time', async () => {
  const subscribed = await at.subscribedAtStripe('stuck_withdrawal', items)
  const { clockId, stripeCustomerId, customerId } = subscribed
  await at.usage('stuck_withdrawal', NEW_YEAR, { tokens: 900 })
  await advanceTo(installation, clockId, '2026-01-05T00:00:00Z')
  const { id } = await at.invoiceNow(subscribed)
  await sweep(stripeCustomerId)
  await billedAt.sandbox('POST', '/webhooks/rules', { action: 'drop', type: '^customer', times: 0 })
  await stripeDelete(installation.sandboxUrl, `customers/${stripeCustomerId}`)
  await installation.call('PUT', `/api/v1/billing/customers/${customerId}`, {
    stripe: { billing: 'invoice' },
  })
  const path = '/v1/invoiceitems$'
  const before = await requests(path)
  await at.invoiceNow(subscribed)
  const shown = await waitFor(
    async () =>
      await installation.call<{ validationIssues?: object[] }>('GET', `/api/v1/billing/invoices/${id}`),
    ({ validationIssues }) => validationIssues !== undefined,
  )
  expect(shown).toMatchObject({
    status: 'draft',
    validationIssues: [{ message: expect.stringContaining('No such customer') }],
  })
  await aMoment(3000)
  expect((await requests(path)) - before).toBeLessThanOrEqual(3)
})

test('rule 31: an item whose request is still under way when it is sent again is there once', async () => {
  const subscribed = await at.subscribedAtStripe('under_way', items)
  const { database, sandboxUrl } = installation
  const options = { masterKey: MASTER_KEY, baseUrl: sandboxUrl, limits: false } as const
  const stripe = createStripeGateway(options)
  const impatient = createStripeGateway({ ...options, timeoutMs: 400 })
  await advanceTo(installation, subscribed.clockId, '2026-01-05T00:00:00Z')
  // Rated here, and sent by hand.
  await installation.call('PUT', `/api/v1/billing/customers/${subscribed.customerId}`, {
    stripe: { billing: 'subscription_items', send: 'approved_bills' },
  })
  await at.usage('under_way', NEW_YEAR, { tokens: 900 })
  await at.invoiceNow(subscribed)
  const push = async (by = stripe) => {
    const row = await runningInvoice(database.db, subscribed.subscriptionId)
    if (row === undefined) throw new Error('no running invoice')
    await pushBill({ db: database.db, stripe: by }, row, Date.parse('2026-01-05T00:00:00Z'))
  }
  const held = await holdRequest(sandboxUrl, { kind: 'hold', method: 'POST', path: '/v1/invoiceitems$' })
  // On a busy machine it may be given up before it is there.
  await waitFor(
    async () => {
      await expect(push(impatient)).rejects.toThrow()
      return await held.sent()
    },
    (times) => times > 0,
  )
  await push().catch(() => {})
  await held.letGo()
  await waitFor(
    async () => await at.itemsOf(subscribed),
    (there) => there.length > 0,
  )
  expect(await at.itemsOf(subscribed)).toEqual([[900, 'pending']])
  await push()
  expect(await at.itemsOf(subscribed)).toEqual([[900, 'pending']])
})

test('Stripe’s word that our finalizing failed is no reason to finalize again', async () => {
  const workflow = { tax: { enabled: true, enforced: true } }
  const billed = await billedAt.newCustomer({ key: 'echo', workflow })
  await billedAt.subscribe(billed, 'fee_plan')
  const failed = await billedAt.untilInvoice(
    billed,
    ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.failed',
  )
  const { db } = installation.database
  // What Stripe said by itself has been heard.
  await waitFor(
    async () => {
      const { settled } = await billedAt.sandbox<{ settled: boolean }>('GET', '/settled')
      const open = db.selectFrom('stripeEvents').select('eventId').where('processedAt', 'is', null)
      return settled && (await open.where('invoiceId', '=', failed.id).execute()).length === 0
    },
    (isHeard) => isHeard,
  )
  await untilIdle(`invoice/${failed.id}`)
  const finalizing = `/${failed.externalIds?.invoicing ?? ''}/finalize$`
  const tried = await requests(finalizing)
  expect(tried).toBeGreaterThan(0)
  const { appId } = await db
    .selectFrom('invoices')
    .select('appId')
    .where('id', '=', failed.id)
    .executeTakeFirstOrThrow()
  for (const type of ['invoice.finalization_failed', 'invoice.updated']) {
    await db
      .insertInto('stripeEvents')
      .values({
        eventId: `evt_echo_${type}`,
        appId,
        type,
        objectId: failed.externalIds?.invoicing ?? '',
        sourceId: failed.externalIds?.invoicing ?? '',
        invoiceId: failed.id,
        createdAt: new Date(),
      })
      .execute()
  }
  await waitFor(
    async () =>
      await db
        .selectFrom('stripeEvents')
        .select('eventId')
        .where('processedAt', 'is', null)
        .where('eventId', 'like', 'evt_echo_%')
        .execute(),
    (rows) => rows.length === 0,
  )
  await untilIdle(`invoice/${failed.id}`)
  expect(await requests(finalizing)).toBe(tried)
})

test('a clock is ready when its running invoice is at Stripe', async () => {
  const { call } = installation
  const subscribed = await at.subscribedAtStripe('mirrored_slowly')
  await call('PUT', `/api/v1/billing/customers/${subscribed.customerId}`, {
    stripe: { synchronize: 'continuously' },
  })
  await at.invoiceNow(subscribed)
  await at.usage('mirrored_slowly', '2026-01-01T00:00:00Z', { tokens: 500 })
  await billedAt.sandbox('POST', '/faults', {
    kind: 'latency',
    method: 'POST',
    path: '/v1/invoices',
    latencyMs: 1500,
    times: 0,
  })
  await advanceTo(installation, subscribed.clockId, '2026-01-02T00:00:00Z')
  const [bill] = await at.billsOf(subscribed)
  const { data } = await stripeGet<{ data: { status: string; total: number }[] }>(
    installation.sandboxUrl,
    `invoices?customer=${subscribed.stripeCustomerId}&status=draft`,
  )
  expect(data.map(({ total }) => total)).toEqual([500])
  expect(bill).toMatchObject({ status: 'draft', sentToStripeAt: '2026-01-02T00:00:00.000Z' })
})

test('a Stripe that hangs on an event does not hold up what waits in the outbox, nor events that need no Stripe', async () => {
  const { database, call, sandboxUrl } = installation
  const { db } = database
  const { appId } = await db.selectFrom('invoices').select('appId').executeTakeFirstOrThrow()
  const put = async (eventId: string, type: string, sourceId: string): Promise<void> => {
    const event = {
      eventId,
      appId,
      type,
      objectId: 'cus_slow',
      sourceId,
      invoiceId: null,
      createdAt: new Date(),
    }
    await db.insertInto('stripeEvents').values(event).execute()
  }
  const eventOf = async (eventId: string) =>
    await db.selectFrom('stripeEvents').selectAll().where('eventId', '=', eventId).executeTakeFirstOrThrow()
  const path = '/v1/subscriptions/sub_slow'
  const held = await holdRequest(sandboxUrl, { kind: 'hold', method: 'GET', path, times: 0 })
  /** Whether the outbox delivers while the inbox waits for Stripe, which it does for some seconds at a time. */
  const overtakes = async (): Promise<boolean> => {
    const { attempts } = await waitFor(
      async () => ({ ...(await eventOf('evt_slow')), sent: await held.sent() }),
      ({ attempts, sent }) => sent > attempts,
    )
    const clock = { name: 'slow', frozenTime: NEW_YEAR }
    const { id } = await call<{ id: string }>('POST', '/api/v1/test-clocks', clock)
    await waitFor(
      async () => await db.selectFrom('outbox').select('doneAt').where('subjectId', '=', id).execute(),
      (rows) => rows.every(({ doneAt }) => doneAt !== null),
    )
    return (await eventOf('evt_slow')).attempts === attempts
  }
  await put('evt_slow', 'customer.subscription.updated', 'sub_slow')
  await held.arrived()
  await put('evt_fast', 'customer.updated', 'cus_slow')
  // A machine may be too busy to deliver anything in these seconds: once is enough.
  let isOvertaken = await overtakes()
  for (let tries = 1; tries < 4 && !isOvertaken; tries++) isOvertaken = await overtakes()
  expect(isOvertaken).toBe(true)
  await waitFor(
    async () => await eventOf('evt_fast'),
    ({ processedAt }) => processedAt !== null,
  )
  expect(await eventOf('evt_slow')).toMatchObject({ processedAt: null })
})

test('rule 17: a draft that is changed while it is finalized is not collected', async () => {
  const billed = await billedAt.newCustomer({ key: 'changed_between' })
  const { sandboxUrl } = installation
  const held = await holdRequest(sandboxUrl, { kind: 'hold', method: 'POST', path: '/finalize$' })
  await billedAt.subscribe(billed, 'fee_plan')
  await held.arrived()
  const {
    data: [draft],
  } = await stripeGet<{ data: { id: string; number: string | null }[] }>(
    sandboxUrl,
    `invoices?customer=${billed.stripeCustomerId}`,
  )
  expect(draft?.number).toEqual(expect.any(String))
  await stripePost(installation.sandboxUrl, 'invoiceitems', {
    customer: billed.stripeCustomerId,
    invoice: draft?.id ?? '',
    amount: '777',
    currency: 'usd',
  })
  await held.letGo()
  const failed = await billedAt.untilInvoice(
    billed,
    ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.failed',
  )
  expect(failed).toMatchObject({ validationIssues: [{ code: 'stripe_totals_differ' }], amountPaid: '0.00' })
  const path = `invoices/${draft?.id}`
  expect(await stripeGet(installation.sandboxUrl, path)).toMatchObject({ status: 'open', amount_paid: 0 })
})
