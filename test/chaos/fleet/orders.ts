/** What the harness orders of a process that it started. */
export type Order =
  | {
      /** `kill`: die by SIGKILL at a moment when something is in flight; `watch`: only tell of that moment. */
      readonly order: 'kill' | 'watch'
      readonly id: number
      /** First wait this long. */
      readonly afterMs: number
      /** Then give up when nothing is in flight for this long. */
      readonly patienceMs: number
      /** Where it is noted what was in flight. */
      readonly file: string
    }
  | { readonly order: 'shift'; readonly id: number; readonly ms: number }

/** What a process tells. */
export type Told =
  | { readonly told: 'ready' }
  | {
      readonly told: 'busy' | 'idle' | 'shifted'
      readonly id: number
      readonly inFlight: Readonly<Record<string, number>>
    }
