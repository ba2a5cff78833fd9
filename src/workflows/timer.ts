import { CancellationScope, sleep } from '@temporalio/workflow'

export interface WorkflowTimer {
  start(ms: number, summary: string): void
  isRunning(): boolean
  cancel(): void
}

/** Longest single timer: the server caps at 100 years, and a far instant is simply waited for again. */
const MAX_TIMER_MS = 365 * 24 * 60 * 60 * 1000

/**
 * One timer at a time that says whether it still runs, for a condition to ask. The SDK's condition with a timeout does the
 * same with twice the promises, and each promise costs a worker a stack trace.
 */
export function createTimer(): WorkflowTimer {
  let scope: CancellationScope | null = null
  let running: object | null = null
  return {
    start(ms, summary) {
      // One that was not canceled serves the next timer, too.
      scope ??= new CancellationScope()
      const started = {}
      running = started
      // Of one that was canceled nobody waits to hear; where its workflow is canceled, the condition says so.
      const stopped = (): void => {
        if (running === started) running = null
      }
      void scope.run(() => sleep(Math.min(ms, MAX_TIMER_MS), { summary })).then(stopped, stopped)
    },
    isRunning: () => running !== null,
    cancel() {
      if (running === null) return
      running = null
      scope?.cancel()
      scope = null
    },
  }
}
