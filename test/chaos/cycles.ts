import { randomUUID } from 'node:crypto'
import { addCustomer, waitFor } from '../support/scenario.ts'
import type { Scenario } from '../support/scenario.ts'
import { stripePost } from '../support/stripe-client.ts'
import type { Lane } from './lane.ts'

/** What a cycle bills: a customer on a test clock of their own. */
export interface Billed {
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly clockId: string
  /** The customer's key and their subject of usage. */
  readonly key: string
}

export interface ExpectedInvoice {
  readonly status: 'paid' | 'uncollectible' | 'voided'
  readonly totalMinor: string
  readonly failedCharges: number
  /** Its draft was taken back: there is nothing of it at Stripe. */
  readonly isTakenBack?: boolean
}

export interface Cycle {
  /** With a worker that lives: up to the moment that matters. */
  readonly prepare: (lane: Lane) => Promise<Billed>
  /** What the worker is killed in; resolves when the cycle is complete. */
  readonly run: (lane: Lane, billed: Billed) => Promise<void>
  readonly invoices: readonly ExpectedInvoice[]
  /** Usage that was sent, each event counted once. */
  readonly tokens: string
}

export type CycleName =
  | 'ordinary'
  | 'dunned'
  | 'e-mailed'
  | 'written off'
  | 'voided'
  | 'running'
  | 'taken back'
  | 'untaxed'

/** Detection of a dead worker takes ten seconds, three times over at worst, on a machine that is busy. */
const LIMIT_MS = 120_000
const START = '2026-01-01T00:00:00Z'

interface CustomerOptions {
  readonly card: string | null
  readonly workflow?: object
  readonly dunning?: object
}

async function billedCustomer(lane: Lane, options: CustomerOptions): Promise<Billed> {
  const { call, sandboxUrl } = lane
  const key = `customer-${randomUUID()}`
  const clock = await call<{ id: string }>('POST', '/api/v1/test-clocks', { name: key, frozenTime: START })
  const stripeClock = await stripePost(sandboxUrl, 'test_helpers/test_clocks', {
    frozen_time: (Date.parse(START) / 1000).toString(),
  })
  const scenario: Scenario = { ...lane.scenario, clockId: clock.id, stripeClockId: stripeClock.id }
  const { card } = options
  const customer = await addCustomer(lane, scenario, { key, card, email: 'billing@example.com' })
  const profile = await call<{ id: string }>('POST', '/api/v1/billing/profiles', {
    name: key,
    default: false,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow: options.workflow ?? {},
    apps: { tax: scenario.appId, invoicing: scenario.appId, payment: scenario.appId },
    ...(options.dunning && { dunning: options.dunning }),
  })
  await call('PUT', `/api/v1/billing/customers/${customer.id}`, { billingProfileId: profile.id })
  return { customerId: customer.id, stripeCustomerId: customer.stripeCustomerId, clockId: clock.id, key }
}

export async function subscribe({ call }: Pick<Lane, 'call'>, { customerId }: Billed): Promise<void> {
  await call('POST', '/api/v1/subscriptions', { customerId, plan: { key: 'tokens_monthly' } })
}

const invoicesOf = async ({ database }: Lane, { customerId }: Billed) =>
  await database.db
    .selectFrom('invoices')
    .selectAll()
    .where('customerId', '=', customerId)
    .orderBy('closingAt')
    .execute()

/** Waits until the customer's latest invoice is as wanted. */
async function untilInvoice(
  lane: Lane,
  billed: Billed,
  isWanted: (invoice: Awaited<ReturnType<typeof invoicesOf>>[number]) => boolean,
): Promise<{ readonly id: string; readonly stripeHostedUrl: string | null }> {
  const rows = await waitFor(
    async () => await invoicesOf(lane, billed),
    (invoices) => invoices.slice(-1).some(isWanted),
    LIMIT_MS,
  )
  const latest = rows.at(-1)
  if (!latest) throw new Error('no invoice')
  return latest
}

async function advance({ call }: Pick<Lane, 'call'>, { clockId }: Billed, frozenTime: string): Promise<void> {
  await call('POST', `/api/v1/test-clocks/${clockId}/advance`, { frozenTime })
  await waitFor(
    async () => await call<{ status: string }>('GET', `/api/v1/test-clocks/${clockId}`),
    (clock) => clock.status === 'ready',
    LIMIT_MS,
  )
}

const event = (subject: string, id: number, tokens: number) => ({
  specversion: '1.0',
  id: `${subject}-${id}`,
  source: 'chaos',
  type: 'request',
  subject,
  time: '2026-01-10T00:00:00Z',
  data: { tokens, kind: 'context' },
})

async function prepareOrdinary(lane: Lane): Promise<Billed> {
  const billed = await billedCustomer(lane, { card: 'pm_card_visa' })
  await subscribe(lane, billed)
  await untilInvoice(lane, billed, ({ status }) => status === 'paid')
  const events = [event(billed.key, 1, 1000), event(billed.key, 2, 500)]
  await lane.call('POST', '/api/v1/events', events)
  // Sent again, as a producer does that did not hear the answer.
  await lane.call('POST', '/api/v1/events', events)
  return billed
}

async function prepareDecline(lane: Lane, dunning: object): Promise<Billed> {
  const billed = await billedCustomer(lane, { card: 'pm_card_chargeCustomerFail', dunning })
  await subscribe(lane, billed)
  await untilInvoice(lane, billed, (row) => row.substatus === 'payment_failed' && row.hasWorkflow)
  return billed
}

const emailedCustomer = async (lane: Lane): Promise<Billed> =>
  await billedCustomer(lane, { card: null, workflow: { payment: { collectionMethod: 'send_invoice' } } })

/** Asked again until a worker has carried it out: once, under its key. */
async function invoiceNow(lane: Lane, { customerId }: Billed, requestId: string): Promise<void> {
  const subscription = await lane.database.db
    .selectFrom('subscriptions')
    .select('id')
    .where('customerId', '=', customerId)
    .executeTakeFirstOrThrow()
  const path = `${lane.url}/api/v1/subscriptions/${subscription.id}/invoice-now`
  const headers = { 'content-type': 'application/json', 'idempotency-key': requestId }
  await waitFor(
    async () =>
      await fetch(path, { method: 'POST', headers, body: '{}' }).then(
        ({ status }) => status,
        () => 0,
      ),
    (status) => status === 200,
    LIMIT_MS,
  )
}

const sent = (row: { readonly sentAt: Date | null; readonly hasWorkflow: boolean }): boolean =>
  row.sentAt !== null && row.hasWorkflow

export const cycles: Readonly<Record<CycleName, Cycle>> = {
  /** In advance at its start, then over a boundary: the usage of the first month, and the second in advance. */
  ordinary: {
    prepare: prepareOrdinary,
    run: async (lane, billed) => await advance(lane, billed, '2026-02-03T00:00:00Z'),
    invoices: [
      { status: 'paid', totalMinor: '2000', failedCharges: 0 },
      { status: 'paid', totalMinor: '3250', failedCharges: 0 },
    ],
    tokens: '1500',
  },
  /** Declined, then charged to a new card by the retry. */
  dunned: {
    async prepare(lane) {
      const dunning = { retries: ['P3D'], end: 'leave_overdue', grace: 'P7D' }
      const billed = await prepareDecline(lane, dunning)
      const { stripeCustomerId: customer } = billed
      const card = await stripePost(lane.sandboxUrl, 'payment_methods/pm_card_visa/attach', { customer })
      await stripePost(lane.sandboxUrl, `customers/${customer}`, {
        'invoice_settings[default_payment_method]': card.id,
      })
      return billed
    },
    run: async (lane, billed) => await advance(lane, billed, '2026-01-05T00:00:00Z'),
    invoices: [{ status: 'paid', totalMinor: '2000', failedCharges: 1 }],
    tokens: '0',
  },
  /** Sent to a customer who pays on Stripe's page. */
  'e-mailed': {
    prepare: emailedCustomer,
    async run(lane, billed) {
      await subscribe(lane, billed)
      const { stripeHostedUrl } = await untilInvoice(lane, billed, sent)
      const body = new URLSearchParams({ card: '4242424242424242' })
      const page = await fetch(stripeHostedUrl ?? '', { method: 'POST', body })
      if (!page.ok) throw new Error(`the page answered ${page.status}`)
      await untilInvoice(lane, billed, ({ status }) => status === 'paid')
    },
    invoices: [{ status: 'paid', totalMinor: '2000', failedCharges: 0 }],
    tokens: '0',
  },
  /** Declined until the end of dunning. */
  'written off': {
    prepare: async (lane) =>
      await prepareDecline(lane, { retries: ['P1D'], end: 'mark_uncollectible', grace: 'P7D' }),
    async run(lane, billed) {
      await advance(lane, billed, '2026-01-03T00:00:00Z')
      await untilInvoice(lane, billed, ({ status }) => status === 'uncollectible')
    },
    invoices: [{ status: 'uncollectible', totalMinor: '2000', failedCharges: 2 }],
    tokens: '0',
  },
  /** Sent, and voided by a person. */
  voided: {
    async prepare(lane) {
      const billed = await emailedCustomer(lane)
      await subscribe(lane, billed)
      await untilInvoice(lane, billed, sent)
      return billed
    },
    async run(lane, billed) {
      const { id } = await untilInvoice(lane, billed, () => true)
      const body = {
        reason: 'by mistake',
        action: { percentage: 100, action: { type: 'discard' } },
      }
      await waitFor(
        async () =>
          await lane.call('POST', `/api/v1/billing/invoices/${id}/void`, body).then(
            () => 'voided',
            (error: unknown) => String(error),
          ),
        (answer) => answer === 'voided' || answer.includes('action_not_available'),
        LIMIT_MS,
      )
      await untilInvoice(lane, billed, ({ status }) => status === 'voided')
    },
    invoices: [{ status: 'voided', totalMinor: '2000', failedCharges: 0 }],
    tokens: '0',
  },
  /** Billed in the period too: the draft at Stripe grows, and the closing collects it. */
  running: {
    prepare: prepareOrdinary,
    async run(lane, billed) {
      await invoiceNow(lane, billed, `run-${billed.key}`)
      await advance(lane, billed, '2026-02-03T00:00:00Z')
    },
    invoices: [
      { status: 'paid', totalMinor: '2000', failedCharges: 0 },
      { status: 'paid', totalMinor: '3250', failedCharges: 0 },
    ],
    tokens: '1500',
  },
  /** A bill of a period that does not come: its draft is deleted at Stripe. */
  'taken back': {
    async prepare(lane) {
      const billed = await billedCustomer(lane, { card: 'pm_card_visa' })
      await subscribe(lane, billed)
      await untilInvoice(lane, billed, ({ status }) => status === 'paid')
      await invoiceNow(lane, billed, `run-${billed.key}`)
      return billed
    },
    async run(lane, billed) {
      const { id } = await lane.database.db
        .selectFrom('subscriptions')
        .select('id')
        .where('customerId', '=', billed.customerId)
        .executeTakeFirstOrThrow()
      await lane.call('POST', `/api/v1/subscriptions/${id}/cancel`, { timing: START }).catch(() => {})
      await untilInvoice(lane, billed, ({ status }) => status === 'voided')
    },
    invoices: [
      { status: 'paid', totalMinor: '2000', failedCharges: 0 },
      { status: 'voided', totalMinor: '2000', failedCharges: 0, isTakenBack: true },
    ],
    tokens: '0',
  },
  /** Tax is asked for and cannot be computed: it is issued without. */
  untaxed: {
    prepare: async (lane) =>
      await billedCustomer(lane, { card: 'pm_card_visa', workflow: { tax: { enabled: true } } }),
    async run(lane, billed) {
      await subscribe(lane, billed)
      await untilInvoice(lane, billed, ({ status }) => status === 'paid')
    },
    invoices: [{ status: 'paid', totalMinor: '2000', failedCharges: 0 }],
    tokens: '0',
  },
}
