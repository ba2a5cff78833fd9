import { Worker } from '@temporalio/worker'
import type { NativeConnection, WorkerDeploymentOptions, WorkerOptions } from '@temporalio/worker'
import { workflowBundlePath } from './temporal.ts'

/** In what a worker differs from the one of the present code. */
export interface WorkerVersion {
  /** File with other workflows. */
  readonly bundlePath?: string
  /** Beside the present ones. */
  readonly activities?: object
  readonly deployment?: WorkerDeploymentOptions
  /** Activities it runs at once. */
  readonly activitySlots?: number
}

export interface TestWorker {
  /** Lets it finish what it does; nothing when it has stopped already. */
  readonly stop: () => Promise<void>
}

interface Place {
  readonly connection: NativeConnection
  readonly namespace: string
  readonly taskQueue: string
  readonly activities: object
}

/** A worker in this process, which runs until it is stopped. */
export async function startTestWorker(place: Place, version: WorkerVersion): Promise<TestWorker> {
  const options: WorkerOptions = {
    ...place,
    activities: { ...place.activities, ...version.activities },
    workflowBundle: { codePath: version.bundlePath ?? (await workflowBundlePath()) },
    maxCachedWorkflows: 200,
    ...(version.activitySlots !== undefined && {
      maxConcurrentActivityTaskExecutions: version.activitySlots,
    }),
    ...(version.deployment && { workerDeploymentOptions: version.deployment }),
  }
  const worker = await Worker.create(options)
  const running = worker.run()
  let isStopped = false
  return {
    async stop() {
      if (!isStopped) worker.shutdown()
      isStopped = true
      await running
    },
  }
}
