import { condition, setHandler } from '@temporalio/workflow'
import { tick } from './messages.ts'
import { createTimer } from './timer.ts'

/** Where a workflow's time comes from: real timers, or the ticks of a test clock that stands at `nowMs`. */
export type ClockSource = { readonly kind: 'real' } | { readonly kind: 'test'; readonly nowMs: number }

export interface WorkflowClock {
  nowMs(): number
  /** What to carry into the next run. */
  source(): ClockSource
  /** Waits until the instant (null: forever) or until the predicate holds, whichever is first. */
  waitUntil(dueMs: number | null, interrupted: () => boolean, options: WaitOptions): Promise<void>
}

export interface WaitOptions {
  /** What is waited for, in words. */
  readonly summary: string
  /** Asked at the end: whether the next wait will most likely be for the same instant, so that its timer may run on. */
  readonly keepsTimer?: () => boolean
}

/** One helper for both clocks, so that a test clock exercises the code that production runs. */
export function createClock(source: ClockSource): WorkflowClock {
  let testNowMs = source.kind === 'test' ? source.nowMs : null
  setHandler(tick, ({ nowMs }) => {
    // Ticks may arrive twice or late; time never goes back.
    if (testNowMs !== null) testNowMs = Math.max(testNowMs, nowMs)
  })
  const nowMs = (): number => testNowMs ?? Date.now()
  const timer = createTimer()
  return {
    nowMs,
    source: () => (testNowMs === null ? { kind: 'real' } : { kind: 'test', nowMs: testNowMs }),
    async waitUntil(dueMs, interrupted, { summary, keepsTimer = () => false }) {
      const reached = (): boolean => interrupted() || (dueMs !== null && nowMs() >= dueMs)
      if (testNowMs !== null) return await condition(reached)
      while (!reached()) {
        if (dueMs === null) timer.cancel()
        else timer.runUntil(dueMs, summary)
        await condition(() => reached() || (dueMs !== null && !timer.isRunning()))
      }
      if (!keepsTimer()) timer.cancel()
    },
  }
}
