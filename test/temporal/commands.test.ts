import { randomUUID } from 'node:crypto'
import { Client, Connection } from '@temporalio/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../src/local/ports.ts'
import { temporalGateway } from '../../src/temporal/gateway.ts'
import { waitFor } from '../support/scenario.ts'
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

test('a command that a workflow task left out is asked for again', async () => {
  const taskQueue = `leaves-out-${randomUUID()}`
  const temporal = temporalGateway(client, { taskQueue })
  const request = { subscriptionId: randomUUID(), customerKey: 'c', planKey: 'p', testNowMs: null }
  await temporal.startSubscription(request)
  const leavingOut = leaveOutUpdates(taskQueue)
  const answer = temporal.updateSubscription(request.subscriptionId, cancel)
  const isOver = expect(answer).rejects.toMatchObject({ code: 'action_not_available' })
  const taken = await waitFor(leavingOut.taken, ({ length }) => length > 1)
  expect(new Set(taken)).toEqual(new Set([cancel.requestId]))
  await leavingOut.stop()
  await client.workflow.getHandle(`subscription/${request.subscriptionId}`).terminate()
  await isOver
})

interface LeavingOut {
  readonly taken: () => Promise<readonly string[]>
  readonly stop: () => Promise<void>
}

/** Takes workflow tasks and completes each with nothing, as if no update had come with it; tells which did. */
function leaveOutUpdates(taskQueue: string): LeavingOut {
  const { workflowService, connection } = client
  const { namespace } = client.options
  const asked = { namespace, taskQueue: { name: taskQueue }, identity: 'leaves updates out' }
  const stopped = new AbortController()
  const taken: string[] = []
  const run = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const { taskToken, messages } = await workflowService.pollWorkflowTaskQueue(asked)
      if (taskToken.length === 0) continue
      for (const { protocolInstanceId } of messages) if (protocolInstanceId) taken.push(protocolInstanceId)
      await workflowService.respondWorkflowTaskCompleted({ namespace, taskToken })
    }
  }
  const longPolls = async (): Promise<void> => await connection.withDeadline(Date.now() + 60_000, run)
  const running = connection.withAbortSignal(stopped.signal, longPolls).catch((error: unknown) => {
    if (!stopped.signal.aborted) throw error
  })
  return {
    taken: async () => await Promise.resolve(taken),
    stop: async () => {
      stopped.abort()
      await running
    },
  }
}
