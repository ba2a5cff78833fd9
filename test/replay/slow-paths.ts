import { randomUUID } from 'node:crypto'
import type { WorkflowHandle } from '@temporalio/client'
import { stripeSubscriptions } from '../support/at-stripe.ts'
import { begun, ended, firstInvoice, invoicesOf, sleeping, subscribe } from '../support/billing-paths.ts'
import type { Walker } from '../support/billing-paths.ts'
import { readHistory } from '../support/history.ts'
import type { Installation } from '../support/installation.ts'
import { advanceTo, onOwnClock, waitFor } from '../support/scenario.ts'

// Ways through billing that are rare and slow. Each returns the ids of the workflows that walked it.

const declining = 'pm_card_chargeCustomerFail'
const withRetries = (...retries: readonly string[]): object => ({
  dunning: { retries, end: 'mark_uncollectible', grace: 'P7D' },
})

/** Commands on an unpaid invoice: one that is refused, a charge at once that fails, and the end. */
export async function retryAndVoid(walker: Walker, key: string): Promise<string> {
  const { call, client } = walker.installation
  const { customerId } = await subscribe(walker, { key, card: declining, profile: withRetries('P1D') })
  const { id } = await firstInvoice(walker, customerId, 'issued.payment_failed')
  await begun(walker, id)
  await refused(client.workflow.getHandle(`invoice/${id}`), 'invoiceCommand', 'approve')
  await call('POST', `/api/v1/billing/invoices/${id}/retry`)
  await call('POST', `/api/v1/billing/invoices/${id}/void`, {
    action: { percentage: 100, action: { type: 'discard' } },
    reason: 'made by mistake',
  })
  return `invoice/${await ended(walker, id)}`
}

/** A command that does not fit is refused, and the subscription goes on. */
export async function refuseCommand(walker: Walker, key: string): Promise<string> {
  const { client } = walker.installation
  const { customerId, subscriptionId } = await subscribe(walker, { key })
  await firstInvoice(walker, customerId, 'paid')
  const handle = client.workflow.getHandle(`subscription/${subscriptionId}`)
  await refused(handle, 'subscriptionCommand', 'release')
  return handle.workflowId
}

async function refused(handle: WorkflowHandle, update: string, kind: string): Promise<void> {
  const answer = handle.executeUpdate(update, { args: [{ kind, requestId: randomUUID() }] })
  if ((await answer.catch(() => 'refused')) !== 'refused') throw new Error(`${kind} was not refused`)
}

/** Stripe does not answer for longer than a step waits; a person has it tried when it is back. */
export async function outlastOutage(walker: Walker, key: string): Promise<string> {
  const { call, sandboxUrl } = walker.installation
  const faults = `${sandboxUrl}/_sandbox/faults`
  const body = JSON.stringify({ kind: 'unavailable', path: '/finalize$', times: 0 })
  await fetch(faults, { method: 'POST', body })
  const { customerId } = await subscribe(walker, { key })
  const { id } = await firstInvoice(walker, customerId, 'issuing.waiting_for_stripe')
  await fetch(faults, { method: 'DELETE' })
  await call('POST', `/api/v1/billing/invoices/${id}/retry`)
  return `invoice/${await ended(walker, id)}`
}

/** A bill that is made during the period, approved, and collected at its end. */
export async function runInvoice(walker: Walker, key: string): Promise<string> {
  const { installation } = walker
  const { call } = installation
  const scenario = await onOwnClock(installation, walker.scenario)
  const stripe = { synchronize: 'continuously', send: 'approved_bills' }
  const { subscriptionId } = await subscribe({ installation, scenario }, { key, profile: { stripe } })
  await advanceTo(installation, scenario.clockId, '2026-01-03T00:00:00Z')
  const path = `/api/v1/subscriptions/${subscriptionId}/invoice-now`
  const { id } = await call<{ id: string }>('POST', path, {})
  await call('POST', `/api/v1/billing/invoices/${id}/approve`)
  await call('POST', path, { approve: true })
  await advanceTo(installation, scenario.clockId, '2026-01-05T00:00:00Z')
  return `subscription/${subscriptionId}`
}

/** Usage on a subscription that began at Stripe, which bills it. */
export async function billAsItems(
  { installation, scenario }: Walker<Installation>,
  key: string,
): Promise<string> {
  const at = stripeSubscriptions(installation, scenario)
  await at.begin()
  const stripe = { billing: 'subscription_items' }
  const subscribed = await at.subscribedAtStripe(key, { stripe })
  await at.usage(key, '2026-01-01T00:00:00Z', { tokens: 400 })
  await advanceTo(installation, subscribed.clockId, '2026-01-05T00:00:00Z')
  await at.invoiceNow(subscribed)
  await advanceTo(installation, subscribed.clockId, '2026-02-02T12:00:00Z')
  await at.untilPaid(subscribed)
  return `subscription/${subscribed.subscriptionId}`
}

/** A boundary that cannot be billed until somebody mends what is in the way: the billing profile is gone. */
export async function outlastObstacle(walker: Walker, key: string): Promise<string> {
  const { client, database } = walker.installation
  const boundary = new Date(Math.ceil((Date.now() + 20_000) / 1000) * 1000)
  const body = { billingAnchor: boundary.toISOString() }
  const { customerId, subscriptionId } = await subscribe(walker, { key, profile: {}, body })
  await firstInvoice(walker, customerId, 'paid')
  const profileIs = async (deletedAt: Date | null): Promise<void> =>
    void (await database.db
      .updateTable('billingProfiles')
      .set({ deletedAt })
      .where('name', '=', `For ${key}`)
      .execute())
  await profileIs(new Date())
  const workflowId = `subscription/${subscriptionId}`
  await waitFor(
    async () => await readHistory(client, workflowId),
    (events) => events.some(({ kind }) => kind === 'activityTaskScheduled'),
  )
  await profileIs(null)
  await waitFor(
    async () => await invoicesOf(walker, customerId),
    (items) => items.length === 2 && items.every(({ status }) => status === 'paid'),
  )
  await sleeping(walker, workflowId)
  return workflowId
}

/**
 * A cancelation and its withdrawal within their workflow tasks, a cancelation that waits for its row until it has to go on as
 * an activity, and one that needs an earlier wake.
 */
export async function commandInTask(walker: Walker, key: string): Promise<string> {
  const { call, client, database } = walker.installation
  const { customerId, subscriptionId } = await subscribe(walker, { key })
  await firstInvoice(walker, customerId, 'paid')
  const workflowId = `subscription/${subscriptionId}`
  await sleeping(walker, workflowId)
  const path = `/api/v1/subscriptions/${subscriptionId}`
  const cancel = async (timing: string): Promise<unknown> => await call('POST', `${path}/cancel`, { timing })
  const withdraw = async (): Promise<unknown> => await call('POST', `${path}/unschedule-cancelation`)
  await cancel('next_billing_cycle')
  await withdraw()
  const held = await database.db.startTransaction().execute()
  await held.selectFrom('subscriptions').select('id').where('id', '=', subscriptionId).forUpdate().execute()
  const canceled = cancel('next_billing_cycle')
  await waitFor(
    async () => await readHistory(client, workflowId),
    (events) => events.some(({ kind }) => kind === 'activityTaskScheduled'),
  )
  await held.commit().execute()
  await canceled
  await withdraw()
  await cancel(new Date(Date.now() + 86_400_000).toISOString())
  await sleeping(walker, workflowId)
  return workflowId
}

/** A subscription that is parked, since it would have billed something absurd, and released. */
export async function parkAndRelease(walker: Walker, key: string): Promise<string> {
  const { installation } = walker
  const { call, database } = installation
  const scenario = await onOwnClock(installation, walker.scenario)
  const { subscriptionId } = await subscribe({ installation, scenario }, { key })
  await advanceTo(installation, scenario.clockId, '2026-01-31T00:00:00Z')
  const dayBefore = Date.parse('2026-01-31T12:00:00Z')
  const closings = Array.from({ length: 25 }, (_, index) => ({
    subscriptionId,
    periodAt: new Date(dayBefore + index * 1000),
    reason: 'period',
    periodFrom: new Date(dayBefore),
    usageCutoff: '1:1:',
    asOf: new Date(dayBefore),
  }))
  await database.db.insertInto('closings').values(closings).execute()
  await advanceTo(installation, scenario.clockId, '2026-02-03T00:00:00Z')
  await call('POST', `/api/v1/subscriptions/${subscriptionId}/release`)
  await advanceTo(installation, scenario.clockId, '2026-02-04T00:00:00Z')
  return `subscription/${subscriptionId}`
}

/** A card that declines to the end of dunning, on a test clock, and a subscription that is ended at its period's end. */
export async function dunOnClock(walker: Walker, key: string): Promise<readonly [string, string]> {
  const { installation } = walker
  const scenario = await onOwnClock(installation, walker.scenario)
  const profile = withRetries('P3D', 'P7D', 'P14D')
  const options = { key, card: declining, profile }
  const { customerId, subscriptionId } = await subscribe({ installation, scenario }, options)
  await installation.call('POST', `/api/v1/subscriptions/${subscriptionId}/cancel`, {
    timing: 'next_billing_cycle',
  })
  const { id } = await firstInvoice(walker, customerId, 'issued.payment_failed')
  await begun(walker, id)
  for (const to of ['2026-01-10', '2026-01-20', '2026-02-10'])
    await advanceTo(installation, scenario.clockId, `${to}T00:00:00Z`)
  return [`subscription/${subscriptionId}`, `invoice/${await ended(walker, id)}`]
}

/** Workflows that were lost and that the reconciler built again from their rows. */
export async function rebuild(walker: Walker, key: string): Promise<readonly [string, string]> {
  const { client } = walker.installation
  const options = { key, card: declining, profile: withRetries('P1D') }
  const { customerId, subscriptionId } = await subscribe(walker, options)
  const { id } = await firstInvoice(walker, customerId, 'issued.payment_failed')
  await begun(walker, id)
  const workflows = [`subscription/${subscriptionId}`, `invoice/${id}`] as const
  for (const workflowId of workflows) await client.workflow.getHandle(workflowId).terminate('lost')
  // What is lost is known when visibility has it.
  await waitFor(
    async () => await reconcile(walker),
    (repaired) => workflows.every((workflowId) => repaired.has(workflowId)),
  )
  for (const workflowId of workflows) await sleeping(walker, workflowId)
  return workflows
}

const repairedByNow = new Set<string>()
async function reconcile({ installation }: Walker): Promise<ReadonlySet<string>> {
  let after: string | undefined
  do {
    const answer: { findings: { subject: string; repaired: boolean }[]; next?: string } =
      await installation.call('POST', '/api/v1/reconciliation', after === undefined ? {} : { after })
    for (const { subject, repaired } of answer.findings) if (repaired) repairedByNow.add(subject)
    after = answer.next
  } while (after !== undefined)
  return repairedByNow
}

/** A subscription that begins further ahead than one timer reaches. */
export async function waitForYears(walker: Walker, key: string): Promise<string> {
  const timing = new Date()
  timing.setUTCFullYear(timing.getUTCFullYear() + 2)
  const { subscriptionId } = await subscribe(walker, { key, body: { timing: timing.toISOString() } })
  await sleeping(walker, `subscription/${subscriptionId}`)
  return `subscription/${subscriptionId}`
}

/** Daily bills on a card that declines: many steps of all three workflows on a test clock. */
export async function dunDaily(walker: Walker, key: string): Promise<readonly [string, string, string]> {
  const { installation } = walker
  const scenario = await onOwnClock(installation, walker.scenario)
  const profile = withRetries('P1D', 'P2D', 'P3D', 'P4D', 'P5D', 'P6D', 'P7D')
  const options = { key, card: declining, plan: 'base_daily', profile }
  const { customerId, subscriptionId } = await subscribe({ installation, scenario }, options)
  const { id } = await firstInvoice(walker, customerId, 'issued.payment_failed')
  await begun(walker, id)
  for (let day = 2; day < 10; day++)
    await advanceTo(installation, scenario.clockId, `2026-01-0${day}T12:00:00Z`)
  return [`subscription/${subscriptionId}`, `invoice/${id}`, `test-clock/${scenario.clockId}`]
}

/** An unpaid customer on a test clock, all of whose workflows are told to begin a new run. */
export async function poke(walker: Walker, key: string): Promise<readonly string[]> {
  const { installation } = walker
  const scenario = await onOwnClock(installation, walker.scenario)
  const options = { key, card: declining, profile: withRetries('P3D', 'P7D') }
  const { customerId, subscriptionId } = await subscribe({ installation, scenario }, options)
  const { id } = await firstInvoice(walker, customerId, 'issued.payment_failed')
  await begun(walker, id)
  await advanceTo(installation, scenario.clockId, '2026-01-05T00:00:00Z')
  const workflows = [`subscription/${subscriptionId}`, `invoice/${id}`, `test-clock/${scenario.clockId}`]
  for (const workflowId of workflows) {
    const handle = installation.client.workflow.getHandle(workflowId)
    const { runId } = await handle.describe()
    await handle.signal('poke')
    await waitFor(
      async () => (await handle.describe()).runId,
      (newest) => newest !== runId,
    )
  }
  return workflows
}
