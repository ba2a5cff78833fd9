import type { OpenMeter } from '@openmeter/sdk'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { basePhase, insertCustomer } from './billing-fixtures.ts'
import { connectClient } from './client.ts'
import { insertOwner, insertSubscriptionRow } from './invoice-fixtures.ts'
import type { Owner } from './invoice-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'
import { waitFor } from '../support/scenario.ts'

let api: TestApi
let client: OpenMeter
let owner: Owner

beforeAll(async () => {
  api = await startTestApi()
  client = await connectClient(api.app)
  owner = await insertOwner(api.db)
})
afterAll(async () => await api.close())

test('the upcoming invoice of a subscription is the gathering one', async () => {
  const customerId = await insertCustomer(api.db, { key: 'next', appId: owner.appId })
  const subscriptionId = await insertSubscriptionRow(api.db, customerId, [basePhase])
  const upcoming = await client.billing.invoices.get(subscriptionId)
  expect(upcoming).toMatchObject({
    id: subscriptionId,
    status: 'gathering',
    statusDetails: { extendedStatus: 'gathering', availableActions: {} },
    totals: { total: '20.00' },
    customer: { key: 'next', usageAttribution: { subjectKeys: ['subject-next'] } },
    lines: [{ name: 'Base fee', period: { from: new Date('2025-02-01T00:00:00Z') } }],
  })
  const listed = await client.billing.invoices.list({
    statuses: ['gathering'],
    customers: [customerId],
    expand: ['lines'],
  })
  expect(listed?.items.map(({ id, lines }) => [id, lines?.length])).toEqual([[subscriptionId, 1]])
  const own = await api.app.inject({ url: `/api/v1/subscriptions/${subscriptionId}/upcoming-invoice` })
  expect(own.json()).toMatchObject({ id: subscriptionId, issuedAt: '2025-02-01T00:00:00.000Z' })
  expect(
    await api.db.selectFrom('invoices').select('id').where('subscriptionId', '=', subscriptionId).execute(),
  ).toEqual([])
})

test('a subscription that has ended has no upcoming invoice', async () => {
  const customerId = await insertCustomer(api.db, { key: 'gone', appId: owner.appId })
  const subscriptionId = await insertSubscriptionRow(api.db, customerId, [basePhase])
  const ended = new Date('2025-01-20T00:00:00Z')
  await api.db
    .updateTable('subscriptions')
    .set({ activeTo: ended, closedThrough: ended, lifecycle: 'ended' })
    .where('id', '=', subscriptionId)
    .execute()
  const response = await api.app.inject({ url: `/api/v1/subscriptions/${subscriptionId}/upcoming-invoice` })
  expect(response.json()).toMatchObject({ status: 404, code: 'not_found' })
})

test('a period that is closed while its preview is computed is not previewed as if it were open', async () => {
  const customerId = await insertCustomer(api.db, { key: 'meanwhile', appId: owner.appId })
  const subscriptionId = await insertSubscriptionRow(api.db, customerId, [basePhase])
  const closedAt = new Date('2025-02-01T00:00:00Z')
  const closing = await api.db.startTransaction().execute()
  // Whoever looks for closings waits from now on; the subscription's row is read before.
  await sql`LOCK TABLE closings IN ACCESS EXCLUSIVE MODE`.execute(closing)
  const asked = api.app.inject({ url: `/api/v1/subscriptions/${subscriptionId}/upcoming-invoice` })
  await waitFor(
    async () =>
      await sql`SELECT FROM pg_locks WHERE relation = 'closings'::regclass AND NOT granted`.execute(api.db),
    ({ rows }) => rows.length > 0,
  )
  await closing
    .insertInto('closings')
    .values({
      subscriptionId,
      periodAt: closedAt,
      periodFrom: new Date('2025-01-01T00:00:00Z'),
      reason: 'period',
      usageCutoff: '1:1:',
      asOf: closedAt,
    })
    .execute()
  await closing
    .updateTable('subscriptions')
    .set({ closedThrough: closedAt })
    .where('id', '=', subscriptionId)
    .execute()
  await closing.commit().execute()
  expect((await asked).json()).toMatchObject({ issuedAt: '2025-03-01T00:00:00.000Z' })
})
