import { afterAll, beforeAll, expect, test } from 'vitest'
import { billedCustomers } from '../support/billed.ts'
import type { BilledCustomer } from '../support/billed.ts'
import { begun, invoicesOf, subscribe } from '../support/billing-paths.ts'
import { readHistory } from '../support/history.ts'
import { startInstallation } from '../support/installation.ts'
import { addTokenPlan, advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { giveCard, stripeGet } from '../support/stripe-client.ts'
import type { TestWorker } from '../support/worker.ts'
import { bundleNextVersion } from './changed-bundle.ts'

/** Subscriptions fall asleep under one version of the workflows and wake under the next, which takes one more step. */
let installation: Awaited<ReturnType<typeof startInstallation>>
let scenario: Scenario
let at: ReturnType<typeof billedCustomers>
let bundles: Readonly<Record<'patched' | 'unpatched', string>>
/** Whom the next version took a note of. */
const noted = new Set<string>()

beforeAll(async () => {
  const [patched, unpatched] = await Promise.all([
    bundleNextVersion('patched'),
    bundleNextVersion('unpatched'),
  ])
  bundles = { patched, unpatched }
  installation = await startInstallation({ worker: null })
  scenario = await startScenario(installation, {
    dunning: { retries: ['P3D', 'P7D'], end: 'leave_overdue', grace: 'P7D' },
  })
  await addTokenPlan(installation)
  at = billedCustomers(installation, scenario)
})
afterAll(async () => {
  await installation.close()
})

/** WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR. */
const NON_DETERMINISTIC = 24

const noteStep = async (id: string): Promise<void> => void noted.add(id)
const startNext = async (change: 'patched' | 'unpatched'): Promise<TestWorker> =>
  await installation.startWorker({ bundlePath: bundles[change], activities: { noteStep } })

interface Sleeper extends BilledCustomer {
  readonly subscriptionId: string
}

/** A customer on a clock of their own whose first invoice is as wanted; both their workflows wait. */
async function asleep(key: string, card: string, status: string): Promise<Sleeper> {
  const billed = await at.newCustomer({ key, card })
  await at.subscribe(billed)
  const { id } = await at.untilInvoice(billed, ({ statusDetails }) => statusDetails.extendedStatus === status)
  if (status !== 'paid') await begun({ installation, scenario }, id)
  // The first retry is on the fourth.
  await advanceTo(installation, billed.clockId, '2026-01-05T00:00:00Z')
  const { items } = await installation.call<{ items: { id: string }[] }>(
    'GET',
    `/api/v1/customers/${billed.customerId}/subscriptions`,
  )
  return { ...billed, subscriptionId: items[0]?.id ?? '' }
}

const paying = async (key: string): Promise<Sleeper> => await asleep(key, 'pm_card_visa', 'paid')
const dunned = async (key: string): Promise<Sleeper> =>
  await asleep(key, 'pm_card_chargeCustomerFail', 'issued.payment_failed')

const newCard = async ({ stripeCustomerId }: BilledCustomer): Promise<unknown> =>
  await giveCard(installation.sandboxUrl, stripeCustomerId)

/** What was charged at Stripe, in all. */
async function charged({ stripeCustomerId }: Pick<BilledCustomer, 'stripeCustomerId'>): Promise<unknown> {
  const { data } = await stripeGet<{ data: { amount: number; status: string }[] }>(
    installation.sandboxUrl,
    `payment_intents?customer=${stripeCustomerId}&limit=100`,
  )
  return data.filter(({ status }) => status === 'succeeded').map(({ amount }) => amount)
}

const statusesOf = async (billed: BilledCustomer): Promise<readonly string[]> =>
  (await at.invoices(billed)).map(({ status, totals }) => `${status} ${totals.total}`)

const kindsOf = async (workflowId: string): Promise<readonly string[]> =>
  (await readHistory(installation.client, workflowId)).map(({ kind }) => kind)

test('what sleeps under one version goes on under the next one, and what is in the middle of a step ends it as it began', async () => {
  const { call, client } = installation
  const begunMs = Date.now()
  const old = await installation.startWorker()
  const [sleeper, unpaid, asked] = [await paying('sleeper'), await dunned('unpaid'), await paying('asked')]
  const [{ id: unpaidInvoice } = { id: '' }] = await at.invoices(unpaid)
  // When the next version has begun: on a machine that took long for what was done so far, that takes long too.
  const soonMs = Math.max(12_000, 2 * (Date.now() - begunMs))
  const boundary = new Date(Math.ceil((Date.now() + soonMs) / 1000) * 1000)
  const body = { billingAnchor: boundary.toISOString() }
  const timed = await subscribe({ installation, scenario }, { key: 'timed', body })
  await waitFor(
    async () => await kindsOf(`subscription/${timed.subscriptionId}`),
    (kinds) => kinds.at(-1) === 'timerStarted',
  )
  await old.stop()
  expect(noted.size).toBe(0)

  // A worker of the old version takes the command, and dies before the step that it began is done.
  const advanceSubscription = async (): Promise<never> => await Promise.reject(new Error('died'))
  const dying = await installation.startWorker({ activities: { advanceSubscription } })
  const path = `/api/v1/subscriptions/${asked.subscriptionId}/cancel`
  const answer = call<{ activeTo?: string }>('POST', path, { timing: 'next_billing_cycle' })
  const handle = client.workflow.getHandle(`subscription/${asked.subscriptionId}`)
  await waitFor(
    async () => (await handle.describe()).raw.pendingActivities ?? [],
    (pending) => pending.length > 0,
  )
  await dying.stop()

  const next = await startNext('patched')
  expect(await answer).toMatchObject({ activeTo: '2026-02-01T00:00:00.000Z' })
  expect(noted).not.toContain(asked.subscriptionId)

  await newCard(unpaid)
  for (const billed of [sleeper, unpaid, asked])
    await advanceTo(installation, billed.clockId, '2026-02-02T12:00:00Z')
  expect(await statusesOf(sleeper)).toEqual(['paid 20.00', 'paid 20.00'])
  expect(await statusesOf(unpaid)).toEqual(['paid 20.00', 'paid 20.00'])
  expect(await statusesOf(asked)).toEqual(['paid 20.00', 'paid 0.00'])
  const walker = { installation, scenario }
  await waitFor(
    async () => await invoicesOf(walker, timed.customerId),
    (items) => items.length === 2 && items.every(({ status }) => status === 'paid'),
    soonMs + 50_000,
  )
  expect(await charged(sleeper)).toEqual([2000, 2000])
  expect(await charged(unpaid)).toEqual([2000, 2000])
  expect(await charged(asked)).toEqual([2000])

  const fresh = await paying('fresh')
  expect(await statusesOf(fresh)).toEqual(['paid 20.00'])
  // Every step that began under the next version is one of its own.
  const ids = [sleeper.subscriptionId, timed.subscriptionId, fresh.subscriptionId, unpaidInvoice]
  expect([...noted]).toEqual(expect.arrayContaining(ids))
  await next.stop()
})

test('a change without a patch stops what began before where everybody sees it, and bills nothing, until it is mended', async () => {
  const { call, client } = installation
  const old = await installation.startWorker()
  const [sleeper, unpaid] = [await paying('held'), await dunned('held-unpaid')]
  const [{ id: unpaidInvoice } = { id: '' }] = await at.invoices(unpaid)
  await old.stop()

  const broken = await startNext('unpatched')
  for (const { clockId } of [sleeper, unpaid])
    await call('POST', `/api/v1/test-clocks/${clockId}/advance`, { frozenTime: '2026-02-02T12:00:00Z' })
  for (const workflowId of [`subscription/${sleeper.subscriptionId}`, `invoice/${unpaidInvoice}`]) {
    const handle = client.workflow.getHandle(workflowId)
    const { events } = await waitFor(
      async () => await handle.fetchHistory(),
      (history) => (history.events ?? []).some(({ workflowTaskFailedEventAttributes: failed }) => failed),
    )
    const failed = events?.find(({ workflowTaskFailedEventAttributes }) => workflowTaskFailedEventAttributes)
    expect(failed?.workflowTaskFailedEventAttributes).toMatchObject({ cause: NON_DETERMINISTIC })
    // Temporal tries the task again and again, and says so; the clock waits for it.
    await waitFor(
      async () => (await handle.describe()).raw.pendingWorkflowTask?.attempt ?? 0,
      (attempt) => attempt > 1,
    )
  }
  const clock = await call<object>('GET', `/api/v1/test-clocks/${sleeper.clockId}`)
  expect(clock).toMatchObject({ status: 'advancing' })
  expect(await statusesOf(sleeper)).toEqual(['paid 20.00'])
  expect(await charged(unpaid)).toEqual([])
  await broken.stop()

  await newCard(unpaid)
  await startNext('patched')
  for (const { clockId } of [sleeper, unpaid])
    await waitFor(
      async () => await call<{ status: string }>('GET', `/api/v1/test-clocks/${clockId}`),
      ({ status }) => status === 'ready',
    )
  expect(await statusesOf(sleeper)).toEqual(['paid 20.00', 'paid 20.00'])
  expect(await statusesOf(unpaid)).toEqual(['paid 20.00', 'paid 20.00'])
  expect(await charged(sleeper)).toEqual([2000, 2000])
  expect(await charged(unpaid)).toEqual([2000, 2000])
})
