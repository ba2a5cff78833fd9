import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Call } from '../../test/support/caller.ts'
import { addCustomer, onOwnClock } from '../../test/support/scenario.ts'
import type { Scenario } from '../../test/support/scenario.ts'
import type { ClusterClient } from './client.ts'

export interface LoadOptions {
  readonly client: ClusterClient
  /** For what comes before the load: throws where a call fails. */
  readonly setup: { readonly call: Call; readonly sandboxUrl: string }
  readonly scenario: Scenario
  readonly isOver: () => boolean
}

/** What was asked of a subscription, and what its invoices have to be for it. */
export interface Subscriber {
  readonly key: string
  readonly subscriptionId: string
  /** Totals in minor units, in the order of the closings. */
  readonly expected: readonly bigint[]
  /** Of one in real time. */
  readonly boundaryMs?: number
}

const MONTH_BEGINS = '2026-01-01T00:00:00Z'
const BASE_MINOR = 2_000n
const PLAN = { key: 'tokens_monthly' }
/** Between two calls of one loop: the load is steady, not as much as goes. */
const PAUSE_MS = 40
const POLL_MS = 250

interface Group {
  readonly clockId: string
  readonly scenario: Scenario
  readonly members: readonly (Subscriber & { readonly expected: bigint[] })[]
}

/** Subscriptions on a test clock: usage of a month is posted, then the clock moves on by a month, again and again. */
export async function onTestClock(
  options: LoadOptions,
  name: string,
  size: number,
): Promise<readonly Subscriber[]> {
  const group = await startGroup(options, name, size)
  for (let month = 1; !options.isOver(); month += 1) {
    const used = await postMonth(options, group, month)
    await advance(options, group, monthBegins(month))
    for (const [index, member] of group.members.entries())
      member.expected.push(BASE_MINOR + priceOf(used[index] ?? 0))
  }
  return group.members
}

async function startGroup({ setup, scenario }: LoadOptions, name: string, size: number): Promise<Group> {
  const own = await onOwnClock(setup, scenario, MONTH_BEGINS)
  const members: Group['members'][number][] = []
  for (let index = 0; index < size; index += 1) {
    const key = `${name}-${index}`
    const customer = await addCustomer(setup, own, { key })
    const { id } = await setup.call<{ id: string }>('POST', '/api/v1/subscriptions', {
      customerId: customer.id,
      plan: PLAN,
    })
    members.push({ key, subscriptionId: id, expected: [BASE_MINOR] })
  }
  return { clockId: own.clockId, scenario: own, members }
}

/** A few batches for each; answers how many tokens were accepted. */
async function postMonth(
  { client }: LoadOptions,
  { members }: Group,
  month: number,
): Promise<readonly number[]> {
  const used: number[] = []
  for (const [index, { key }] of members.entries()) {
    let tokens = 0
    for (let batch = 0; batch < 3; batch += 1) {
      const time = new Date(Date.parse(monthBegins(month - 1)) + (batch + 1) * 86_400_000).toISOString()
      const events = Array.from({ length: 10 }, () => ({
        specversion: '1.0',
        id: randomUUID(),
        source: 'topology',
        type: 'request',
        subject: key,
        time,
        data: { tokens: 20 + index * 10, kind: 'context' },
      }))
      const isTaken =
        (await client.call({ kind: 'usage', method: 'POST', path: '/api/v1/events', body: events })) !== null
      if (isTaken) tokens += events.reduce((sum, { data }) => sum + data.tokens, 0)
      await delay(PAUSE_MS)
    }
    used.push(tokens)
  }
  return used
}

/** Graduated: a cent each up to a thousand, half a cent above; even numbers leave no fraction. */
function priceOf(tokens: number): bigint {
  return BigInt(Math.min(tokens, 1000)) + BigInt(Math.max(0, tokens - 1000)) / 2n
}

function monthBegins(month: number): string {
  return new Date(Date.UTC(2026, month, 1)).toISOString()
}

async function advance({ client }: LoadOptions, { clockId }: Group, frozenTime: string): Promise<void> {
  const path = `/api/v1/test-clocks/${clockId}`
  await client.call({ kind: 'advance', method: 'POST', path: `${path}/advance`, body: { frozenTime } })
  for (;;) {
    const clock = await client.call<{ status: string }>({ kind: 'read', method: 'GET', path })
    if (clock?.status === 'ready') return
    await delay(POLL_MS)
  }
}

/** Subscriptions in real time, one after the other, each with a boundary half a minute ahead; and commands on them. */
export async function inRealTime(options: LoadOptions, name: string): Promise<readonly Subscriber[]> {
  const { client, setup, scenario } = options
  const made: Subscriber[] = []
  for (let index = 0; !options.isOver(); index += 1) {
    const key = `${name}-${index}`
    const customer = await addCustomer(setup, scenario, { key })
    const boundary = new Date(Math.ceil((Date.now() + 30_000) / 1000) * 1000)
    const subscription = await client.call<{ id: string }>({
      kind: 'subscribe',
      method: 'POST',
      path: '/api/v1/subscriptions',
      body: { customerId: customer.id, plan: PLAN, billingAnchor: boundary.toISOString() },
    })
    if (subscription === null) continue
    made.push({ key, subscriptionId: subscription.id, expected: [], boundaryMs: boundary.getTime() })
    const path = `/api/v1/subscriptions/${subscription.id}`
    const timing = { timing: 'next_billing_cycle' }
    // Taken back: it goes on to be billed.
    const isCanceled = await client.call({
      kind: 'command',
      method: 'POST',
      path: `${path}/cancel`,
      body: timing,
    })
    if (isCanceled !== null)
      await client.call({ kind: 'command', method: 'POST', path: `${path}/unschedule-cancelation` })
    await delay(1_000)
  }
  return made
}

/** What a dashboard asks for, all the time. */
export async function reading({ client, isOver }: LoadOptions): Promise<void> {
  const paths = [
    '/api/v1/billing/invoices?pageSize=20',
    '/api/v1/customers?pageSize=20',
    '/api/v1/meters/tokens/query?windowSize=DAY&from=2026-01-01T00:00:00Z&to=2026-02-01T00:00:00Z',
    '/api/v1/plans',
  ]
  for (let turn = 0; !isOver(); turn += 1) {
    await client.call({ kind: 'read', method: 'GET', path: paths[turn % paths.length] ?? '' })
    await delay(PAUSE_MS)
  }
}
