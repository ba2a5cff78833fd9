import type { WorkerDeploymentOptions } from '@temporalio/worker'

/** A version of the workers, under which Temporal knows them. */
export interface WorkerVersion {
  readonly deployment: string
  readonly buildId: string
}

/**
 * Every workflow goes on with the version that is current, at its next step: a subscription lives for years, longer than
 * anybody keeps the workers of the version that began it. What they do in another order than before has a patch
 * (src/workflows/patches.ts), and recorded histories hold every version against it.
 */
export function deploymentOptions({ deployment, buildId }: WorkerVersion): WorkerDeploymentOptions {
  return {
    version: { deploymentName: deployment, buildId },
    useWorkerVersioning: true,
    defaultVersioningBehavior: 'AUTO_UPGRADE',
  }
}
