import { expect } from 'vitest'
import { keyWatch } from '../../src/billing/key-watch.ts'
import { careForApps } from '../../src/relay/app-care.ts'
import { pollEvents } from '../../src/relay/poll-events.ts'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { stripeGet } from '../support/stripe-client.ts'
import { recordingTemporal } from './billing-fixtures.ts'
import { startTestApi } from './support.ts'

interface EndpointList {
  readonly data: readonly { id: string; url: string; status: string; enabled_events: string[] }[]
}

/** The API with a sandbox, where apps are installed; what a worker would look at is looked at when a test says so. */
export async function startAppsApi() {
  const config = { publicUrl: '' }
  const sandbox = await startSandbox({ port: 0 })
  const watch: { current: ReturnType<typeof keyWatch> | null } = { current: null }
  const gateway = createStripeGateway({
    masterKey: 'a master key of at least thirty-two bytes',
    baseUrl: sandbox.url,
    limits: false,
    keyWatch: {
      refused: async (...args) => await watch.current?.refused(...args),
      accepted: async (...args) => (await watch.current?.accepted(...args)) ?? false,
    },
  })
  const { temporal } = recordingTemporal()
  const api = await startTestApi({ stripe: gateway, temporal, config })
  watch.current = keyWatch(api.db, api.deps.log)

  async function send(method: 'GET' | 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) {
    const response = await api.app.inject({ method, url, ...(payload && { payload }) })
    return { status: response.statusCode, body: response.statusCode === 204 ? {} : response.json() }
  }

  const listing = '/api/v1/marketplace/listings/stripe/install'
  const installManaged = async (apiKey = 'sk_test_sandbox') =>
    await send('POST', `${listing}/apikey`, { apiKey })

  async function registerKey(key: string, more: object): Promise<void> {
    const response = await fetch(`${sandbox.url}/_sandbox/keys`, {
      method: 'POST',
      body: JSON.stringify({ key, ...more }),
    })
    expect(response.ok).toBe(true)
  }

  const endpoints = async () =>
    (await stripeGet<EndpointList>(sandbox.url, 'webhook_endpoints?limit=100')).data

  const care = async () => await careForApps({ db: api.db, stripe: gateway, log: { warn: () => {} } })
  const poll = async () => await pollEvents({ db: api.db, stripe: gateway, log: { warn: () => {} } })

  async function appOf(id: string) {
    return (await send('GET', `/api/v1/apps/${id}`)).body
  }

  /** Before each test: nothing is installed. */
  const reset = async (): Promise<void> => {
    await fetch(`${sandbox.url}/_sandbox/reset`, { method: 'POST' })
    config.publicUrl = 'http://127.0.0.1:8888'
    const tables = [
      'stripeEvents',
      'customerApps',
      'customerSubjects',
      'customers',
      'billingProfiles',
      'apps',
    ] as const
    for (const table of tables) await api.db.deleteFrom(table).execute()
  }

  const close = async (): Promise<void> => {
    await api.close()
    await sandbox.close()
  }
  return {
    api,
    sandbox,
    gateway,
    config,
    listing,
    send,
    installManaged,
    registerKey,
    endpoints,
    care,
    poll,
    appOf,
    reset,
    close,
  }
}
