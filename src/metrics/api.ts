import { Counter, Gauge, Histogram } from 'prom-client'
import type { Registry } from 'prom-client'
import type { ApiObserver } from '../api/observer.ts'

const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30]

/** What the API tells of itself, counted. */
export function apiObserver(registry: Registry): ApiObserver {
  const registers = [registry]
  const duration = new Histogram({
    name: 'perennial_http_request_duration_seconds',
    help: 'Time from a request’s headers to the end of its answer',
    labelNames: ['route', 'method', 'status'],
    buckets: REQUEST_SECONDS,
    registers,
  })
  const inFlight = new Gauge({
    name: 'perennial_http_requests_in_flight',
    help: 'Requests that were begun and not answered yet',
    registers,
  })
  const refused = new Counter({
    name: 'perennial_http_requests_refused_total',
    help: 'Requests refused with 429 before work was begun, by reason',
    labelNames: ['reason'],
    registers,
  })
  const events = new Counter({
    name: 'perennial_usage_events_total',
    help: 'Usage events taken: stored (new), duplicate (there before), invalid (stored, and of no use to any meter)',
    labelNames: ['result'],
    registers,
  })
  const webhooks = new Counter({
    name: 'perennial_stripe_webhooks_total',
    help: 'Deliveries of Stripe’s webhooks: received, repeated, refused (not signed by Stripe), other_mode (live, or test), unheeded (of no use)',
    labelNames: ['result'],
    registers,
  })
  // Series that are there from the start: a rate over a counter that appears with its first increment misses it.
  for (const reason of ['requests', 'commands', 'bodies', 'database', 'key_rate']) refused.inc({ reason }, 0)
  for (const result of ['stored', 'duplicate', 'invalid']) events.inc({ result }, 0)
  for (const result of ['received', 'repeated', 'refused', 'other_mode', 'unheeded'])
    webhooks.inc({ result }, 0)
  return {
    requestBegan: () => inFlight.inc(),
    requestEnded({ route, method, status, seconds }) {
      inFlight.dec()
      duration.observe({ route, method, status }, seconds)
    },
    refused: (reason) => refused.inc({ reason }),
    eventsTaken({ stored, duplicate, invalid }) {
      events.inc({ result: 'stored' }, stored)
      events.inc({ result: 'duplicate' }, duplicate)
      events.inc({ result: 'invalid' }, invalid)
    },
    webhookTaken: (result) => webhooks.inc({ result }),
  }
}
