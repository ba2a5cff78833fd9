import { Client as TemporalClient, Connection } from '@temporalio/client'
import { Client } from 'pg'
import type { AuditTarget } from '../audit/contract.ts'
import { steer } from './client.ts'
import type { ApiClient } from './client.ts'
import type { Stack } from './stack.ts'

/** What has not come to rest yet, in words; nothing: all is at rest. */
type Restless = readonly string[]

/** Where something keeps on moving, its name and how much of it. */
const counts: Readonly<Record<string, string>> = {
  'test clocks that advance': `SELECT count(*) FROM test_clocks WHERE status <> 'ready'`,
  'outbox rows': 'SELECT count(*) FROM outbox WHERE done_at IS NULL',
  'events in the inbox': 'SELECT count(*) FROM stripe_events WHERE processed_at IS NULL',
  'subscriptions that are due': `SELECT count(*) FROM subscriptions s JOIN customers c ON c.id = s.customer_id
    JOIN test_clocks t ON t.id = c.test_clock_id WHERE s.next_due_at <= t.frozen_time`,
  'invoices that are due': `SELECT count(*) FROM invoices i JOIN customers c ON c.id = i.customer_id
    JOIN test_clocks t ON t.id = c.test_clock_id WHERE i.next_due_at <= t.frozen_time`,
}

/** Invoices that are settled here and were told of lately: what they are at Stripe may be looked at just now. */
const wokenSettled = `SELECT DISTINCT i.id FROM invoices i JOIN stripe_events e ON e.invoice_id = i.id
  WHERE i.status IN ('paid', 'voided', 'uncollectible') AND e.outcome = 'signalled'
    AND e.processed_at > now() - interval '5 minutes'`

const LOOK_EVERY_MS = 500
const RESEND_EVERY_MS = 10_000

/**
 * Waits until nothing moves any more, in our rows and at Stripe, and has the reconciler go over everything once, as it does
 * by itself every few minutes. What still moves at the end of the limit is given back.
 */
export async function comeToRest(stack: Stack, client: ApiClient, limitMs: number): Promise<Restless> {
  const until = performance.now() + limitMs
  const first = await settle(stack, until)
  if (first.length > 0) return first
  await reconcile(client)
  return await settle(stack, until)
}

async function settle(stack: Stack, until: number): Promise<Restless> {
  let resentAt = 0
  for (;;) {
    if (performance.now() - resentAt > RESEND_EVERY_MS) {
      resentAt = performance.now()
      await resend(stack.sandboxUrl)
    }
    const { postgres, temporal, sandboxUrl } = stack
    const restless = await whatMoves({
      databaseUrl: postgres.url(),
      temporalAddress: temporal.url(),
      sandboxUrl,
    })
    if (restless.length === 0 || performance.now() > until) return restless
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}

/** Looks once, in our rows, at Temporal and at Stripe. */
export async function whatMoves({
  databaseUrl,
  temporalAddress,
  sandboxUrl,
}: Pick<AuditTarget, 'databaseUrl' | 'temporalAddress' | 'sandboxUrl'>): Promise<Restless> {
  const restless: string[] = []
  const database = new Client({ connectionString: databaseUrl, application_name: 'chaos' })
  await database.connect()
  try {
    for (const [name, sql] of Object.entries(counts)) {
      const { rows } = await database.query<{ count: string }>(sql)
      if (rows[0]?.count !== '0') restless.push(`${rows[0]?.count} ${name}`)
    }
    if (restless.length > 0) return restless
    const { rows } = await database.query<{ id: string }>(wokenSettled)
    const running = await runningAmong(
      temporalAddress,
      rows.map(({ id }) => `invoice/${id}`),
    )
    if (running > 0) restless.push(`${running} settled invoices that are looked at`)
  } finally {
    await database.end()
  }
  const stripe = await steer<{ settled: boolean; failing: number }>(sandboxUrl, 'GET', '/settled')
  if (!stripe.settled) restless.push('Stripe, which is not settled')
  if (stripe.failing > 0) restless.push(`${stripe.failing} webhooks that will be tried again`)
  return restless
}

async function runningAmong(address: string, workflowIds: readonly string[]): Promise<number> {
  if (workflowIds.length === 0) return 0
  const connection = await Connection.connect({ address })
  try {
    const { workflow } = new TemporalClient({ connection })
    let running = 0
    for (const id of workflowIds)
      if ((await workflow.getHandle(id).describe()).status.name === 'RUNNING') running += 1
    return running
  } finally {
    await connection.close()
  }
}

interface Delivery {
  readonly event: string
  readonly state: string
  readonly attempts: number
}

/** Stripe tries for days what was refused: here it tries again at once. */
async function resend(sandboxUrl: string): Promise<void> {
  const { failing } = await steer<{ failing: number }>(sandboxUrl, 'GET', '/settled')
  if (failing === 0) return
  const { deliveries } = await steer<{ deliveries: readonly Delivery[] }>(
    sandboxUrl,
    'GET',
    '/webhooks/deliveries',
  )
  for (const { event, state, attempts } of deliveries)
    if (state === 'pending' && attempts > 0) await steer(sandboxUrl, 'POST', `/webhooks/resend/${event}`)
}

async function reconcile({ call }: ApiClient): Promise<void> {
  let after: string | undefined
  do {
    const { next } = await call<{ next?: string }>('POST', '/api/v1/reconciliation', {
      ...(after !== undefined && { after }),
    })
    after = next
  } while (after !== undefined)
}
