import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Transaction } from 'kysely'
import { activePlan } from '../../src/billing/active-plan.ts'
import { newSubscriptionRow, snapshotOfPlan } from '../../src/billing/new-subscription.ts'
import type { PlanSnapshot } from '../../src/billing/new-subscription.ts'
import { appendTimeline } from '../../src/db/stores/timeline.ts'
import type { DB } from '../../src/db/types.gen.ts'
import { newId } from '../../src/new-id.ts'
import { aliveForADay } from '../../test/support/asked-of-stripe.ts'
import { caller } from '../../test/support/caller.ts'
import type { Call } from '../../test/support/caller.ts'
import { baseFee, mainPhase, tokenUsage, twoTiers } from '../../test/support/plans.ts'
import { startScenario } from '../../test/support/scenario.ts'
import type { Scenario } from '../../test/support/scenario.ts'
import { stripePost } from '../../test/support/stripe-client.ts'
import type { Stack } from '../stack/stack.ts'

/** Calls of the setup at a time. */
const CALLERS = 8
/**
 * How it is billed: collected at once; discounted by all of it, so that nothing is left to collect; drafted and left to
 * wait for an approval, which nobody gives.
 */
export type BilledPlan = 'collected' | 'discounted' | 'drafted'

interface Terms {
  readonly key: string
  /** When the fee of $20 is charged. */
  readonly fee: 'in_advance' | 'in_arrears'
  readonly firstTierUpTo: string
  /** Of each event: ten of them reach the second tier. */
  readonly tokens: number
  /** What the fee and ten events come to, in cents, before its discounts. */
  readonly amount: number
  /** Percent of each line. */
  readonly discount: 0 | 100
}

const ofTheirs = { fee: 'in_advance', firstTierUpTo: '1000', tokens: 250, amount: 3750 } as const

/** Of the first nothing is billed before its first period has ended; the others are what Kill Bill's subscribers have. */
export const plans: Readonly<Record<BilledPlan, Terms>> = {
  collected: {
    key: 'bench_close',
    fee: 'in_arrears',
    firstTierUpTo: '100',
    tokens: 25,
    amount: 2175,
    discount: 0,
  },
  discounted: { key: 'bench_discounted', ...ofTheirs, discount: 100 },
  drafted: { key: 'bench_drafted', ...ofTheirs, discount: 0 },
}

export interface BilledScenario extends Scenario {
  /** A profile whose invoices wait for approval. */
  readonly draftingProfileId: string
}

/** Makes what subscriptions need, once. */
export async function prepare(stack: Stack): Promise<BilledScenario> {
  const url = stack.apis[0]?.url ?? ''
  const call: Call = caller(url)
  const scenario = await startScenario({ call, sandboxUrl: stack.sandbox.url })
  await call('POST', '/api/v1/meters', {
    slug: 'tokens',
    eventType: 'request',
    aggregation: 'SUM',
    valueProperty: '$.tokens',
  })
  await call('POST', '/api/v1/features', { key: 'tokens', name: 'Tokens', meterSlug: 'tokens' })
  for (const terms of Object.values(plans)) await publish(call, terms)
  const drafting = await call<{ id: string }>('POST', '/api/v1/billing/profiles', {
    name: 'Drafting',
    default: false,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow: { invoicing: { autoAdvance: false } },
    apps: { tax: scenario.appId, invoicing: scenario.appId, payment: scenario.appId },
  })
  await aliveForADay(stack.db)
  return { ...scenario, draftingProfileId: drafting.id }
}

async function publish(call: Call, { key, fee, firstTierUpTo, discount }: Terms): Promise<void> {
  const ofEachCard = discount > 0 && { discounts: { percentage: { percentage: discount } } }
  const plan = await call<{ id: string }>('POST', '/api/v1/plans', {
    key,
    name: 'Close',
    currency: 'USD',
    billingCadence: 'P1M',
    // The first period is a short one and costs as much as any.
    proRatingConfig: { enabled: false, mode: 'prorate_prices' },
    phases: [
      mainPhase(
        { ...baseFee(), price: { type: 'flat', amount: '20', paymentTerm: fee }, ...ofEachCard },
        { ...tokenUsage(twoTiers('graduated', ['0.01', '0.005'], firstTierUpTo)), ...ofEachCard },
      ),
    ],
  })
  await call('POST', `/api/v1/plans/${plan.id}/publish`)
}

/** Customers of Stripe's with a card, one request each. */
export async function stripeCustomers(sandboxUrl: string, count: number): Promise<readonly string[]> {
  const card = 'pm_card_visa'
  return await inTurn(count, async (index) => {
    const fields = {
      name: `Close ${index}`,
      payment_method: card,
      'invoice_settings[default_payment_method]': card,
    }
    return (await stripePost(sandboxUrl, 'customers', fields)).id
  })
}

interface Subscribing {
  readonly count: number
  /** Their first period ends at this instant. */
  readonly dueMs: number
  /** Left out: nobody is ever charged. */
  readonly stripeCustomerIds?: readonly string[]
  /** Of each, one after the other from its start on. */
  readonly events?: number
  /** Left out: the one that is collected. */
  readonly plan?: BilledPlan
}

const CHUNK = 500

/**
 * Subscribes as many new customers: the rows that the API writes, many to a statement, and the requests to start their
 * workflows, which the worker delivers. What is measured comes after.
 */
export async function subscribeMany(
  { db }: Stack,
  { appId, draftingProfileId }: BilledScenario,
  asked: Subscribing,
): Promise<void> {
  const { count, dueMs, stripeCustomerIds = [], events = 0, plan: billed = 'collected' } = asked
  const { key, tokens } = plans[billed]
  const plan = snapshotOfPlan(await activePlan(db, { key }, new Date()))
  for (let first = 0; first < count; first += CHUNK) {
    const customers = Array.from({ length: Math.min(CHUNK, count - first) }, (_unused, index) => {
      const id = newId()
      return { id, key: `close-${id}`, stripeCustomerId: stripeCustomerIds[first + index] ?? `cus_${id}` }
    })
    await db.transaction().execute(async (trx) => {
      await storeCustomers(trx, customers, appId)
      if (billed === 'drafted') await storeOverrides(trx, customers, draftingProfileId)
      const activeFrom = await storeSubscriptions(trx, { customers, plan, dueMs })
      if (events > 0) await storeEvents(trx, customers, { each: events, tokens, from: activeFrom })
    })
  }
}

interface NewCustomer {
  readonly id: string
  /** Its usage's subject too. */
  readonly key: string
  readonly stripeCustomerId: string
}

async function storeCustomers(
  trx: Transaction<DB>,
  customers: readonly NewCustomer[],
  appId: string,
): Promise<void> {
  const of = <Row>(row: (customer: NewCustomer) => Row): readonly Row[] => customers.map(row)
  await trx
    .insertInto('customers')
    .values(of(({ id, key }) => ({ id, key, name: key, currency: 'USD' })))
    .execute()
  await trx
    .insertInto('customerSubjects')
    .values(of(({ id, key }) => ({ customerId: id, subjectKey: key })))
    .execute()
  await trx
    .insertInto('customerApps')
    .values(of(({ id, stripeCustomerId }) => ({ customerId: id, appId, stripeCustomerId })))
    .execute()
}

async function storeOverrides(
  trx: Transaction<DB>,
  customers: readonly NewCustomer[],
  billingProfileId: string,
): Promise<void> {
  await trx
    .insertInto('billingOverrides')
    .values(customers.map(({ id }) => ({ customerId: id, billingProfileId })))
    .execute()
}

interface NewSubscriptions {
  readonly customers: readonly NewCustomer[]
  readonly plan: PlanSnapshot
  readonly dueMs: number
}

/** Returns since when they are active. */
async function storeSubscriptions(
  trx: Transaction<DB>,
  { customers, plan, dueMs }: NewSubscriptions,
): Promise<Date> {
  const nowMs = Date.now()
  const start = { activeFrom: new Date(nowMs), billingAnchor: new Date(dueMs) }
  const rows = customers.map(({ id }) =>
    newSubscriptionRow({
      id: newId(),
      customer: { id, timezone: 'UTC', testClockId: null },
      plan,
      profileGate: 'none',
      start,
      nowMs,
    }),
  )
  const detail = `Subscribed to ${plan.planKey} version ${plan.planVersion} from ${start.activeFrom.toISOString()}`
  const created = { subjectType: 'subscription', at: start.activeFrom, kind: 'created', detail } as const
  await trx.insertInto('subscriptions').values(rows).execute()
  await appendTimeline(
    trx,
    rows.map(({ id }) => ({ ...created, subjectId: id })),
  )
  await trx
    .insertInto('outbox')
    .values(rows.map(({ id }) => ({ kind: 'start_subscription', subjectId: id })))
    .execute()
  return start.activeFrom
}

interface NewEvents {
  readonly each: number
  readonly tokens: number
  readonly from: Date
}

/** As many for each, one after the other. */
async function storeEvents(
  trx: Transaction<DB>,
  customers: readonly NewCustomer[],
  { each, tokens, from }: NewEvents,
): Promise<void> {
  const subjects = customers.map(({ key }) => key)
  const stored = sql`SELECT 'bench', subject || '-' || n, 'request', subject,
      ${from}::timestamptz + n * interval '1 millisecond', jsonb_build_object('tokens', ${tokens}::int), now()
    FROM unnest(${subjects}::text[]) subject, generate_series(1, ${each}::int) n`
  await sql`
    WITH stored AS (
      INSERT INTO events (source, id, type, subject, time, data, ingested_at) ${stored} RETURNING source, id
    ) INSERT INTO event_identities (source, id) SELECT source, id FROM stored`.execute(trx)
}

/** Waits until every workflow sleeps until the instant and none is still to be started; how many are not with `reserveMs` left. */
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
    const { unsent } = await db
      .selectFrom('outbox')
      .select(({ fn }) => fn.countAll<string>().as('unsent'))
      .where('doneAt', 'is', null)
      .executeTakeFirstOrThrow()
    const missing = Math.max(count - Number(waiting), Number(unsent))
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
