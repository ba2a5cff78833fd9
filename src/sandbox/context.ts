import type { Store } from './store.ts'

/** What a handler works with; one is made per request, and one (without a request) for what time itself causes. */
export interface Context {
  readonly store: Store
  /** The machine's clock; objects of customers on a test clock take theirs from `timeOf`. */
  readonly nowMs: () => number
  /** `http://127.0.0.1:port`, for the pages' addresses. */
  readonly origin: string
  /** The account of the caller's key. */
  readonly account?: string
  readonly request: { readonly id: string; readonly idempotency_key: string | null } | null
}

/** Now in seconds: the test clock's frozen time, or real time [stripe docs: test clocks]. */
export function timeOf(ctx: Context, clock: string | null | undefined): number {
  const frozen =
    clock === null || clock === undefined ? undefined : ctx.store.get('clocks', clock)?.frozen_time
  return frozen ?? Math.floor(ctx.nowMs() / 1000)
}
