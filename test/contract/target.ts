import { Stripe } from 'stripe'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import type { StripeTarget } from '../stripe/world.ts'

const masterKey = 'a master key of at least thirty-two bytes'

export interface ContractTarget extends StripeTarget {
  readonly key: string
  /** Makes sure that nobody has this key: the sandbox takes any that it was not told about. */
  readonly forget: (key: string) => Promise<void>
  readonly close: () => Promise<void>
}

interface Named {
  readonly name: string
  readonly start: () => Promise<ContractTarget>
}

/**
 * Whom the contract is held against: the sandbox always, and Stripe itself where STRIPE_API_KEY is a test key. The
 * scenarios are the same; what they make at Stripe is named and its customers are deleted at the end.
 */
export function contractTargets(): readonly Named[] {
  const key = process.env['STRIPE_API_KEY']
  const sandbox = { name: 'the sandbox', start: startSandboxTarget }
  if (key === undefined || key === '') return [sandbox]
  if (!/^(sk|rk)_test_/.test(key))
    throw new Error('STRIPE_API_KEY is no test key: the contract makes invoices and payments')
  return [sandbox, { name: 'Stripe', start: async () => await startStripeTarget(key) }]
}

async function startSandboxTarget(): Promise<ContractTarget> {
  const key = 'sk_test_contract'
  const sandbox = await startSandbox({ port: 0 })
  const { hostname, port } = new URL(sandbox.url)
  const gateway = createStripeGateway({ masterKey, baseUrl: sandbox.url, limits: false })
  const stripe = new Stripe(key, { host: hostname, port, protocol: 'http', telemetry: false })
  const forget = async (unknown: string): Promise<void> => {
    const body = JSON.stringify({ key: unknown, revoked: true })
    await fetch(`${sandbox.url}/_sandbox/keys`, { method: 'POST', body })
  }
  return { key, gateway, stripe, app: appOf(gateway, key), forget, close: sandbox.close }
}

async function startStripeTarget(key: string): Promise<ContractTarget> {
  const gateway = createStripeGateway({ masterKey })
  const stripe = new Stripe(key, { telemetry: false, maxNetworkRetries: 3 })
  const since = Math.floor(Date.now() / 1000) - 1
  return {
    key,
    gateway,
    stripe,
    app: appOf(gateway, key),
    forget: async () => {},
    async close() {
      for await (const customer of stripe.customers.list({ created: { gte: since }, limit: 100 })) {
        if (customer.metadata['perennial_customer_id'] !== undefined) await stripe.customers.del(customer.id)
      }
    },
  }
}

function appOf(gateway: StripeTarget['gateway'], key: string): StripeTarget['app'] {
  return {
    id: 'app_contract',
    livemode: false,
    apiKeyEncrypted: gateway.encryptSecret(key, { appId: 'app_contract', field: 'api_key' }),
    webhookSecretEncrypted: null,
    webhookEndpointId: null,
    stripeAccountId: null,
  }
}
