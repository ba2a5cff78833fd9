import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Database } from '../../src/db/connection.ts'
import type { Call } from '../support/caller.ts'
import { addCustomer } from '../support/scenario.ts'
import type { Scenario, ScenarioCustomer } from '../support/scenario.ts'
import { untilTaken } from './callers.ts'
import type { Caller } from './http.ts'
import type { Tally } from './tally.ts'

export interface Reach {
  readonly call: Call
  readonly sandboxUrl: string
}

/** Customers on a test clock, each with the monthly token plan. */
export interface Fleet {
  readonly customers: readonly ScenarioCustomer[]
  readonly clockId: string
}

const START = '2026-01-01T00:00:00Z'
const BASE_MINOR = 2000

export async function createFleet(reach: Reach, scenario: Scenario, size: number): Promise<Fleet> {
  const customers: ScenarioCustomer[] = []
  for (let index = 0; index < size; index += 1) {
    const customer = await addCustomer(reach, scenario, { key: `billed-${index}` })
    await reach.call('POST', '/api/v1/subscriptions', {
      customerId: customer.id,
      plan: { key: 'tokens_monthly' },
    })
    customers.push(customer)
  }
  return { customers, clockId: scenario.clockId ?? '' }
}

export const billingStart = START

interface BillingRun {
  readonly fleet: Fleet
  readonly caller: Caller
  readonly tally: Tally
  readonly until: () => boolean
}

/** Month after month: usage of each customer, then the clock over the boundary. Returns how many months were billed. */
export async function runBilling(run: BillingRun): Promise<number> {
  let months = 0
  while (!run.until()) {
    await sendUsage(run, months)
    await advance(run, monthAfter(months + 1))
    months += 1
  }
  return months
}

/** A cent each, so that an invoice says how many of them were counted. */
const tokensOf = (customer: number, month: number): number => 10 * (1 + ((customer + 3 * month) % 50))

const monthAfter = (months: number): Date => {
  const at = new Date(START)
  at.setUTCMonth(at.getUTCMonth() + months, 2)
  return at
}

async function sendUsage({ fleet, caller, tally }: BillingRun, month: number): Promise<void> {
  const time = new Date(monthAfter(month).getTime() + 5 * 86_400_000).toISOString()
  for (const index of fleet.customers.keys()) {
    const events = Array.from({ length: 10 }, (_, n) => ({
      specversion: '1.0',
      id: `${index}-${month}-${n}`,
      source: 'billed',
      type: 'request',
      subject: `billed-${index}`,
      time,
      data: { tokens: tokensOf(index, month) / 10, kind: 'context' },
    }))
    const body = JSON.stringify(events)
    await untilTaken(caller, tally, { kind: 'billing run', method: 'POST', path: '/api/v1/events', body })
  }
}

async function advance({ fleet, caller, tally }: BillingRun, to: Date): Promise<void> {
  const path = `/api/v1/test-clocks/${fleet.clockId}`
  const body = JSON.stringify({ frozenTime: to.toISOString() })
  await untilTaken(caller, tally, { kind: 'billing run', method: 'POST', path: `${path}/advance`, body })
  for (;;) {
    const answer = await untilTaken(caller, tally, { kind: 'billing run', method: 'GET', path })
    if (answer === null || answer.status >= 300) return
    if ((JSON.parse(answer.text) as { status: string }).status === 'ready') return
    await pause(250)
  }
}

/** What is wrong with the fleet's invoices: each boundary billed once, paid, and over what was used. */
export async function auditInvoices(db: Database, fleet: Fleet, months: number): Promise<readonly string[]> {
  const problems: string[] = []
  for (const [index, customer] of fleet.customers.entries()) {
    const rows = await db
      .selectFrom('invoices')
      .select(['status', 'substatus', 'totalMinor', 'closingAt'])
      .where('customerId', '=', customer.id)
      .orderBy('closingAt')
      .execute()
    const expected = Array.from({ length: months + 1 }, (_, month) =>
      String(BASE_MINOR + (month === 0 ? 0 : tokensOf(index, month - 1))),
    )
    const found = rows.map(({ totalMinor }) => totalMinor)
    if (found.join() !== expected.join())
      problems.push(`customer ${index}: invoices over ${found.join(', ')}, not ${expected.join(', ')}`)
    const unpaid = rows.filter(({ status }) => status !== 'paid')
    if (unpaid.length > 0) problems.push(`customer ${index}: ${unpaid.length} invoices are not paid`)
  }
  return problems
}

/** Whether what was accepted of the load is there once, by the rows and by the meter. */
export async function auditEvents(
  db: Database,
  source: string,
  accepted: { readonly events: number; readonly tokens: number },
): Promise<readonly string[]> {
  const { rows } = await sql<{ events: string; ids: string; tokens: string }>`
    SELECT count(*) AS events, count(DISTINCT id) AS ids, coalesce(sum((data->>'tokens')::numeric), 0) AS tokens
    FROM events WHERE source = ${source}`.execute(db)
  const found = [rows[0]?.events, rows[0]?.ids, rows[0]?.tokens].map(Number)
  const wanted = [accepted.events, accepted.events, accepted.tokens]
  return found.join() === wanted.join()
    ? []
    : [`rows, ids and tokens stored are ${found.join(', ')}; accepted were ${wanted.join(', ')}`]
}
