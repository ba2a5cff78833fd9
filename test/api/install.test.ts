import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
let sandbox: Awaited<ReturnType<typeof startSandbox>>
let gateway: StripeGateway
/** Runs after an endpoint was made at Stripe, before the app is stored. */
let afterEndpoint: () => Promise<void> = async () => {}
const endpoints = new Set<string>()

beforeAll(async () => {
  sandbox = await startSandbox({ port: 0 })
  gateway = createStripeGateway({
    masterKey: 'a master key of at least thirty-two bytes',
    baseUrl: sandbox.url,
    limits: false,
  })
})
afterAll(async () => await sandbox.close())
beforeEach(async () => {
  afterEndpoint = async () => {}
  endpoints.clear()
  const stripe: StripeGateway = {
    ...gateway,
    createWebhookEndpoint: async (...args) => {
      const created = await gateway.createWebhookEndpoint(...args)
      endpoints.add(created.endpointId)
      await afterEndpoint()
      return created
    },
    deleteWebhookEndpoint: async (app) => {
      await gateway.deleteWebhookEndpoint(app)
      endpoints.delete(app.webhookEndpointId ?? '')
    },
  }
  api = await startTestApi({ stripe })
  return async () => await api.close()
})

async function install() {
  const url = '/api/v1/marketplace/listings/stripe/install/apikey'
  const response = await api.app.inject({ method: 'POST', url, payload: { apiKey: 'sk_test_sandbox' } })
  return { status: response.statusCode, body: response.json() }
}

test('of two installations of an account at once one is made, and the endpoint of the other is taken away', async () => {
  let arrived = 0
  let open = (): void => {}
  const bothArrived = new Promise<void>((resolve) => (open = resolve))
  afterEndpoint = async () => {
    arrived += 1
    if (arrived === 2) open()
    await bothArrived
  }
  const answers = await Promise.all([install(), install()])
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409])
  expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({
    code: 'app_already_installed',
    field: 'apiKey',
  })
  expect(endpoints.size).toBe(1)
})

test('an installation whose billing profile fails leaves no app and no endpoint, and can be repeated', async () => {
  await sql`alter table billing_profiles add constraint broken check (false) not valid`.execute(api.db)
  expect((await install()).status).toBe(500)
  expect((await api.app.inject('/api/v1/apps')).json()).toMatchObject({ totalCount: 0 })
  expect(endpoints.size).toBe(0)
  await sql`alter table billing_profiles drop constraint broken`.execute(api.db)
  expect((await install()).status).toBe(200)
})

test('a key of the other mode does not replace the key of an app', async () => {
  const { id } = (await install()).body.app
  await api.db.updateTable('apps').set({ livemode: true }).where('id', '=', id).execute()
  const response = await api.app.inject({
    method: 'PUT',
    url: `/api/v1/apps/${id}/stripe/api-key`,
    payload: { secretAPIKey: 'sk_test_sandbox' },
  })
  expect(response.json()).toMatchObject({ status: 400, code: 'stripe_key_invalid', field: 'secretAPIKey' })
})
