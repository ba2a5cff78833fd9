import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { billedCustomers } from '../support/billed.ts'
import type { BilledCustomer, ShownInvoice } from '../support/billed.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addTokenPlan, advanceTo, startScenario, waitFor } from '../support/scenario.ts'
import { stripeGet, stripePost } from '../support/stripe-client.ts'

let installation: Installation
let at: ReturnType<typeof billedCustomers>
const key = 'sk_test_sandbox'

beforeAll(async () => {
  installation = await startInstallation({ stripeTries: 2 })
  const scenario = await startScenario(installation, {
    dunning: { retries: ['P3D', 'P7D', 'P14D'], end: 'leave_overdue', grace: 'P7D' },
  })
  at = billedCustomers(installation, scenario)
  await addTokenPlan(installation)
})
afterEach(async () => {
  await at.sandbox('DELETE', '/faults')
  await at.sandbox('DELETE', '/keys')
  await at.sandbox('DELETE', '/webhooks/rules')
})
afterAll(async () => {
  await installation.close()
})

/** A customer whose first invoice is paid. */
async function paying(name: string): Promise<BilledCustomer> {
  const billed = await at.newCustomer({ key: name })
  await at.subscribe(billed)
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  return billed
}

const advance = async ({ clockId }: BilledCustomer, to: string): Promise<void> => {
  await advanceTo(installation, clockId, to)
}

/** What was charged at Stripe, in all. */
async function charged({ stripeCustomerId }: BilledCustomer): Promise<readonly number[]> {
  const { data } = await stripeGet<{ data: { amount: number; status: string; customer: string }[] }>(
    installation.sandboxUrl,
    `payment_intents?customer=${stripeCustomerId}&limit=100`,
  )
  return data.filter(({ status }) => status === 'succeeded').map(({ amount }) => amount)
}

test('Stripe is down for two days while a period closes: time goes on, and so does billing when it is back', async () => {
  const billed = await paying('two-days')
  await advance(billed, '2026-01-31T12:00:00Z')
  await at.sandbox('POST', '/faults', { kind: 'unavailable', times: 0 })
  await advance(billed, '2026-02-02T12:00:00Z')
  const waiting = await at.untilInvoice(billed, () => true)
  expect(waiting).toMatchObject({
    status: 'issuing',
    statusDetails: { extendedStatus: 'issuing.waiting_for_stripe' },
    validationIssues: [{ code: 'stripe_unavailable' }],
  })
  expect(Date.parse(waiting.nextActionAt ?? '')).toBeGreaterThan(Date.parse('2026-02-02T12:00:00Z'))
  const clock = await installation.call<{ statusReason?: string }>(
    'GET',
    `/api/v1/test-clocks/${billed.clockId}`,
  )
  expect(clock.statusReason).toContain('stays behind')

  await at.sandbox('DELETE', '/faults')
  await advance(billed, '2026-02-02T18:00:00Z')
  const paid = await at.untilInvoice(billed, ({ status }) => status === 'paid')
  expect(paid).toMatchObject({ id: waiting.id, amountPaid: '20.00' })
  expect(paid.validationIssues).toBeUndefined()
  expect(await charged(billed)).toEqual([2000, 2000])
  const said = (await at.timeline(paid.id)).filter((detail) => detail.startsWith('Waits for Stripe'))
  expect(said).toHaveLength(1)
})

test.each([
  ['a revoked key', { key, revoked: true }, 'stripe_key_unauthorized'],
  [
    'a key without a permission',
    { key, permissions: ['customer:write', 'test_clock:write'] },
    'stripe_permission_missing',
  ],
])('%s is shown on the invoice, and billing goes on when it is mended', async (name, broken, code) => {
  const billed = await paying(name)
  await advance(billed, '2026-01-31T12:00:00Z')
  await at.sandbox('POST', '/keys', broken)
  await advance(billed, '2026-02-01T12:00:00Z')
  const waiting = await at.untilInvoice(billed, () => true)
  expect(waiting).toMatchObject({ status: 'issuing', validationIssues: [{ code }] })
  await at.sandbox('DELETE', '/keys')
  await advance(billed, '2026-02-01T18:00:00Z')
  await at.untilInvoice(billed, ({ status, id }) => status === 'paid' && id === waiting.id)
  expect(await charged(billed)).toEqual([2000, 2000])
})

test('an account without tax settings: enforced tax waits and goes on, other invoices go without', async () => {
  const workflow = (enforced: boolean): object => ({ tax: { enabled: true, enforced } })
  const strict = await at.newCustomer({ key: 'strict', workflow: workflow(true) })
  const lenient = await at.newCustomer({ key: 'lenient', workflow: workflow(false) })
  for (const { stripeCustomerId } of [strict, lenient])
    await stripePost(installation.sandboxUrl, `customers/${stripeCustomerId}`, { 'address[country]': 'DE' })
  await at.sandbox('POST', '/tax', { status: 'pending' })
  await at.subscribe(strict)
  await at.subscribe(lenient)
  const untaxed = await at.untilInvoice(lenient, ({ status }) => status === 'paid')
  expect(untaxed).toMatchObject({ taxOutcome: 'skipped', amountPaid: '20.00' })
  expect((await at.timeline(untaxed.id)).join()).toContain('head office')
  const waiting = await at.untilInvoice(
    strict,
    ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.failed',
  )
  expect(waiting).toMatchObject({ taxOutcome: 'failed', validationIssues: [{ code: 'stripe_tax_inactive' }] })
  await at.sandbox('POST', '/tax', { status: 'active' })
  await advance(strict, '2026-01-02T06:00:00Z')
  const paid = await at.untilInvoice(strict, ({ status }) => status === 'paid')
  expect(paid).toMatchObject({ id: waiting.id, taxOutcome: 'computed', amountPaid: '24.00' })
})

test('rule 32: a bank debit that is processing is neither tried again nor taken for a failure', async () => {
  const billed = await at.newCustomer({ key: 'debit', card: 'pm_usBankAccount_processing' })
  await at.subscribe(billed)
  const processing = await at.untilInvoice(billed, ({ status }) => status === 'payment_processing')
  await advance(billed, '2026-01-25T00:00:00Z')
  const still = await at.untilInvoice(billed, () => true)
  expect(still).toMatchObject({
    id: processing.id,
    status: 'payment_processing',
    paymentAttempts: 0,
    statusDetails: { availableActions: {} },
  })
  const { data } = await stripeGet<{ data: { id: string }[] }>(
    installation.sandboxUrl,
    `payment_intents?customer=${billed.stripeCustomerId}`,
  )
  expect(data).toHaveLength(1)
  await at.sandbox('POST', `/payments/${data[0]?.id}/settle`, { outcome: 'succeeded' })
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  expect(await charged(billed)).toEqual([2000])
})

test('a person can have it tried at once when Stripe is back', async () => {
  const billed = await at.newCustomer({ key: 'asked' })
  // What Stripe says of the draft would have it tried, too.
  await at.sandbox('POST', '/webhooks/rules', { action: 'drop', type: '.*', times: 0 })
  await at.sandbox('POST', '/faults', { kind: 'unavailable', path: '/finalize$', times: 0 })
  await at.subscribe(billed)
  const waiting = await at.untilInvoice(
    billed,
    ({ statusDetails }) => statusDetails.extendedStatus === 'issuing.waiting_for_stripe',
  )
  await at.sandbox('DELETE', '/faults')
  await at.retry(waiting.id)
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
  expect(await charged(billed)).toEqual([2000])
})

/** An e-mailed invoice that was written off, and of which Stripe cannot be asked now. */
async function writtenOff(name: string): Promise<readonly [BilledCustomer, string]> {
  const workflow = { payment: { collectionMethod: 'send_invoice' } }
  const billed = await at.newCustomer({ key: name, card: null, workflow })
  await at.subscribe(billed)
  const { id, externalIds } = await at.untilInvoice(billed, ({ status }) => status === 'issued')
  const path = `invoices/${externalIds?.invoicing}`
  await stripePost(installation.sandboxUrl, `${path}/mark_uncollectible`)
  await at.untilInvoice(billed, ({ status }) => status === 'uncollectible')
  await at.sandbox('POST', '/faults', { kind: 'unavailable', method: 'GET', path: `${path}$`, times: 0 })
  return [billed, id]
}

test('rule 30: what was written off is paid while Stripe cannot be asked, and booked when it can', async () => {
  const [billed, id] = await writtenOff('pays-late')
  const shown = await installation.call<{ hostedInvoiceUrl: string }>('GET', `/api/v1/billing/invoices/${id}`)
  const body = new URLSearchParams({ card: '4242424242424242' })
  await fetch(shown.hostedInvoiceUrl, { method: 'POST', body })
  const waiting = await at.untilInvoice(billed, ({ nextActionAt }) => nextActionAt !== undefined)
  expect(waiting).toMatchObject({
    status: 'uncollectible',
    validationIssues: [{ code: 'stripe_unavailable' }],
  })
  await at.sandbox('DELETE', '/faults')
  await advance(billed, '2026-01-01T06:00:00Z')
  const paid = await at.untilInvoice(billed, ({ status }) => status === 'paid')
  expect(paid).toMatchObject({ id, amountPaid: '20.00' })
  expect(paid.nextActionAt).toBeUndefined()
})

test('what was written off and is still unpaid waits for nothing more when Stripe was asked', async () => {
  const [billed, id] = await writtenOff('pays-never')
  const clock = { kind: 'test', nowMs: Date.parse('2026-01-01T00:00:00Z') }
  const handle = await installation.client.workflow.signalWithStart('invoice', {
    workflowId: `invoice/${id}`,
    taskQueue: installation.taskQueue,
    args: [{ invoiceId: id, clock, nextDueMs: null, waitingFor: 'what was reported' }],
    signal: 'stripeEventReceived',
    signalArgs: [{ eventId: 'evt_reported', type: 'invoice.updated' }],
  })
  await at.untilInvoice(billed, ({ nextActionAt }) => nextActionAt !== undefined)
  await at.sandbox('DELETE', '/faults')
  await advance(billed, '2026-01-01T06:00:00Z')
  const asked = await at.untilInvoice(billed, ({ nextActionAt }) => nextActionAt === undefined)
  expect(asked.status).toBe('uncollectible')
  expect(asked.validationIssues).toBeUndefined()
  await handle.result()
})

test('no webhook comes any more: the invoice looks itself', async () => {
  const billed = await at.newCustomer({
    key: 'deaf',
    card: null,
    workflow: { payment: { collectionMethod: 'send_invoice' } },
  })
  await at.subscribe(billed)
  const sent = await at.untilInvoice(billed, ({ status }) => status === 'issued')
  const endpoints = await stripeGet<{ data: { id: string }[] }>(installation.sandboxUrl, 'webhook_endpoints')
  for (const { id } of endpoints.data)
    await fetch(`${installation.sandboxUrl}/v1/webhook_endpoints/${id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${key}` },
    })
  const invoice = await installation.call<{ hostedInvoiceUrl: string }>(
    'GET',
    `/api/v1/billing/invoices/${sent.id}`,
  )
  await fetch(invoice.hostedInvoiceUrl, {
    method: 'POST',
    body: new URLSearchParams({ card: '4242424242424242' }),
  })
  await advance(billed, '2026-01-03T00:00:00Z')
  await at.untilInvoice(billed, ({ status }) => status === 'paid')
})

test('rule 32: a look that did not get through brings no retry forward', async () => {
  const billed = await at.newCustomer({ key: 'early', card: 'pm_card_chargeCustomerFail' })
  await at.subscribe(billed)
  const isPlanned = ({ nextActionAt }: ShownInvoice): boolean => nextActionAt === '2026-01-04T00:00:00.000Z'
  const { id } = await at.untilInvoice(billed, isPlanned)
  await advance(billed, '2026-01-02T00:00:00Z')
  await at.sandbox('POST', '/faults', { kind: 'unavailable', times: 0 })
  await installation.client.workflow.getHandle(`invoice/${id}`).signal('poke')
  await at.untilInvoice(billed, (shown) => !isPlanned(shown))
  await at.sandbox('DELETE', '/faults')
  await advance(billed, '2026-01-03T00:00:00Z')
  const looked = await at.untilInvoice(
    billed,
    ({ validationIssues: issues }) => issues?.every(({ code }) => code !== 'stripe_unavailable') ?? true,
  )
  expect(looked.paymentAttempts).toBe(1)
  expect(looked.nextActionAt).toBe('2026-01-04T00:00:00.000Z')
  await advance(billed, '2026-01-04T00:00:00Z')
  await at.untilInvoice(billed, ({ paymentAttempts }) => paymentAttempts === 2)
})

test('rule 32: retries that an outage swallowed are not made up for one after another', async () => {
  const billed = await at.newCustomer({ key: 'missed', card: 'pm_card_chargeCustomerFail' })
  await at.subscribe(billed)
  await at.untilInvoice(
    billed,
    ({ statusDetails }) => statusDetails.extendedStatus === 'issued.payment_failed',
  )
  await at.sandbox('POST', '/faults', { kind: 'unavailable', times: 0 })
  await advance(billed, '2026-01-09T00:00:00Z')
  await at.sandbox('DELETE', '/faults')
  await advance(billed, '2026-01-10T00:00:00Z')
  const attempts = async (): Promise<number | undefined> =>
    (
      await installation.call<{ items: { paymentAttempts: number }[] }>(
        'GET',
        `/api/v1/billing/invoices?customers=${billed.customerId}`,
      )
    ).items[0]?.paymentAttempts
  expect(await attempts()).toBe(2)
  await advance(billed, '2026-01-14T23:00:00Z')
  expect(await attempts()).toBe(2)
  await advance(billed, '2026-01-15T01:00:00Z')
  await waitFor(attempts, (count) => count === 3)
})
