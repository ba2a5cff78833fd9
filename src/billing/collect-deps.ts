import type { Database } from '../db/connection.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'

/** What collecting an invoice needs. */
export interface CollectDeps {
  readonly db: Database
  readonly stripe: StripeGateway
  /** Called between calls to Stripe: tells Temporal that the step is alive. */
  readonly progress?: () => void
}
