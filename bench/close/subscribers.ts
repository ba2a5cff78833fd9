import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { caller } from '../../test/support/caller.ts'
import type { Call } from '../../test/support/caller.ts'
import { baseFee, mainPhase, tokenUsage, twoTiers } from '../../test/support/plans.ts'
import { addCustomer, startScenario } from '../../test/support/scenario.ts'
import type { Scenario } from '../../test/support/scenario.ts'
import type { Stack } from '../stack/stack.ts'

export interface Setup {
  readonly call: Call
  readonly sandboxUrl: string
}

/** Calls of the setup at a time. */
const CALLERS = 8
const PLAN = 'bench_close'

/** Makes what subscriptions need, once; nothing of the plan is billed before the first period has ended. */
export async function prepare(stack: Stack): Promise<{ setup: Setup; scenario: Scenario }> {
  const url = stack.apis[0]?.url ?? ''
  const setup: Setup = { call: caller(url), sandboxUrl: stack.sandbox.url }
  const scenario = await startScenario(setup)
  await setup.call('POST', '/api/v1/meters', {
    slug: 'tokens',
    eventType: 'request',
    aggregation: 'SUM',
    valueProperty: '$.tokens',
  })
  await setup.call('POST', '/api/v1/features', { key: 'tokens', name: 'Tokens', meterSlug: 'tokens' })
  const plan = await setup.call<{ id: string }>('POST', '/api/v1/plans', {
    key: PLAN,
    name: 'Close',
    currency: 'USD',
    billingCadence: 'P1M',
    // The first period is a short one and costs as much as any.
    proRatingConfig: { enabled: false, mode: 'prorate_prices' },
    phases: [
      mainPhase(
        { ...baseFee(), price: { type: 'flat', amount: '20', paymentTerm: 'in_arrears' } },
        tokenUsage(twoTiers('graduated', ['0.01', '0.005'], '100')),
      ),
    ],
  })
  await setup.call('POST', `/api/v1/plans/${plan.id}/publish`)
  return { setup, scenario }
}

/** Customers with a card, here and at Stripe. */
export async function addCustomers(
  { setup, scenario }: { readonly setup: Setup; readonly scenario: Scenario },
  count: number,
): Promise<readonly { readonly id: string; readonly key: string; readonly stripeCustomerId: string }[]> {
  return await inTurn(count, async () => {
    const key = `close-${randomUUID()}`
    return { key, ...(await addCustomer(setup, scenario, { key })) }
  })
}

/** Subscribes each, with usage; their periods end at the same instant. */
export async function subscribeAll(
  { call }: Setup,
  customers: readonly { readonly id: string; readonly key: string }[],
  dueMs: number,
): Promise<void> {
  await inTurn(customers.length, async (index) => {
    const customer = customers[index]
    if (customer === undefined) return
    await subscribe(call, customer.id, dueMs)
    const events = Array.from({ length: 10 }, () => ({
      specversion: '1.0',
      id: randomUUID(),
      source: 'bench',
      type: 'request',
      subject: customer.key,
      time: new Date().toISOString(),
      data: { tokens: 25 },
    }))
    await call('POST', '/api/v1/events', events)
  })
}

/** Its first period ends at the instant. */
export async function subscribe(call: Setup['call'], customerId: string, dueMs: number): Promise<void> {
  await call('POST', '/api/v1/subscriptions', {
    customerId,
    plan: { key: PLAN },
    billingAnchor: new Date(dueMs).toISOString(),
  })
}

/** Waits until every workflow sleeps until the instant; how many do not when there are only `reserveMs` left. */
export async function asleep(
  { db }: Stack,
  { dueMs, count, reserveMs }: { readonly dueMs: number; readonly count: number; readonly reserveMs: number },
): Promise<number> {
  for (;;) {
    const { waiting } = await db
      .selectFrom('subscriptions')
      .select(({ fn }) => fn.countAll<string>().as('waiting'))
      .where('nextClosingAt', '=', new Date(dueMs))
      .executeTakeFirstOrThrow()
    const missing = count - Number(waiting)
    if (missing === 0 || Date.now() > dueMs - reserveMs) return missing
    await delay(100)
  }
}

/** As many at a time as are good for the machine; the results are in order. */
export async function inTurn<T>(count: number, work: (index: number) => Promise<T>): Promise<readonly T[]> {
  const results: T[] = []
  let next = 0
  const callers = Array.from({ length: CALLERS }, async () => {
    for (let index = next++; index < count; index = next++) results[index] = await work(index)
  })
  await Promise.all(callers)
  return results
}
