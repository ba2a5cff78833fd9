import { Histogram } from 'prom-client'
import type { Registry } from 'prom-client'
import type { StripeObserver } from '../stripe/types.ts'

const CALL_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15]
const WAIT_SECONDS = [0.01, 0.1, 0.5, 1, 5, 15, 60]

/** Calls to Stripe, by endpoint and by what became of them, and the time they waited for its rate limit. */
export function stripeObserver(registry: Registry): StripeObserver {
  const registers = [registry]
  const calls = new Histogram({
    name: 'perennial_stripe_call_duration_seconds',
    help: 'Calls to Stripe: ok, rate_limited, or how the failure is classified (retryable, final, outcome, auth, pinned)',
    labelNames: ['endpoint', 'outcome'],
    buckets: CALL_SECONDS,
    registers,
  })
  const waits = new Histogram({
    name: 'perennial_stripe_limiter_wait_seconds',
    help: 'Time that calls to Stripe were held back to stay below its rate limits',
    buckets: WAIT_SECONDS,
    registers,
  })
  return {
    called: ({ endpoint, outcome, seconds }) => calls.observe({ endpoint, outcome }, seconds),
    waited: (seconds) => waits.observe(seconds),
  }
}
