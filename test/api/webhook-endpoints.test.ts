import { Stripe } from 'stripe'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { sendAlso, stripeDelete, stripePost } from '../support/stripe-client.ts'
import { startAppsApi } from './apps-world.ts'

/** The endpoint of an installed account: its secrets, its loss and its repair. */
let world: Awaited<ReturnType<typeof startAppsApi>>
beforeAll(async () => {
  world = await startAppsApi()
})
afterAll(async () => await world.close())
beforeEach(async () => await world.reset())

function signed(secret: string, id: string) {
  const payload = JSON.stringify({
    id,
    object: 'event',
    type: 'invoice.paid',
    created: 1_750_000_000,
    livemode: false,
    api_version: '2022-11-15',
    data: { object: { id: 'in_1', object: 'invoice', customer: 'cus_1', metadata: {} } },
  })
  return { payload, header: Stripe.webhooks.generateTestHeaderString({ payload, secret }) }
}

async function deliver(appId: string, secret: string, id: string): Promise<number> {
  const { payload, header } = signed(secret, id)
  const headers = { 'content-type': 'application/json', 'stripe-signature': header }
  const url = `/api/v1/apps/${appId}/stripe/webhook`
  return (await world.api.app.inject({ method: 'POST', url, payload, headers })).statusCode
}

test('while a secret is rolled two are good, and the old one for as long as was said', async () => {
  const { body } = await world.send('POST', `${world.listing}/manual`, {
    apiKey: 'sk_test_sandbox',
    webhookSecret: 'whsec_the_first_one',
  })
  const { id } = body.app
  expect(await deliver(id, 'whsec_the_first_one', 'evt_1')).toBe(200)
  const put = async (secret: string, previousValidFor?: string) =>
    await world.send('PUT', `/api/v1/apps/${id}/stripe/webhook-secret`, {
      secret,
      ...(previousValidFor !== undefined && { previousValidFor }),
    })
  expect((await put('whsec_the_second_one')).status).toBe(204)
  expect(await deliver(id, 'whsec_the_first_one', 'evt_2')).toBe(200)
  expect(await deliver(id, 'whsec_the_second_one', 'evt_3')).toBe(200)
  // Handed over again, as by a caller who did not get the answer.
  expect((await put('whsec_the_second_one')).status).toBe(204)
  expect(await deliver(id, 'whsec_the_first_one', 'evt_again')).toBe(200)
  expect((await put('whsec_the_third_one', 'PT0S')).status).toBe(204)
  // The one of before is good for a second more, unless the new one is seen.
  expect(await deliver(id, 'whsec_the_third_one', 'evt_4')).toBe(200)
  expect(await deliver(id, 'whsec_the_second_one', 'evt_5')).toBe(400)
  expect((await put('not a secret')).body).toMatchObject({ code: 'validation_failed', field: 'secret' })
  expect((await put('whsec_the_fourth_one', 'soon')).status).toBe(400)
  expect((await world.send('POST', `/api/v1/apps/${id}/stripe/webhook/rotate`)).body).toMatchObject({
    code: 'action_not_available',
  })
})

test('an endpoint that is rotated is another one, and the secret of before is good meanwhile', async () => {
  const { id } = (await world.installManaged()).body.app
  const [before] = await world.endpoints()
  const rotated = await world.send('POST', `/api/v1/apps/${id}/stripe/webhook/rotate`)
  expect(rotated.body).toMatchObject({
    webhook: { hasSecret: true, previousSecretValidUntil: expect.any(String) },
  })
  const after = await world.endpoints()
  expect(after).toHaveLength(1)
  expect(after[0]?.id).not.toBe(before?.id)
  expect(rotated.body.webhook.endpointId).toBe(after[0]?.id)
})

test.each([
  ['deleted', 'gone'],
  ['disabled', 'disabled'],
  ['changed', 'does not send'],
])('an endpoint that was %s by hand is noticed, polled for and repaired', async (what, problem) => {
  const { id } = (await world.installManaged()).body.app
  const [endpoint] = await world.endpoints()
  const path = `webhook_endpoints/${endpoint?.id ?? ''}`
  if (what === 'disabled') await stripePost(world.sandbox.url, path, { disabled: 'true' })
  if (what === 'changed') await stripePost(world.sandbox.url, path, { 'enabled_events[0]': 'invoice.paid' })
  if (what === 'deleted') await stripeDelete(world.sandbox.url, path)
  await world.care()
  expect(await world.appOf(id)).toMatchObject({
    statusReason: expect.stringContaining(problem),
    webhook: { problem: expect.stringContaining(problem), isPolled: true },
  })
  const customer = await stripePost(world.sandbox.url, 'customers', { name: 'one' })
  await stripePost(world.sandbox.url, `customers/${customer.id}`, { name: 'renamed' })
  await world.poll()
  const stored = async () =>
    await world.api.db
      .selectFrom('stripeEvents')
      .select('objectId')
      .where('objectId', '=', customer.id)
      .execute()
  expect(await stored()).toHaveLength(1)

  const repaired = await world.send('POST', `/api/v1/apps/${id}/stripe/webhook/repair`)
  expect(repaired.status).toBe(200)
  const [now] = await world.endpoints()
  expect(now).toMatchObject({ status: 'enabled' })
  expect(now?.enabled_events).toContain('setup_intent.succeeded')
  expect(repaired.body.webhook).toMatchObject({ endpointId: now?.id, isPolled: true })
  expect(repaired.body).not.toHaveProperty('statusReason')
  // What came between the last look and the repair is read once more; then polling ends.
  await stripePost(world.sandbox.url, `customers/${customer.id}`, { name: 'renamed again' })
  await world.poll()
  expect(await stored()).toHaveLength(2)
  expect((await world.appOf(id)).webhook).toMatchObject({ isPolled: false })
})

test('an endpoint of an older version sends more than is needed: nothing is wrong with it, and a repair ends that', async () => {
  const { id } = (await world.installManaged()).body.app
  const [endpoint] = await world.endpoints()
  await sendAlso(world.sandbox.url, endpoint?.id ?? '', 'invoice.updated')
  await world.care()
  expect((await world.appOf(id)).webhook).not.toHaveProperty('problem')
  expect((await world.endpoints())[0]?.enabled_events).toContain('invoice.updated')
  const repaired = await world.send('POST', `/api/v1/apps/${id}/stripe/webhook/repair`)
  // It missed nothing that would have to be polled for.
  expect(repaired.body.webhook).toMatchObject({ isPolled: false })
  expect(await world.endpoints()).toEqual([expect.objectContaining(endpoint)])
})

test('a repair after PUBLIC_URL changed makes an endpoint there and deletes the old one', async () => {
  const { id } = (await world.installManaged()).body.app
  world.config.publicUrl = 'http://127.0.0.1:9999'
  await world.send('POST', `/api/v1/apps/${id}/stripe/webhook/repair`)
  expect((await world.endpoints()).map(({ url }) => url)).toEqual([
    `http://127.0.0.1:9999/api/v1/apps/${id}/stripe/webhook`,
  ])
})
