import { Context } from '@temporalio/activity'

const EVERY_MS = 2_000

/**
 * Runs a step while telling the server that this worker is alive: a dead one is noticed by its silence within seconds,
 * and its step is run again elsewhere.
 */
export async function withHeartbeat<T>(step: () => Promise<T>): Promise<T> {
  const context = Context.current()
  // A local activity lives with its workflow task, which has a timeout of its own.
  if (context.info.isLocal) return await step()
  // The first is not sent at once: the server counts from when the step began, and most are over by then.
  const timer = setInterval(() => context.heartbeat(), EVERY_MS)
  try {
    return await step()
  } finally {
    clearInterval(timer)
  }
}
