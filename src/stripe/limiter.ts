import { setTimeout as delay } from 'node:timers/promises'
import type { LimiterOptions } from './types.ts'

/** What Stripe grants (its rate-limits page): 100 requests a second live, 25 in test mode, 25 to one endpoint. */
export const stripeLimits: LimiterOptions = { livePerSecond: 100, testPerSecond: 25, endpointPerSecond: 25 }

/** Keeps an account's burst under Stripe's limits without slowing another account. */
export interface Limiter {
  /** Resolves when the request may be sent. */
  readonly admit: (request: LimitedRequest) => Promise<void>
}
interface LimitedRequest {
  readonly account: string
  readonly livemode: boolean
  /** Method and resource without ids, e.g. `invoices.pay`. */
  readonly endpoint: string
}

/** Instants in ms; tests pass a clock of their own. */
export interface LimiterClock {
  readonly now: () => number
  readonly wait: (ms: number) => Promise<unknown>
}
const realClock: LimiterClock = { now: () => performance.now(), wait: (ms) => delay(ms) }

export function createLimiter(options: LimiterOptions | false, clock: LimiterClock = realClock): Limiter {
  if (options === false) return { admit: () => Promise.resolve() }
  const buckets = new Map<string, Bucket>()
  const bucket = (name: string, perSecond: number): Bucket => {
    const existing = buckets.get(name)
    if (existing !== undefined) return existing
    const created = new Bucket(perSecond, clock.now())
    buckets.set(name, created)
    return created
  }
  return {
    async admit({ account, livemode, endpoint }) {
      const perSecond = livemode ? options.livePerSecond : options.testPerSecond
      const nowMs = clock.now()
      const waitMs = Math.max(
        bucket(account, perSecond).reserve(nowMs),
        bucket(`${account} ${endpoint}`, options.endpointPerSecond).reserve(nowMs),
      )
      if (waitMs > 0) await clock.wait(waitMs)
    },
  }
}

/** A token bucket that lends: the balance may go below zero, and the debt is the time to wait, in order of arrival. */
class Bucket {
  readonly #perSecond: number
  #tokens: number
  #atMs: number

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond
    this.#atMs = nowMs
  }

  reserve(nowMs: number): number {
    const earned = ((nowMs - this.#atMs) / 1000) * this.#perSecond
    this.#tokens = Math.min(this.#perSecond, this.#tokens + earned) - 1
    this.#atMs = nowMs
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens / this.#perSecond) * 1000)
  }
}
