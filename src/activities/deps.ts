import type { Database } from '../db/connection.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import type { TemporalGateway } from '../temporal/gateway.ts'

/** What activities are built from; made once a process, in worker.ts. */
export interface ActivityDeps {
  readonly db: Database
  readonly stripe: StripeGateway
  readonly temporal: TemporalGateway
  /** A new ULID: the workflow sandbox has no crypto, so ids are made here. */
  readonly newId: () => string
  /** Spreads closings that are due at one instant over this long; 0 for none. */
  readonly jitterWindowMs: number
  /** Tells the relay that there is something to send. */
  readonly kickRelay: () => void
  /** How often Temporal tries a step that Stripe does not answer before it waits on the customer's clock; default 6. */
  readonly stripeTries?: number
  /** Steps of test clocks that may wait on this worker for longer: they take up room that what they wait for needs. */
  readonly maxClockSteps?: number
  readonly log: ActivityLog
  readonly observer?: BillingObserver
}

/** Told of what was billed to customers in real time; metrics are made of it. */
export interface BillingObserver {
  /** A period was closed, so long after its end. */
  readonly closed: (seconds: number) => void
  /** An invoice was found paid, so long after the end of its period. */
  readonly paid: (seconds: number) => void
}

export interface ActivityLog {
  readonly info: (fields: object, message: string) => void
  readonly warn: (fields: object, message: string) => void
}
