import type { Database } from '../db/connection.ts'
import type { StripeGateway } from '../stripe/gateway-types.ts'
import type { TemporalGateway } from '../temporal/gateway.ts'

export interface ReconcileDeps {
  readonly db: Database
  readonly temporal: Pick<
    TemporalGateway,
    'restartSubscription' | 'restartInvoice' | 'advanceTestClock' | 'poke' | 'openAmong' | 'listOpen'
  >
  readonly stripe: Pick<StripeGateway, 'listEvents' | 'newestEventId' | 'getInvoice'>
}

/** What differs, in the words of the field. */
export type FindingKind =
  | 'workflow_missing'
  | 'workflow_without_row'
  | 'overdue'
  | 'event_missed'
  | 'invoice_only_at_stripe'
  | 'not_compared'

export interface Finding {
  readonly kind: FindingKind
  /** A workflow's id, an event's, an app's, or an invoice's at Stripe. */
  readonly subject: string
  readonly detail: string
  /** Whether it was repaired; in a dry run nothing is. */
  readonly repaired: boolean
}

export interface Look {
  /** Reports, and changes nothing. */
  readonly dryRun: boolean
  /** Real time. */
  readonly now: Date
  /** When it was looked before: what was poked then is not poked as often again. null: somebody asked. */
  readonly lookedAt: Date | null
}

/** Part of a comparison. */
export interface Slice {
  readonly examined: number
  readonly findings: readonly Finding[]
  /** Where this stage goes on; null: it is done. */
  readonly next: string | null
}
