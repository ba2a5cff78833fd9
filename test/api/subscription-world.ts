import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import {
  insertCustomer,
  insertPlan,
  insertProfile,
  freePhase,
  recordingTemporal,
  stripeWithCustomer,
} from './billing-fixtures.ts'
import type { Call } from './billing-fixtures.ts'
import { startTestApi } from './support.ts'

/** The API with the plans `pro` and `free`; the engine is written down, Stripe knows one customer. */
export async function startSubscriptionApi() {
  const engine: { act: (call: Call) => Promise<void> | void } = { act: () => {} }
  const recorded = recordingTemporal(async (call) => await engine.act(call))
  const known: { stripe: Pick<StripeGateway, 'getCustomer'> } = { stripe: stripeWithCustomer({}) }
  const gateway = {
    getCustomer: async (...args: Parameters<StripeGateway['getCustomer']>) =>
      await known.stripe.getCustomer(...args),
  }
  const api = await startTestApi({ temporal: recorded.temporal, stripe: gateway as StripeGateway })
  const { appId } = await insertProfile(api.db)
  await insertPlan(api.db, { key: 'pro' })
  await insertPlan(api.db, { key: 'free', phases: [freePhase] })
  let count = 0
  const lastKey = (): string => `c${count}`
  const customer = async (
    options: { currency?: string; timezone?: string; testClockId?: string } = {},
  ): Promise<string> => {
    count += 1
    return await insertCustomer(api.db, { key: lastKey(), appId, ...options })
  }
  const post = async (url: string, payload: object, headers: Record<string, string> = {}) => {
    const response = await api.app.inject({ method: 'POST', url, payload, headers })
    return { status: response.statusCode, body: response.json() }
  }
  const get = async (url: string) => {
    const response = await api.app.inject({ method: 'GET', url })
    return { status: response.statusCode, body: response.json() }
  }
  const subscribe = async (payload: object) =>
    await post('/api/v1/subscriptions', { plan: { key: 'pro' }, ...payload })
  /** What the engine would do to the rows. */
  const actAs = (act: (call: Call) => Promise<void> | void): void => {
    engine.act = act
  }
  /** Whom Stripe has. */
  const stripeHas = (found: Parameters<typeof stripeWithCustomer>[0]): void => {
    known.stripe = stripeWithCustomer(found)
  }
  /** Before each test: nothing was asked of the engine, and the customer has a card. */
  const reset = (): void => {
    recorded.calls.length = 0
    actAs(() => {})
    stripeHas({ defaultPaymentMethodId: 'pm_1' })
  }
  return { api, calls: recorded.calls, customer, lastKey, post, get, subscribe, actAs, stripeHas, reset }
}
