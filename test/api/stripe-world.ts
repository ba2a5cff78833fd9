import { Stripe } from 'stripe'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { connectClient } from './client.ts'
import { startTestApi } from './support.ts'

export const key = 'sk_test_sandbox'

export const supplier = {
  name: 'Acme Inc.',
  addresses: [{ country: 'US', city: 'Springfield' }],
  taxId: { code: 'US123' },
}

/** The API and a sandbox, both by their own clients. */
export async function startStripeApi() {
  const sandbox = await startSandbox({ port: 0 })
  const gateway = createStripeGateway({
    masterKey: 'a master key of at least thirty-two bytes',
    baseUrl: sandbox.url,
    limits: false,
  })
  const api = await startTestApi({ stripe: gateway })
  const client = await connectClient(api.app)
  const { hostname, port } = new URL(sandbox.url)
  const stripe = new Stripe(key, { host: hostname, port, protocol: 'http', telemetry: false })
  const send = async (method: 'POST' | 'PUT' | 'DELETE' | 'GET', url: string, payload?: object) =>
    api.app.inject({ method, url, ...(payload !== undefined && { payload }) })
  /** Installs the account without a billing profile. */
  const install = async (name: string) => {
    const installed = await client.apps.marketplace.installWithAPIKey('stripe', {
      apiKey: key,
      createBillingProfile: false,
      name,
    })
    if (installed?.app.type !== 'stripe') throw new Error('a Stripe app was asked for')
    return { ...installed, app: installed.app }
  }
  const close = async (): Promise<void> => {
    await api.close()
    await sandbox.close()
  }
  return { api, client, stripe, send, install, close }
}

export const profileInput = (appId: string, name: string, isDefault: boolean) => ({
  name,
  default: isDefault,
  supplier,
  workflow: {},
  apps: { tax: appId, invoicing: appId, payment: appId },
})
