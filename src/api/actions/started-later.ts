import type { ApiDeps } from '../deps.ts'

/**
 * Waits for a workflow's start that the outbox repeats anyway: it only makes things begin sooner, so that a failure is
 * logged and the request goes on.
 */
export async function startedLater(deps: Pick<ApiDeps, 'log'>, start: Promise<void>): Promise<void> {
  try {
    await start
  } catch (error) {
    deps.log.warn({ err: error }, 'a workflow could not be started now; the outbox starts it later')
  }
}
