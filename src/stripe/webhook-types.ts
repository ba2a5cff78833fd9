export interface WebhookEndpointRequest {
  readonly url: string
  readonly appId: string
  /** Default: `endpointEvents`. */
  readonly events?: readonly string[]
  /** Another endpoint than the one that an earlier request made: part of the idempotency key. */
  readonly again?: string
}
export interface CreatedWebhookEndpoint {
  readonly endpointId: string
  /** In the clear, only here: encrypt it before it is stored. */
  readonly secret: string
}
export interface WebhookEndpointState {
  readonly exists: boolean
  readonly enabled: boolean
  readonly url: string | null
  /** Events that we need and the endpoint does not send. */
  readonly missingEvents: readonly string[]
  /** What it sends though nothing needs it, as an endpoint of an older version may; `*` where it sends everything. */
  readonly spareEvents: readonly string[]
  /** The version of what it sends; null: the account’s. */
  readonly apiVersion: string | null
}

export interface WebhookToVerify {
  readonly rawBody: Buffer
  readonly header: string | undefined
  /** In the clear; while a secret is being rolled there are two. */
  readonly secrets: readonly string[]
  /** Signatures are always on real time; default now. */
  readonly nowMs?: number
}
/** Ids and types only: what an event says is never acted on, the object is fetched (billing rule 30). */
export interface VerifiedEvent {
  readonly id: string
  readonly type: string
  readonly objectId: string
  /** Our invoice, from the object's (or its parent's) metadata, where Stripe sends it. */
  readonly invoiceId: string | null
  readonly stripeInvoiceId: string | null
  readonly stripeCustomerId: string | null
  readonly createdMs: number
  readonly livemode: boolean
  readonly apiVersion: string | null
  /** A request of ours for an invoice caused it, this one where it is about an invoice of ours: its idempotency key says so. */
  readonly isOwn: boolean
}

export interface EventsQuery {
  /**
   * Of the page before, or the id of the last event seen; null, or an event that Stripe has forgotten, reads everything that
   * it still has (30 days).
   */
  readonly cursor: string | null
  /** Default: `webhookEvents`. */
  readonly types?: readonly string[]
}
export interface EventsPage {
  /** Oldest first. */
  readonly events: readonly VerifiedEvent[]
  /** Pass with the next query. It stays where it was when there are no events. */
  readonly cursor: string | null
}
