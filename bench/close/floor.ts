import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker'
import type { Stack } from '../stack/stack.ts'
import type { FloorActivities } from './floor-workflows.ts'
import { stripeCalls } from './stripe-calls.ts'

/** Workflows of the shape of ours whose activities make the same requests of Stripe, and nothing else. */
export interface Floor {
  /** Starts one that sleeps until the instant; without a customer it only sleeps. */
  readonly start: (request: { readonly dueMs: number; readonly customer: string }) => Promise<void>
  /** When each activity of the round was done, in ms since the epoch. */
  readonly takeDone: () => readonly number[]
  readonly stop: () => Promise<void>
}

const TASK_QUEUE = 'floor'

let isQuiet = false

/** Once a process, and not before it is needed: a runtime that was made keeps the process from its end. */
function quietRuntime(): void {
  if (isQuiet) return
  isQuiet = true
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { forward: {}, filter: 'ERROR' } },
  })
}

/** Its worker runs in this process, set up as worker.ts sets up ours. */
export async function startFloor({ temporal, client }: Stack, sandboxUrl: string): Promise<Floor> {
  quietRuntime()
  const connection = await NativeConnection.connect({ address: temporal.address })
  const call = stripeCalls(sandboxUrl)
  let done: number[] = []
  const activities: FloorActivities = {
    async callStripe({ customer }) {
      await call(customer)
      done.push(Date.now())
    },
  }
  const worker = await Worker.create({
    connection,
    taskQueue: TASK_QUEUE,
    activities,
    workflowsPath: fileURLToPath(new URL('floor-workflows.ts', import.meta.url)),
    maxConcurrentActivityTaskExecutions: 20,
    maxConcurrentWorkflowTaskExecutions: 20,
  })
  const running = worker.run()
  return {
    async start(request) {
      await client.workflow.start('floorPeriod', {
        workflowId: `floor/${randomUUID()}`,
        taskQueue: TASK_QUEUE,
        args: [request],
      })
    },
    takeDone() {
      const taken = done
      done = []
      return taken
    },
    async stop() {
      worker.shutdown()
      await running
      await connection.close()
    },
  }
}
