import { setTimeout as pause } from 'node:timers/promises'

/** Work that goes on in the background of a process. */
export interface Periodic {
  /** Waits for the work under way and ends. */
  readonly stop: () => Promise<void>
}

interface Rhythm {
  /** From the end of one time to the next. */
  readonly everyMs: number
  /** Pauses before the first time, too. */
  readonly waitsFirst?: boolean
}

/** Does the work now and then until it is stopped, never twice at once. The work catches what fails. */
export function periodically(
  work: (stopping: AbortSignal) => Promise<void>,
  { everyMs, waitsFirst = false }: Rhythm,
): Periodic {
  const stopping = new AbortController()
  const { signal } = stopping
  const run = async (): Promise<void> => {
    if (waitsFirst) await idle(everyMs, signal)
    while (!signal.aborted) {
      await work(signal)
      await idle(everyMs, signal)
    }
  }
  const running = run()
  return {
    stop: async () => {
      stopping.abort()
      await running
    },
  }
}

/** Ends early, and without an error, when it is stopped. */
async function idle(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
