import { afterAll, beforeAll, expect, test } from 'vitest'
import { beginAdvance } from '../../src/db/stores/test-clock-create.ts'
import { insertCustomer, recordingTemporal } from './billing-fixtures.ts'
import type { Call } from './billing-fixtures.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let api: TestApi
let calls: Call[]
beforeAll(async () => {
  const recorded = recordingTemporal()
  calls = recorded.calls
  api = await startTestApi({ temporal: recorded.temporal })
})
afterAll(async () => await api.close())

async function send(method: 'GET' | 'POST' | 'DELETE', path: string, payload?: object) {
  const response = await api.app.inject({
    method,
    url: `/api/v1/test-clocks${path}`,
    ...(payload && { payload }),
  })
  return { status: response.statusCode, body: response.body === '' ? null : response.json() }
}
const create = async (frozenTime = '2025-01-31T05:00:00Z') =>
  (await send('POST', '', { name: 'a year', frozenTime })).body
const advance = async (id: string, frozenTime: string) => await send('POST', `/${id}/advance`, { frozenTime })

test('a clock stands ready at the time it was given, and its workflow is asked for', async () => {
  const clock = await create()
  expect(clock).toMatchObject({ name: 'a year', frozenTime: '2025-01-31T05:00:00.000Z', status: 'ready' })
  expect(clock.targetTime).toBeUndefined()
  expect((await send('GET', `/${clock.id}`)).body).toEqual(clock)
  const outbox = await api.db.selectFrom('outbox').select('kind').where('subjectId', '=', clock.id).execute()
  expect(outbox).toEqual([{ kind: 'start_test_clock' }])
})

test('an advance is answered while it goes on, and a second one waits for the first', async () => {
  const { id } = await create()
  const answer = await advance(id, '2026-01-31T05:00:00Z')
  expect(answer).toMatchObject({
    status: 202,
    body: {
      status: 'advancing',
      targetTime: '2026-01-31T05:00:00.000Z',
      frozenTime: '2025-01-31T05:00:00.000Z',
    },
  })
  expect(calls.at(-1)).toEqual({ name: 'advanceTestClock', args: [id] })
  expect(await advance(id, '2026-02-01T00:00:00Z')).toMatchObject({
    status: 409,
    body: { code: 'clock_busy' },
  })
  expect(await send('DELETE', `/${id}`)).toMatchObject({ status: 409, body: { code: 'clock_busy' } })
})

test('of two callers that both found a clock ready one sends it on its way', async () => {
  const { id } = await create()
  const target = new Date('2025-03-01T00:00:00Z')
  expect(await beginAdvance(api.db, id, target)).toMatchObject({ status: 'advancing', targetTime: target })
  expect(await beginAdvance(api.db, id, new Date('2025-04-01T00:00:00Z'))).toBeUndefined()
})

test.each([
  ['backwards', '2025-01-01T00:00:00Z', 'clock_backwards'],
  ['nowhere', '2025-01-31T05:00:00Z', 'clock_backwards'],
  ['further than five years', '2030-01-31T05:00:01Z', 'clock_too_far'],
  ['to a year that does not fit', '0001-01-01T00:00:00Z', 'validation_failed'],
])('a clock does not move %s', async (_name, frozenTime, code) => {
  const { id } = await create()
  expect(await advance(id, frozenTime)).toMatchObject({ status: 400, body: { code, field: 'frozenTime' } })
  expect((await send('GET', `/${id}`)).body.status).toBe('ready')
})

test('a clock that failed says why, and can be advanced again', async () => {
  const { id } = await create()
  const failed = { status: 'internal_failure', statusReason: 'Stripe did not answer' }
  await api.db.updateTable('testClocks').set(failed).where('id', '=', id).execute()
  expect((await send('GET', `/${id}`)).body).toMatchObject(failed)
  expect((await advance(id, '2025-03-01T00:00:00Z')).status).toBe(202)
})

test('a clock with customers is not deleted, an empty one is', async () => {
  const { id } = await create()
  await insertCustomer(api.db, { key: 'on-clock', testClockId: id })
  expect(await send('DELETE', `/${id}`)).toMatchObject({ status: 409, body: { code: 'clock_in_use' } })
  await api.db.updateTable('customers').set({ deletedAt: new Date() }).where('testClockId', '=', id).execute()
  expect((await send('DELETE', `/${id}`)).status).toBe(204)
  expect(await send('GET', `/${id}`)).toMatchObject({ status: 404, body: { code: 'not_found' } })
})

test('clocks are listed, the newest first', async () => {
  const older = await create()
  const newer = await create()
  const { body } = await send('GET', '?pageSize=2')
  expect(body.items.map(({ id }: { id: string }) => id)).toEqual([newer.id, older.id])
  expect(body).toMatchObject({ page: 1, pageSize: 2 })
})
