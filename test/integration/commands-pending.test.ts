import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { ulid } from 'ulid'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildApp } from '../../src/api/app.ts'
import { temporalGateway } from '../../src/temporal/gateway.ts'
import { startInstallation } from '../support/installation.ts'
import type { Installation } from '../support/installation.ts'
import { addCustomer, addTokenPlan, startScenario, waitFor } from '../support/scenario.ts'

let installation: Installation
/** One more API, whose callers have less patience. */
let impatient: FastifyInstance
let subscriptionId = ''
/** Comes between the moment that no answer came in time and what is made of that. */
let whenUnanswered = async (): Promise<void> => {}

beforeAll(async () => {
  installation = await startInstallation()
  const { client, taskQueue, database } = installation
  const gateway = temporalGateway(client, { taskQueue, answerWithinMs: 500 })
  const updateSubscription: typeof gateway.updateSubscription = async (id, command) => {
    try {
      await gateway.updateSubscription(id, command)
    } catch (error) {
      await whenUnanswered()
      throw error
    }
  }
  impatient = await buildApp({
    db: database.db,
    temporal: { ...gateway, updateSubscription },
    stripe: {} as never,
    config: { publicUrl: '' },
    newId: ulid,
    now: () => new Date(),
    log: pino({ level: 'silent' }),
  })
  const scenario = await startScenario(installation)
  await addTokenPlan(installation)
  const { id: customerId } = await addCustomer(installation, scenario, { key: 'one' })
  const plan = { key: 'tokens_monthly' }
  const { id } = await installation.call<{ id: string }>('POST', '/api/v1/subscriptions', {
    customerId,
    plan,
  })
  subscriptionId = id
  await waitFor(
    async () => await installation.call<{ items: readonly unknown[] }>('GET', '/api/v1/billing/invoices'),
    ({ items }) => items.length === 1,
  )
})
afterAll(async () => {
  await impatient.close()
  await installation.close()
})

async function ask(command: string, payload: object) {
  return await impatient.inject({
    method: 'POST',
    url: `/api/v1/subscriptions/${subscriptionId}/${command}`,
    headers: { 'idempotency-key': `${command}-once`, 'content-type': 'application/json' },
    payload,
  })
}

const cancel = async () => await ask('cancel', { timing: 'next_billing_cycle' })

test('a command that workers do not come to in time is answered as that, goes on, and is told of under its key', async () => {
  const { db } = installation.database
  // The step waits for the row, as it would behind others.
  const held = await db.startTransaction().execute()
  await held.selectFrom('subscriptions').select('id').where('id', '=', subscriptionId).forUpdate().execute()
  const late = await cancel()
  expect(late.json()).toMatchObject({ code: 'command_pending', status: 429 })
  expect(late.headers['retry-after']).toBe('5')
  await held.commit().execute()
  const answer = await waitFor(cancel, ({ statusCode }) => statusCode !== 429)
  // Its status follows with the rest of the step.
  expect([answer.statusCode, answer.json()]).toMatchObject([200, { activeTo: expect.any(String) as string }])
  // The answer of now on is the kept one.
  expect((await cancel()).headers['idempotent-replayed']).toBe('true')
  const timeline = await installation.call<readonly { kind: string }[]>(
    'GET',
    `/api/v1/subscriptions/${subscriptionId}/timeline`,
  )
  expect(timeline.filter(({ kind }) => kind.includes('cancel'))).toHaveLength(1)
})

test('a command that is written when its answer is out of time is answered from rows', async () => {
  const { db } = installation.database
  const held = await db.startTransaction().execute()
  await held.selectFrom('subscriptions').select('id').where('id', '=', subscriptionId).forUpdate().execute()
  const written = async () =>
    await db.selectFrom('subscriptionCommands').select('kind').where('kind', 'like', 'unschedule%').execute()
  whenUnanswered = async () => {
    await held.commit().execute()
    await waitFor(written, ({ length }) => length === 1)
  }
  expect(await written()).toEqual([])
  const answer = await ask('unschedule-cancelation', {})
  expect(answer.statusCode).toBe(200)
  expect(answer.json()).not.toHaveProperty('activeTo')
})
