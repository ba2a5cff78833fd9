import type { Registry } from 'prom-client'
import type { BillingObserver } from '../activities/deps.ts'
import type { Database } from '../db/connection.ts'
import type { ReconcilerObserver } from '../reconcile/loop.ts'
import type { RelayObserver } from '../relay/relay.ts'
import type { StripeObserver } from '../stripe/types.ts'
import { billingObserver } from './billing.ts'
import { installationGauges } from './installation.ts'
import { processRegistry } from './registry.ts'
import { reconcilerObserver, relayObserver } from './relay.ts'
import { stripeObserver } from './stripe.ts'

/** Whom the parts of a worker tell what they do, and where it is counted. */
export interface WorkerMetrics {
  readonly registry: Registry
  readonly billing: BillingObserver
  readonly relay: RelayObserver
  readonly reconciler: ReconcilerObserver
  readonly stripe: StripeObserver
}

/** `watch` is a connection to the database apart from the pool: a pool that is in use does not mean that the database is away. */
export function workerMetrics(db: Database, watch: Database): WorkerMetrics {
  const registry = processRegistry(db)
  installationGauges(registry, watch)
  return {
    registry,
    billing: billingObserver(registry),
    relay: relayObserver(registry),
    reconciler: reconcilerObserver(registry),
    stripe: stripeObserver(registry),
  }
}
