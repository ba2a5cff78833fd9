import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { updateApp } from '../../src/api/actions/apps.ts'
import { changeStripeKey } from '../../src/api/actions/stripe-keys.ts'
import { repairWebhook, rotateEndpoint } from '../../src/api/actions/webhook-endpoints.ts'
import { keyWatch } from '../../src/billing/key-watch.ts'
import { careForApps } from '../../src/relay/app-care.ts'
import { pollEvents } from '../../src/relay/poll-events.ts'
import { startSandbox } from '../../src/sandbox/server.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import type { StripeGateway } from '../../src/stripe/gateway-types.ts'
import type { KeyWatch } from '../../src/stripe/types.ts'
import { stripeGet, stripePost } from '../support/stripe-client.ts'
import { recordingTemporal } from './billing-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

/** What becomes of an app's row while Stripe is asked for something that is to be written onto it. */
let api: TestApi
let sandbox: Awaited<ReturnType<typeof startSandbox>>
let gateway: StripeGateway
let watch: KeyWatch

beforeAll(async () => {
  sandbox = await startSandbox({ port: 0 })
  gateway = createStripeGateway({
    masterKey: 'a master key of at least thirty-two bytes',
    baseUrl: sandbox.url,
    limits: false,
    keyWatch: {
      refused: async (...args) => await watch.refused(...args),
      accepted: async (...args) => await watch.accepted(...args),
    },
  })
  api = await startTestApi({ stripe: gateway, temporal: recordingTemporal().temporal })
  watch = keyWatch(api.db, api.deps.log)
})
afterAll(async () => {
  await api.close()
  await sandbox.close()
})
beforeEach(async () => {
  await fetch(`${sandbox.url}/_sandbox/reset`, { method: 'POST' })
  await api.db.deleteFrom('apps').execute()
})

async function send(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  url: string,
  payload?: object,
): Promise<number> {
  return (await api.app.inject({ method, url, ...(payload && { payload }) })).statusCode
}

async function install(apiKey = 'sk_test_sandbox'): Promise<string> {
  const url = '/api/v1/marketplace/listings/stripe/install/apikey'
  const payload = { apiKey, createBillingProfile: false }
  const response = await api.app.inject({ method: 'POST', url, payload })
  return response.json<{ app: { id: string } }>().app.id
}
const uninstall = async (id: string) => expect(await send('DELETE', `/api/v1/apps/${id}`)).toBe(204)
const rotate = async (id: string) =>
  expect(await send('POST', `/api/v1/apps/${id}/stripe/webhook/rotate`)).toBe(200)
const replaceKey = async (id: string, secretAPIKey: string) =>
  expect(await send('PUT', `/api/v1/apps/${id}/stripe/api-key`, { secretAPIKey })).toBe(204)

const rowOf = async (id: string) =>
  await api.db.selectFrom('apps').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

async function setKey(key: string, more: object): Promise<void> {
  await fetch(`${sandbox.url}/_sandbox/keys`, { method: 'POST', body: JSON.stringify({ key, ...more }) })
}

const endpointIds = async (): Promise<readonly string[]> =>
  (await stripeGet<{ data: { id: string }[] }>(sandbox.url, 'webhook_endpoints?limit=100')).data.map(
    ({ id }) => id,
  )

const granted = ['customer:write', 'invoice:write', 'webhook:write']
const log = { warn: () => {} }

test('a key that comes while the app is uninstalled is not kept', async () => {
  for (const change of [
    async (id: string, stripe: StripeGateway) =>
      await changeStripeKey({ ...api.deps, stripe }, id, 'sk_test_other'),
    async (id: string, stripe: StripeGateway) =>
      await updateApp({ ...api.deps, stripe }, id, {
        type: 'stripe',
        name: 'x',
        secretAPIKey: 'sk_test_other',
      }),
  ]) {
    const id = await install()
    const inspectKey: StripeGateway['inspectKey'] = async (key) => {
      const inspected = await gateway.inspectKey(key)
      await uninstall(id)
      return inspected
    }
    await expect(change(id, { ...gateway, inspectKey })).rejects.toMatchObject({ code: 'not_found' })
    expect(await rowOf(id)).toMatchObject({ apiKeyEncrypted: null, deletedAt: expect.any(Date) })
  }
})

test('what a key may not do says nothing of the one that took its place meanwhile', async () => {
  await setKey('rk_test_first', { permissions: [...granted, 'event:read'] })
  const id = await install('rk_test_first')
  await api.db.updateTable('apps').set({ pollsEvents: true }).where('id', '=', id).execute()
  await setKey('rk_test_first', { permissions: granted })
  const listEvents: StripeGateway['listEvents'] = async (app, query) => {
    const asked = gateway.listEvents(app, query)
    await asked.catch(() => {})
    await replaceKey(id, 'sk_test_sandbox')
    return await asked
  }
  await pollEvents({ db: api.db, stripe: { ...gateway, listEvents }, log })
  expect(await rowOf(id)).toMatchObject({ missingPermissions: [] })

  await replaceKey(id, 'rk_test_first')
  const probePermissions: StripeGateway['probePermissions'] = async (key) => {
    const missing = await gateway.probePermissions(key)
    await replaceKey(id, 'sk_test_sandbox')
    return missing
  }
  await repairWebhook({ ...api.deps, stripe: { ...gateway, probePermissions } }, id)
  expect(await rowOf(id)).toMatchObject({ missingPermissions: [] })
})

/** Does something else once a new endpoint is there. */
function onceMade(other: () => Promise<void>): StripeGateway {
  const createWebhookEndpoint: StripeGateway['createWebhookEndpoint'] = async (key, request) => {
    const made = await gateway.createWebhookEndpoint(key, request)
    await other()
    return made
  }
  return { ...gateway, createWebhookEndpoint }
}

test('of two rotations at once one counts, and no endpoint is left behind', async () => {
  const id = await install()
  const stripe = onceMade(async () => await rotate(id))
  await expect(rotateEndpoint({ ...api.deps, stripe }, id)).rejects.toMatchObject({ code: 'conflict' })
  expect(await endpointIds()).toEqual([(await rowOf(id)).webhookEndpointId])
})

test('of two repairs at once one counts, and no endpoint is left behind', async () => {
  const id = await install()
  for (const endpointId of await endpointIds())
    await gateway.deleteWebhookEndpoint({ ...(await rowOf(id)), webhookEndpointId: endpointId })
  const stripe = onceMade(async () => {
    expect(await send('POST', `/api/v1/apps/${id}/stripe/webhook/repair`)).toBe(200)
  })
  await expect(repairWebhook({ ...api.deps, stripe }, id)).rejects.toMatchObject({ code: 'conflict' })
  const row = await rowOf(id)
  expect(await endpointIds()).toEqual([row.webhookEndpointId])
  expect(row.webhookProblem).toBeNull()
})

test('an endpoint that is made while the app is uninstalled goes with it', async () => {
  const id = await install()
  const stripe = onceMade(async () => await uninstall(id))
  await expect(rotateEndpoint({ ...api.deps, stripe }, id)).rejects.toMatchObject({ code: 'not_found' })
  expect(await endpointIds()).toEqual([])
  expect(await rowOf(id)).toMatchObject({ webhookEndpointId: null, webhookSecretEncrypted: null })
})

test('what is uninstalled takes the endpoint along that it has by then', async () => {
  const id = await install()
  const removal = await api.db.transaction().execute(async (trx) => {
    await trx.selectFrom('apps').select('id').where('id', '=', id).forUpdate().execute()
    const removed = uninstall(id)
    const waiting = sql<{ count: string }>`SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`
    await expect.poll(async () => (await waiting.execute(api.db)).rows[0]?.count).toBe('1')
    const [before] = await endpointIds()
    const made = await stripePost(sandbox.url, 'webhook_endpoints', {
      url: 'http://127.0.0.1:8888/other',
      'enabled_events[0]': 'invoice.paid',
    })
    await gateway.deleteWebhookEndpoint({ ...(await rowOf(id)), webhookEndpointId: before ?? null })
    await trx.updateTable('apps').set({ webhookEndpointId: made.id }).where('id', '=', id).execute()
    return { removed }
  })
  await removal.removed
  expect(await endpointIds()).toEqual([])
})

test('a problem of the endpoint of before is none of the one that took its place meanwhile', async () => {
  const id = await install()
  const checkWebhookEndpoint: StripeGateway['checkWebhookEndpoint'] = async (app) => {
    await rotate(id)
    return await gateway.checkWebhookEndpoint(app)
  }
  await careForApps({ db: api.db, stripe: { ...gateway, checkWebhookEndpoint }, log })
  expect(await rowOf(id)).toMatchObject({ webhookProblem: null, pollsEvents: false })
})

test('that a key works again is told until it is kept', async () => {
  await setKey('rk_test_back', { permissions: [...granted, 'event:read'] })
  const id = await install('rk_test_back')
  const app = await rowOf(id)
  const ask = async () => await gateway.listEvents(app, { cursor: null })
  await setKey('rk_test_back', { revoked: 'expired' })
  await expect(ask()).rejects.toThrow('Expired API Key')
  expect(await rowOf(id)).toMatchObject({ status: 'unauthorized' })
  await setKey('rk_test_back', { revoked: false })
  await api.db.transaction().execute(async (trx) => {
    await trx.selectFrom('apps').select('id').where('id', '=', id).forUpdate().execute()
    await ask()
  })
  expect(await rowOf(id)).toMatchObject({ status: 'unauthorized' })
  await ask()
  expect(await rowOf(id)).toMatchObject({ status: 'ready' })
})
