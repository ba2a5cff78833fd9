import { randomUUID } from 'node:crypto'
import type { Installation as WholeInstallation } from './installation.ts'
import { tokenPlan } from './plans.ts'
import { giveCard, stripeClock, stripePost } from './stripe-client.ts'

/** What a scenario needs of an installation. */
type Installation = Pick<WholeInstallation, 'call' | 'sandboxUrl'>

/** What most scenarios begin with, made over the public API as a user would. */
export interface Scenario {
  readonly appId: string
  readonly profileId: string
  readonly clockId: string | null
  readonly stripeClockId: string | null
}

/** A scenario whose customers live on a test clock. */
export interface ClockedScenario extends Scenario {
  readonly clockId: string
  readonly stripeClockId: string
}

interface ScenarioOptions {
  /** Where the test clock starts; left out: real time. */
  readonly frozenTime?: string
  readonly workflow?: object
  readonly dunning?: object
  readonly lateUsage?: object
}

interface HasId {
  readonly id: string
}

/** Installs Stripe, makes the default billing profile and, if asked, a test clock here and at Stripe. */
export async function startScenario(
  installation: Installation,
  options: ScenarioOptions = {},
): Promise<Scenario> {
  const { call } = installation
  const { app } = await call<{ app: HasId }>('POST', '/api/v1/marketplace/listings/stripe/install/apikey', {
    apiKey: 'sk_test_sandbox',
    name: 'Stripe',
  })
  const profile = await call<HasId>('POST', '/api/v1/billing/profiles', {
    name: 'Default',
    default: true,
    supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
    workflow: options.workflow ?? {},
    apps: { tax: app.id, invoicing: app.id, payment: app.id },
    ...(options.dunning && { dunning: options.dunning }),
    ...(options.lateUsage && { lateUsage: options.lateUsage }),
  })
  const made = { appId: app.id, profileId: profile.id }
  if (options.frozenTime === undefined) return { ...made, clockId: null, stripeClockId: null }
  return await onOwnClock(installation, { ...made, clockId: null, stripeClockId: null }, options.frozenTime)
}

/** Where tests on one installation begin that do not share the time. */
export const NEW_YEAR = '2026-01-01T00:00:00Z'

/** The scenario on a new test clock, here and at Stripe. */
export async function onOwnClock(
  { call, sandboxUrl }: Installation,
  scenario: Scenario,
  frozenTime: string = NEW_YEAR,
): Promise<ClockedScenario> {
  const clock = await call<HasId>('POST', '/api/v1/test-clocks', { name: 'own', frozenTime })
  const stripeClockId = await stripeClock(sandboxUrl, frozenTime)
  return { ...scenario, clockId: clock.id, stripeClockId }
}

interface CustomerOptions {
  readonly key: string
  readonly timezone?: string
  readonly currency?: string
  /** A `pm_card_…` token; null: no card. */
  readonly card?: string | null
  readonly email?: string
}

export interface ScenarioCustomer {
  readonly id: string
  readonly stripeCustomerId: string
}

/** A customer here and at Stripe, linked, with a default card. Its usage subject is its key. */
export async function addCustomer(
  installation: Installation,
  scenario: Scenario,
  options: CustomerOptions,
): Promise<ScenarioCustomer> {
  const { call, sandboxUrl } = installation
  const stripe = await stripePost(sandboxUrl, 'customers', {
    name: options.key,
    ...(options.email !== undefined && { email: options.email }),
    ...(scenario.stripeClockId !== null && { test_clock: scenario.stripeClockId }),
  })
  const card = options.card === undefined ? 'pm_card_visa' : options.card
  if (card !== null) await giveCard(sandboxUrl, stripe.id, card)
  const customer = await call<HasId>('POST', '/api/v1/customers', {
    key: options.key,
    name: options.key,
    currency: options.currency ?? 'USD',
    timezone: options.timezone ?? 'UTC',
    usageAttribution: { subjectKeys: [options.key] },
    ...(scenario.clockId !== null && { testClockId: scenario.clockId }),
  })
  await call('PUT', `/api/v1/customers/${customer.id}/apps`, [
    { type: 'stripe', stripeCustomerId: stripe.id },
  ])
  return { id: customer.id, stripeCustomerId: stripe.id }
}

/** A token meter, a feature on it and a published plan: base fee in advance, graduated token price in arrears. */
export async function addTokenPlan(
  installation: Installation,
  overrides: object = {},
): Promise<{ planKey: string }> {
  const { call } = installation
  await call('POST', '/api/v1/meters', {
    slug: 'tokens',
    name: 'Tokens',
    eventType: 'request',
    aggregation: 'SUM',
    valueProperty: '$.tokens',
    groupBy: { kind: '$.kind' },
  })
  await call('POST', '/api/v1/features', { key: 'tokens', name: 'Tokens', meterSlug: 'tokens' })
  const plan = await call<HasId>('POST', '/api/v1/plans', { ...tokenPlan, ...overrides })
  await call('POST', `/api/v1/plans/${plan.id}/publish`)
  return { planKey: tokenPlan.key }
}

interface TokenUsage {
  readonly subject: string
  readonly time: string
  readonly tokens: number
}

/** Posts one event of the token plan's meter; each is another. */
export async function postTokens(
  { call }: Installation,
  { subject, time, tokens }: TokenUsage,
): Promise<void> {
  const event = { specversion: '1.0', id: randomUUID(), source: 'test', type: 'request', subject, time }
  await call('POST', '/api/v1/events', [{ ...event, data: { tokens, kind: 'context' } }])
}

interface Clock {
  readonly status: string
  readonly statusReason?: string
}

/** Advances the clock and waits until everything due has happened. */
export async function advanceTo(
  installation: Installation,
  clockId: string,
  frozenTime: string,
): Promise<void> {
  await installation.call('POST', `/api/v1/test-clocks/${clockId}/advance`, { frozenTime })
  await waitFor(
    async () => await installation.call<Clock>('GET', `/api/v1/test-clocks/${clockId}`),
    (clock) => clock.status === 'ready',
  )
}

/** Polls until the value satisfies; fails with the last value after the time limit. */
export async function waitFor<T>(
  read: () => Promise<T>,
  done: (value: T) => boolean,
  limitMs = 100_000,
): Promise<T> {
  const until = Date.now() + limitMs
  for (;;) {
    const value = await read()
    if (done(value)) return value
    if (Date.now() > until) throw new Error(`waited in vain; last seen: ${JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
