import { afterAll, beforeAll, expect, test } from 'vitest'
import { isDatabaseAway } from '../../src/db/database-away.ts'
import { openDatabase } from '../../src/db/connection.ts'
import type { Database } from '../../src/db/connection.ts'
import { startTestApi } from './support.ts'
import type { TestApi } from './support.ts'

let db: Database
let api: TestApi

beforeAll(async () => {
  // Nothing ever listens there.
  db = openDatabase({ connectionString: 'postgres://postgres@127.0.0.1:1/away', maxConnections: 1 })
  api = await startTestApi({ db })
})
afterAll(async () => {
  await api.close()
  await db.destroy()
})

test('while the database is away, a request is told to come again, not that something is wrong with us', async () => {
  const answer = await api.app.inject('/api/v1/features')
  expect(answer.statusCode).toBe(503)
  expect(answer.json()).toMatchObject({ code: 'service_unavailable' })
})

const failed = (message: string, code?: string): Error =>
  Object.assign(new Error(message), code !== undefined && { code })

test.each([
  ['a connection that is cut', failed('Connection terminated unexpectedly'), true],
  ['a server that is stopped', failed('terminating connection due to administrator command', '57P01'), true],
  ['a server that starts', failed('the database system is starting up', '57P03'), true],
  ['a doubled entry', failed('duplicate key value violates unique constraint', '23505'), false],
  ['a mistake of ours', failed('Cannot read properties of undefined'), false],
])('%s is told from what is not passing', (_name, error, expected) => {
  expect(isDatabaseAway(error)).toBe(expected)
})
