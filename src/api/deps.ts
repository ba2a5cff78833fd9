import type { FastifyBaseLogger } from 'fastify'
import type { Database } from '../db/connection.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import type { TemporalGateway } from '../temporal/gateway.ts'
import type { ApiObserver } from './observer.ts'

/** What the API needs to know about the installation. */
export interface ApiConfig {
  /** Where Stripe and browsers reach us, e.g. `https://billing.example.com`; no slash at the end. */
  readonly publicUrl: string
}

/** Everything a route may use; no route reaches for the environment, the clock or randomness itself. */
export interface ApiDeps {
  readonly db: Database
  /** A connection apart from the pool, for /readyz: a pool that is in use does not mean that the database is away. */
  readonly watch?: Database
  readonly temporal: TemporalGateway
  readonly stripe: StripeGateway
  readonly config: ApiConfig
  /** A new ULID. */
  readonly newId: () => string
  /** Real time. What a customer is billed by may stand on a test clock: `nowForCustomer` in src/billing. */
  readonly now: () => Date
  readonly log: FastifyBaseLogger
  readonly observer?: ApiObserver
}
