import { afterAll, beforeAll, expect, test } from 'vitest'
import { insertCustomer } from './billing-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(async () => await api.close())

async function send(method: 'GET' | 'POST' | 'DELETE', url: string, payload?: object) {
  const response = await api.app.inject({ method, url, ...(payload && { payload }) })
  return { status: response.statusCode, body: response.body === '' ? null : response.json() }
}

test('a request is listed by its status and withdrawn while it is pending', async () => {
  const path = `/api/v1/customers/${await insertCustomer(api.db, { key: 'withdraws' })}/access-requests`
  const ask = async (what: object = {}) => await send('POST', path, what)
  const [first, second] = [(await ask()).body, (await ask()).body]
  await send('DELETE', `${path}/${first.id}`)
  const listed = async (status: string) => (await send('GET', `${path}?status=${status}`)).body.items
  expect(await listed('pending')).toMatchObject([{ id: second.id }])
  expect(await listed('withdrawn')).toMatchObject([{ id: first.id }])
  expect(await ask({ featureKey: 'nothing' })).toMatchObject({ body: { field: 'featureKey' } })
  expect(await ask({ subscriptionId: 'nobody' })).toMatchObject({ body: { field: 'subscriptionId' } })
})

test('a customer has at most a hundred pending requests; withdrawing one makes room', async () => {
  const customerId = await insertCustomer(api.db, { key: 'asks-often' })
  const path = `/api/v1/customers/${customerId}/access-requests`
  const row = { customerId, status: 'pending', requestedAt: new Date() }
  const rows = Array.from({ length: 99 }, (_, n) => ({ ...row, id: `often-${n}` }))
  await api.db.insertInto('accessRequests').values(rows).execute()
  const ask = async () => await send('POST', path, {})
  const asked = await Promise.all([ask(), ask(), ask()])
  expect(asked.filter(({ status }) => status < 300)).toHaveLength(1)
  expect(await ask()).toMatchObject({ status: 409, body: { code: 'too_many_access_requests' } })
  const { body } = await send('GET', `${path}?pageSize=10`)
  expect([body.items.length, body.totalCount]).toEqual([10, 100])
  await send('DELETE', `${path}/often-0`)
  expect((await ask()).body).toMatchObject({ status: 'pending' })
})
