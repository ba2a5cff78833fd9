import { randomUUID } from 'node:crypto'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../src/local/ports.ts'
import { temporalGateway } from '../../src/temporal/gateway.ts'
import { testTemporalAddress } from '../support/temporal.ts'

let client: Client
beforeAll(async () => {
  client = new Client({ connection: await Connection.connect({ address: await testTemporalAddress() }) })
})
afterAll(async () => await client.connection.close())

const cancel = { kind: 'cancel', requestId: 'r1', effectiveAtMs: 0 } as const

test('a command for which no worker is running says so: somebody has to start one', async () => {
  const taskQueue = `nobody-${randomUUID()}`
  const temporal = temporalGateway(client, { taskQueue, answerWithinMs: 300 })
  const request = { subscriptionId: randomUUID(), customerKey: 'c', planKey: 'p', testNowMs: null }
  await temporal.startSubscription(request)
  await expect(temporal.updateSubscription(request.subscriptionId, cancel)).rejects.toMatchObject({
    code: 'service_unavailable',
    message: expect.stringMatching(/^No worker is running\. .* the same Idempotency-Key/) as string,
  })
  await client.workflow.getHandle(`subscription/${request.subscriptionId}`).terminate()
})

test('a command that Temporal cannot be told of says so', async () => {
  const connection = Connection.lazy({ address: `127.0.0.1:${await freePort()}` })
  const temporal = temporalGateway(new Client({ connection }), { taskQueue: 'any', answerWithinMs: 300 })
  await expect(temporal.updateSubscription(randomUUID(), cancel)).rejects.toMatchObject({
    code: 'service_unavailable',
    message: expect.stringMatching(/^Temporal cannot be reached\./) as string,
  })
  await connection.close()
})
