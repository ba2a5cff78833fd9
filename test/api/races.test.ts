import { sql } from 'kysely'
import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { deleteApp, lockApp } from '../../src/db/stores/apps.ts'
import { deleteBillingProfile, lockBillingProfile } from '../../src/db/stores/billing-profiles.ts'
import { deleteCustomer } from '../../src/db/stores/customers.ts'
import { setPlanEffective } from '../../src/db/stores/plans.ts'
import { lockClock, lockCustomer } from '../../src/db/stores/subscription-create.ts'
import { deleteTestClock } from '../../src/db/stores/test-clock-create.ts'
import { deleteMeter, insertMeter, lockMeter } from '../../src/db/stores/meters.ts'
import { freePhase, insertClock, insertCustomer, insertPlan, insertProfile } from './billing-fixtures.ts'
import { insertSubscriptionRow } from './invoice-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
let appId: string

beforeAll(async () => {
  api = await startTestApi()
  appId = (await insertProfile(api.db)).appId
})
afterAll(async () => await api.close())

const send = async (method: 'POST' | 'PUT' | 'DELETE', url: string, payload?: object) => {
  const response = await api.app.inject({ method, url, ...(payload && { payload }) })
  return { status: response.statusCode, body: response.body === '' ? null : response.json() }
}

async function waiting(): Promise<number> {
  const { rows } = await sql<{ count: string }>`
    select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
    api.db,
  )
  return Number(rows[0]?.count)
}

/** Begins a request, and goes on when it waits for a lock or was answered. */
async function begun<T>(request: Promise<T>): Promise<{ readonly answer: Promise<T> }> {
  let isAnswered = false
  const answer = request.finally(() => (isAnswered = true))
  await expect.poll(async () => isAnswered || (await waiting()) > 0).toBe(true)
  return { answer }
}

async function newMeter(slug: string): Promise<string> {
  const id = ulid()
  await insertMeter(
    api.db,
    {
      id,
      key: slug,
      name: null,
      description: null,
      metadata: null,
      eventFrom: null,
      eventType: 'tokens',
      aggregation: 'SUM',
      valueProperty: '$.tokens',
      groupBy: { kind: '$.kind' },
    },
    new Date(),
  )
  return id
}

test('a meter is not deleted while a feature begins to count by it', async () => {
  const meterId = await newMeter('counted')
  const { answer } = await api.db.transaction().execute(async (trx) => {
    await lockMeter(trx, meterId)
    const deletion = await begun(send('DELETE', '/api/v1/meters/counted'))
    await trx
      .insertInto('features')
      .values({ id: ulid(), key: 'counted', name: 'Counted', meterId })
      .execute()
    return deletion
  })
  expect(await answer).toMatchObject({ status: 409, body: { code: 'meter_in_use' } })
})

test('a feature does not begin to count by a meter that is being deleted', async () => {
  const meterId = await newMeter('leaving')
  const { answer } = await api.db.transaction().execute(async (trx) => {
    await deleteMeter(trx, meterId, new Date())
    return await begun(send('POST', '/api/v1/features', { key: 'late', name: 'Late', meterSlug: 'leaving' }))
  })
  expect(await answer).toMatchObject({ status: 400, body: { field: 'meterSlug' } })
})

test('a filter by a name that every object has is no group of the meter', async () => {
  await newMeter('grouped')
  const feature = { key: 'odd', name: 'Odd', meterSlug: 'grouped', meterGroupByFilters: { toString: 'x' } }
  expect(await send('POST', '/api/v1/features', feature)).toMatchObject({
    status: 400,
    body: { field: 'meterGroupByFilters.toString' },
  })
})

const profileOf = (app: string) => ({
  name: 'Another',
  default: false,
  supplier: { name: 'Acme Inc.', addresses: [{ country: 'US' }] },
  workflow: {},
  apps: { tax: app, invoicing: app, payment: app },
})
const newProfile = async (): Promise<string> =>
  (await send('POST', '/api/v1/billing/profiles', profileOf(appId))).body.id

test('a profile is not deleted while a customer is being pinned to it', async () => {
  const [id, customerId] = [await newProfile(), await insertCustomer(api.db, { key: 'pinned' })]
  const { answer } = await api.db.transaction().execute(async (trx) => {
    await lockBillingProfile(trx, id)
    const deletion = await begun(send('DELETE', `/api/v1/billing/profiles/${id}`))
    await trx.insertInto('billingOverrides').values({ customerId, billingProfileId: id }).execute()
    return deletion
  })
  expect(await answer).toMatchObject({ status: 409, body: { code: 'profile_in_use' } })
})

test('no customer is pinned to a profile that is being deleted', async () => {
  const [id, customerId] = [await newProfile(), await insertCustomer(api.db, { key: 'unpinned' })]
  const { answer } = await api.db.transaction().execute(async (trx) => {
    await deleteBillingProfile(trx, id, new Date())
    return await begun(send('PUT', `/api/v1/billing/customers/${customerId}`, { billingProfileId: id }))
  })
  expect(await answer).toMatchObject({ status: 404 })
})

test('a profile that becomes the default while it is being deleted stays', async () => {
  const id = await newProfile()
  const { answer } = await api.db.transaction().execute(async (trx) => {
    await trx.updateTable('billingProfiles').set({ isDefault: false }).where('isDefault', '=', true).execute()
    await trx.updateTable('billingProfiles').set({ isDefault: true }).where('id', '=', id).execute()
    return await begun(send('DELETE', `/api/v1/billing/profiles/${id}`))
  })
  expect(await answer).toMatchObject({ status: 409, body: { code: 'profile_in_use' } })
})

test('no profile is made of an app that is being uninstalled', async () => {
  const other = ulid()
  const app = { id: other, type: 'stripe', name: 'Other', stripeAccountId: 'acct_other' }
  await api.db.insertInto('apps').values(app).execute()
  const { answer } = await api.db.transaction().execute(async (trx) => {
    await lockApp(trx, other)
    const creation = await begun(send('POST', '/api/v1/billing/profiles', profileOf(other)))
    await deleteApp(trx, other, new Date())
    return creation
  })
  expect(await answer).toMatchObject({ status: 400, body: { field: 'apps.payment' } })
})

test('a customer is not deleted while a subscription of theirs begins, nor subscribed while being deleted', async () => {
  const [staying, leaving] = [
    await insertCustomer(api.db, { key: 'staying', appId }),
    await insertCustomer(api.db, { key: 'leaving', appId }),
  ]
  const deletion = await api.db.transaction().execute(async (trx) => {
    await lockCustomer(trx, staying)
    const begins = await begun(send('DELETE', `/api/v1/customers/${staying}`))
    await insertSubscriptionRow(trx, staying, [freePhase])
    return begins
  })
  expect(await deletion.answer).toMatchObject({ status: 409, body: { code: 'customer_in_use' } })

  await insertPlan(api.db, { key: 'free', phases: [freePhase] })
  const subscribing = await api.db.transaction().execute(async (trx) => {
    await deleteCustomer(trx, leaving, new Date())
    return await begun(send('POST', '/api/v1/subscriptions', { customerId: leaving, plan: { key: 'free' } }))
  })
  expect(await subscribing.answer).toMatchObject({ status: 404 })
})

test('a test clock is not deleted while a customer is attached to it, nor taken by one while being deleted', async () => {
  const clock = async () => await insertClock(api.db, '2025-01-01T00:00:00Z')
  const [staying, leaving] = [await clock(), await clock()]
  const deletion = await api.db.transaction().execute(async (trx) => {
    await lockClock(trx, staying)
    const begins = await begun(send('DELETE', `/api/v1/test-clocks/${staying}`))
    const customer = { id: ulid(), name: 'Attached', timezone: 'UTC', testClockId: staying }
    await trx.insertInto('customers').values(customer).execute()
    return begins
  })
  expect(await deletion.answer).toMatchObject({ status: 409, body: { code: 'clock_in_use' } })

  const attaching = await api.db.transaction().execute(async (trx) => {
    await deleteTestClock(trx, leaving, new Date())
    return await begun(send('POST', '/api/v1/customers', { key: 'late', name: 'Late', testClockId: leaving }))
  })
  expect(await attaching.answer).toMatchObject({ status: 400, body: { field: 'testClockId' } })
})

test('a draft that is being published is not deleted', async () => {
  const id = await insertPlan(api.db, { key: 'racing', draft: true, phases: [freePhase] })
  const { answer } = await api.db.transaction().execute(async (trx) => {
    const now = new Date()
    await setPlanEffective(trx, id, { effectiveFrom: now }, now)
    return await begun(send('DELETE', `/api/v1/plans/${id}`))
  })
  expect(await answer).toMatchObject({ status: 409, body: { code: 'plan_not_draft' } })
})
