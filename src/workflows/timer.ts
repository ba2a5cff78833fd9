import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow'

export interface WorkflowTimer {
  /** Begins one that ends at the instant, unless the one that runs does. One that ends elsewhere is canceled first. */
  runUntil(dueMs: number, summary: string): void
  isRunning(): boolean
  cancel(): void
}

/** Longest single timer: the server caps at 100 years, and a far instant is simply waited for again. */
const MAX_TIMER_MS = 365 * 24 * 60 * 60 * 1000

/**
 * One timer at a time that says whether it still runs, for a condition to ask. The SDK's condition with a timeout does the
 * same with twice the promises, and each promise costs a worker a stack trace; and it could not outlast the wait.
 */
export function createTimer(): WorkflowTimer {
  let scope: CancellationScope | null = null
  let running: { readonly dueMs: number } | null = null
  const cancel = (): void => {
    if (running === null) return
    running = null
    scope?.cancel()
    scope = null
  }
  return {
    runUntil(dueMs, summary) {
      if (running?.dueMs === dueMs) return
      cancel()
      // One that was not canceled serves the next timer, too.
      scope ??= new CancellationScope()
      const started = { dueMs }
      running = started
      // Of one that was canceled nobody waits to hear; where its workflow is canceled, the condition says so.
      const stopped = (): void => {
        if (running === started) running = null
      }
      const ms = Math.min(dueMs - Date.now(), MAX_TIMER_MS)
      void scope
        .run(() => sleep(ms, { summary }))
        .then(stopped, (error: unknown) => {
          if (!isCancellation(error)) throw error
          stopped()
        })
    },
    isRunning: () => running !== null,
    cancel,
  }
}
