import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { NativeConnection, Worker } from '@temporalio/worker'
import type { Stack } from '../stack/stack.ts'
import type { NothingActivities } from './floor-workflows.ts'

export interface EmptyWorkflows {
  /** Their ids. */
  readonly ids: readonly string[]
  readonly stop: () => Promise<void>
}

const TASK_QUEUE = 'empty'
const activities: NothingActivities = { doNothing: async () => {} }

/** Workflows that only answer updates, on the same Temporal; their worker is in this process, set up as ours. */
export async function startEmptyWorkflows(
  { temporal, client }: Stack,
  count: number,
): Promise<EmptyWorkflows> {
  const connection = await NativeConnection.connect({ address: temporal.address })
  const worker = await Worker.create({
    connection,
    taskQueue: TASK_QUEUE,
    activities: { ...activities },
    workflowsPath: fileURLToPath(new URL('floor-workflows.ts', import.meta.url)),
    maxConcurrentActivityTaskExecutions: 20,
    maxConcurrentWorkflowTaskExecutions: 20,
  })
  const running = worker.run()
  const ids = Array.from({ length: count }, () => `empty/${randomUUID()}`)
  for (const workflowId of ids)
    await client.workflow.start('emptyWorkflow', { workflowId, taskQueue: TASK_QUEUE, args: [] })
  const stop = async (): Promise<void> => {
    worker.shutdown()
    await running
    await connection.close()
  }
  return { ids, stop }
}
