import { sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { DomainError } from '../../src/domain/errors.ts'
import { tellStripe } from '../../src/relay/customers.ts'
import { createStripeGateway } from '../../src/stripe/gateway.ts'
import { stripeFailure } from '../../src/stripe/failures.ts'
import { loggedError } from '../../src/stripe/logged-error.ts'
import { insertCustomer, insertProfile, recordingTemporal } from '../api/billing-fixtures.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { json, scriptedServer } from './scripted-server.ts'

const email = 'private@example.com'
let lines: string[] = []
const log = pino({ serializers: { err: loggedError } }, { write: (line) => void lines.push(line) })
beforeEach(() => {
  lines = []
})

const failure = stripeFailure({
  kind: 'final',
  code: 'email_invalid',
  message: `Invalid email address: ${email}`,
  requestId: 'req_1',
})

test('of a failure of Stripe the log holds codes and the request id, not its words', () => {
  log.warn({ err: failure }, 'refused')
  log.warn({ err: new Error(`it says ${failure.message}`, { cause: failure }) }, 'wrapped')
  log.warn({ err: new DomainError('stripe_refused', failure.message) }, 'repeated')
  expect(lines.join('')).not.toContain(email)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ err: { code: 'email_invalid', requestId: 'req_1' } })
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ err: { type: 'Error', code: 'email_invalid' } })
})

test('any other error is logged whole', () => {
  log.warn({ err: new Error('the disk is full') }, 'failed')
  expect(lines[0]).toContain('the disk is full')
})

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

test('a row that PostgreSQL refuses does not reach the log, and what was wrong with it does', async () => {
  const { db } = database
  const customerId = await insertCustomer(db, { key: 'refused' })
  await db.updateTable('customers').set({ primaryEmail: email }).where('id', '=', customerId).execute()
  const refused = db
    .updateTable('customers')
    .set({ name: sql`NULL` })
    .where('id', '=', customerId)
  const error: unknown = await refused.execute().catch((refusal: unknown) => refusal)
  expect(error).toMatchObject({ detail: expect.stringContaining(email) })
  log.warn({ err: error }, 'refused')
  expect(lines.join('')).not.toContain(email)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    err: { code: '23502', table: 'customers', column: 'name' },
  })
})

test('an address that Stripe refuses does not reach the log', async () => {
  const { db } = database
  const refusal = { type: 'invalid_request_error', code: 'email_invalid', message: failure.message }
  const server = await scriptedServer((request, response) => {
    if (request.method === 'POST') json(400, { error: refusal })(request, response)
    else json(200, { id: 'cus_private', object: 'customer', invoice_settings: {} })(request, response)
  })
  const stripe = createStripeGateway({ masterKey: 'm'.repeat(32), baseUrl: server.url, limits: false })
  const { appId } = await insertProfile(db)
  const apiKeyEncrypted = stripe.encryptSecret('sk_test_x', { appId, field: 'api_key' })
  await db.updateTable('apps').set({ apiKeyEncrypted }).where('id', '=', appId).execute()
  const customerId = await insertCustomer(db, { key: 'private', appId })
  await db.updateTable('customers').set({ primaryEmail: email }).where('id', '=', customerId).execute()
  // It neither starts a workflow nor makes an id.
  const { temporal } = recordingTemporal()
  await tellStripe({ db, stripe, temporal, newId: () => '', log }, customerId)
  await server.close()
  expect(server.seen.map(({ method }) => method)).toContain('POST')
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ customerId, code: 'email_invalid', requestId: 'req_1' })
  expect(lines[0]).not.toContain(email)
})
