import type { TestDatabase } from './database.ts'
import { holdRequest } from './faults.ts'
import type { HeldRequest } from './faults.ts'
import { isAsleep, readHistory, sinceFirstTimer } from './history.ts'
import type { HistoryEvent } from './history.ts'
import type { Installation } from './installation.ts'
import { baseFee, mainPhase } from './plans.ts'
import { addCustomer, advanceTo, onOwnClock, waitFor } from './scenario.ts'
import type { Scenario } from './scenario.ts'
import { giveCard } from './stripe-client.ts'

/** What the ways need of an installation, which may be one of several processes. */
export type Walkable = Pick<Installation, 'call' | 'client' | 'sandboxUrl'> & {
  readonly database: Pick<TestDatabase, 'db'>
}

/** Each way through billing, walked to its end: what is counted, and what is recorded for replays. */
export interface Walker<Place extends Walkable = Walkable> {
  readonly installation: Place
  /** Without a test clock of its own. */
  readonly scenario: Scenario
}

interface Invoice {
  readonly id: string
  readonly status: string
  readonly statusDetails: { readonly extendedStatus: string }
  readonly hostedInvoiceUrl?: string
  readonly externalIds?: { readonly invoicing: string }
  readonly paymentAttempts: number
}

/** Long enough for a subscription to wait for it, whatever the machine. */
const AHEAD_MS = 10_000

/** A subscription that waits for its first boundary with a real timer and bills it; returns the workflow's id. */
export async function billBoundary(
  walker: Walker,
  key: string,
  options: Omit<SubscribeOptions, 'key'> = {},
): Promise<string> {
  const { customerId, workflowId } = await passBoundary(walker, { ...options, key })
  await waitFor(
    async () => await invoicesOf(walker, customerId),
    (items) => items.length === 2 && items.every(({ status }) => status === 'paid'),
  )
  return workflowId
}

/** A subscription that has woken at its first boundary, and sleeps again. */
export async function passBoundary(
  walker: Walker,
  options: SubscribeOptions,
): Promise<Subscribed & { readonly workflowId: string }> {
  const boundary = new Date(Math.ceil((Date.now() + AHEAD_MS) / 1000) * 1000)
  const body = { ...options.body, billingAnchor: boundary.toISOString() }
  const subscribed = await subscribe(walker, { ...options, body })
  const workflowId = `subscription/${subscribed.subscriptionId}`
  await waitFor(
    async () => await historyOf(walker, workflowId),
    (events) => sinceFirstTimer(events).length > 0 && isAsleep(events),
  )
  return { ...subscribed, workflowId }
}

/** Nothing where it has not begun. */
async function historyOf({ installation }: Walker, workflowId: string): Promise<readonly HistoryEvent[]> {
  return await readHistory(installation.client, workflowId).catch(() => [])
}

/** Waits until the workflow sleeps until an instant. */
export async function sleeping(walker: Walker, workflowId: string): Promise<void> {
  await waitFor(async () => await historyOf(walker, workflowId), isAsleep)
}

/** A subscription with four months behind it, as after an outage of every worker, catches up; returns the workflow's id. */
export async function catchUp(walker: Walker, key: string): Promise<string> {
  const { client, database } = walker.installation
  const body = { timing: new Date(Date.now() + 3_600_000).toISOString() }
  const { customerId, subscriptionId } = await subscribe(walker, { key, body })
  const workflowId = `subscription/${subscriptionId}`
  await sleeping(walker, workflowId)
  const from = new Date()
  from.setUTCMonth(from.getUTCMonth() - 4, 15)
  await database.db
    .updateTable('subscriptions')
    .set({ activeFrom: from, billingAnchor: from })
    .where('id', '=', subscriptionId)
    .execute()
  await client.workflow.getHandle(workflowId).signal('poke')
  await waitFor(
    async () => await invoicesOf(walker, customerId),
    (items) => items.length >= 4 && items.every(({ status }) => status === 'paid'),
  )
  return workflowId
}

const dunning = { retries: ['PT2S', 'PT4S', 'PT6S'], grace: 'P7D' }

/** A card that declines until the third retry; returns the invoice's id. */
export async function recoverByDunning(walker: Walker, key: string): Promise<string> {
  const { installation } = walker
  const { customerId, stripeCustomerId } = await subscribe(walker, {
    key,
    card: 'pm_card_chargeCustomerFail',
    profile: { dunning: { ...dunning, end: 'leave_overdue' } },
  })
  const { id } = await firstInvoice(walker, customerId, 'issued.payment_failed')
  const retry = await heldRetry(installation, id, 3)
  await giveCard(installation.sandboxUrl, stripeCustomerId)
  await retry.letGo()
  return await ended(walker, id)
}

/** So many payments failed and the next is at Stripe, where it waits: what comes now is there before it, on any machine. */
async function heldRetry(
  { call, sandboxUrl }: Walkable,
  invoiceId: string,
  after: number,
): Promise<HeldRequest> {
  const read = async (): Promise<Invoice> => await call('GET', `/api/v1/billing/invoices/${invoiceId}`)
  const { externalIds } = await read()
  const path = `/invoices/${externalIds?.invoicing}/pay$`
  const hold = async () => await holdRequest(sandboxUrl, { kind: 'hold', method: 'POST', path })
  let held = await hold()
  for (;;) {
    await held.arrived()
    if ((await read()).paymentAttempts >= after) return held
    const next = await hold()
    await held.letGo()
    held = next
  }
}

/** A card that declines every retry, to the end of dunning; returns the invoice's id. */
export async function exhaustDunning(walker: Walker, key: string): Promise<string> {
  const { customerId } = await subscribe(walker, {
    key,
    card: 'pm_card_chargeCustomerFail',
    profile: { dunning: { ...dunning, end: 'mark_uncollectible' } },
  })
  const { id } = await firstInvoice(walker, customerId, 'uncollectible')
  return await ended(walker, id)
}

/** An invoice that waits for approval and gets it; returns its id. */
export async function approve(walker: Walker, key: string): Promise<string> {
  const profile = { workflow: { invoicing: { autoAdvance: false } } }
  const { customerId } = await subscribe(walker, { key, profile })
  const { id } = await firstInvoice(walker, customerId, 'draft')
  await begun(walker, id)
  await walker.installation.call('POST', `/api/v1/billing/invoices/${id}/approve`)
  return await ended(walker, id)
}

/** An invoice that waits for its draft period; returns its id. */
export async function waitOutDraftPeriod(walker: Walker, key: string): Promise<string> {
  const profile = { workflow: { invoicing: { draftPeriod: 'PT2S' } } }
  const { customerId } = await subscribe(walker, { key, profile })
  const { id } = await firstInvoice(walker, customerId, 'paid')
  return await ended(walker, id)
}

/** An invoice that is e-mailed, paid on Stripe's page and settled by the webhook; returns its id. */
export async function payByPage(walker: Walker, key: string): Promise<string> {
  const workflow = { payment: { collectionMethod: 'send_invoice' }, invoicing: { dueAfter: 'P30D' } }
  const { customerId } = await subscribe(walker, { key, card: null, profile: { workflow } })
  const { id, hostedInvoiceUrl = '' } = await firstInvoice(walker, customerId, 'issued')
  // Paid before its workflow began, it would need none.
  await begun(walker, id)
  await payOnPage(hostedInvoiceUrl)
  return await ended(walker, id)
}

/** A payment that the bank wants confirmed, and a person who does so; returns the invoice's id. */
export async function confirmAtTheBank(walker: Walker, key: string): Promise<string> {
  const { customerId } = await subscribe(walker, { key, card: 'pm_card_authenticationRequired' })
  const { id, hostedInvoiceUrl = '' } = await firstInvoice(walker, customerId, 'issued.action_required')
  await begun(walker, id)
  await payOnPage(hostedInvoiceUrl)
  return await ended(walker, id)
}

async function payOnPage(url: string): Promise<void> {
  const body = new URLSearchParams({ card: '4242424242424242' })
  const page = await fetch(url, { method: 'POST', body })
  if (!page.ok) throw new Error(`the page answered ${page.status}`)
}

/** A cancelation that is scheduled, taken back and made at once; returns the workflow's id. */
export async function cancel(walker: Walker, key: string): Promise<string> {
  const { call, client } = walker.installation
  const { subscriptionId } = await subscribe(walker, {
    key,
    profile: { lateUsage: { policy: 'ignore' } },
  })
  const url = `/api/v1/subscriptions/${subscriptionId}`
  await call('POST', `${url}/cancel`, { timing: 'next_billing_cycle' })
  await call('POST', `${url}/unschedule-cancelation`)
  await call('POST', `${url}/cancel`, { timing: 'immediate' })
  await client.workflow.getHandle(`subscription/${subscriptionId}`).result()
  return `subscription/${subscriptionId}`
}

/** A subscription on a test clock that is billed daily until its workflow continues as new; returns the ids. */
export async function continueAsNew(
  walker: Walker,
  key: string,
): Promise<{ readonly subscription: string; readonly testClock: string }> {
  const { installation } = walker
  const scenario = await onOwnClock(installation, walker.scenario)
  const { subscriptionId } = await subscribe({ installation, scenario }, { key, plan: 'base_daily' })
  await advanceTo(installation, scenario.clockId, '2026-01-20T00:00:00Z')
  await advanceTo(installation, scenario.clockId, '2026-01-28T00:00:00Z')
  return { subscription: `subscription/${subscriptionId}`, testClock: `test-clock/${scenario.clockId}` }
}

/** The plan of {@link continueAsNew}. */
export async function addDailyPlan({ installation }: Walker): Promise<void> {
  const plan = await installation.call<{ id: string }>('POST', '/api/v1/plans', {
    key: 'base_daily',
    name: 'Daily',
    currency: 'USD',
    billingCadence: 'P1D',
    phases: [mainPhase(baseFee('1', 'P1D'))],
  })
  await installation.call('POST', `/api/v1/plans/${plan.id}/publish`)
}

export interface SubscribeOptions {
  readonly key: string
  readonly plan?: string
  readonly card?: string | null
  /** Of a billing profile of its own; left out: the default one. */
  readonly profile?: object
  readonly body?: object
}

interface Subscribed {
  readonly customerId: string
  readonly stripeCustomerId: string
  readonly subscriptionId: string
}

/** A customer with a subscription of its own, and a billing profile where one is asked for. */
export async function subscribe(
  { installation, scenario }: Walker,
  { key, plan = 'tokens_monthly', card = 'pm_card_visa', profile, body }: SubscribeOptions,
): Promise<Subscribed> {
  const { call } = installation
  const customer = await addCustomer(installation, scenario, { key, card, email: `${key}@example.com` })
  if (profile) {
    const made = await call<{ id: string }>('POST', '/api/v1/billing/profiles', {
      name: `For ${key}`,
      default: false,
      supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
      workflow: {},
      apps: { tax: scenario.appId, invoicing: scenario.appId, payment: scenario.appId },
      ...profile,
    })
    await call('PUT', `/api/v1/billing/customers/${customer.id}`, { billingProfileId: made.id })
  }
  const { id } = await call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId: customer.id,
    plan: { key: plan },
    ...body,
  })
  return { customerId: customer.id, stripeCustomerId: customer.stripeCustomerId, subscriptionId: id }
}

/** The customer's invoices, oldest first. */
export async function invoicesOf({ installation }: Walker, customerId: string): Promise<readonly Invoice[]> {
  const { items } = await installation.call<{ items: Invoice[] }>(
    'GET',
    `/api/v1/billing/invoices?customers=${customerId}&order=ASC`,
  )
  return items
}

/** The customer's first invoice, once its status, or its finer one, is the wanted. */
export async function firstInvoice(walker: Walker, customerId: string, wanted: string): Promise<Invoice> {
  const [invoice] = await waitFor(
    async () => await invoicesOf(walker, customerId),
    ([first]) => first?.status === wanted || first?.statusDetails.extendedStatus === wanted,
  )
  if (invoice === undefined) throw new Error('there is no invoice')
  return invoice
}

/** Waits until the invoice has a workflow. */
export async function begun({ installation }: Walker, invoiceId: string): Promise<void> {
  const handle = installation.client.workflow.getHandle(`invoice/${invoiceId}`)
  await waitFor(
    async () => await handle.describe().catch(() => null),
    (description) => description !== null,
  )
}

/** Waits until the invoice's workflow has ended; returns the invoice's id. */
export async function ended({ installation }: Walker, invoiceId: string): Promise<string> {
  await installation.client.workflow.getHandle(`invoice/${invoiceId}`).result()
  return invoiceId
}
