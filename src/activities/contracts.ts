/**
 * What workflows ask of activities. Types only: the workflow sandbox must never see an implementation. Every payload is
 * ids, instants (epoch milliseconds) and small decisions; rows hold the rest.
 */

/** Common to every command: `requestId` makes it safe to repeat across runs (update ids are deduplicated within one only). */
interface Command {
  readonly requestId: string
}

export type SubscriptionCommand =
  /** `bringsForward`: an end that is planned for later comes forward to this one; else it is refused. */
  | (Command & { readonly kind: 'cancel'; readonly effectiveAtMs: number; readonly bringsForward?: boolean })
  | (Command & { readonly kind: 'unschedule_cancelation' })
  | (Command & { readonly kind: 'release' })
  /** Bill the open period as it is now; `approve` lets it be sent where the profile waits for that. */
  | (Command & { readonly kind: 'invoice_now'; readonly approve?: boolean })
  | (Command & { readonly kind: 'approve_bill'; readonly invoiceId: string })

export type InvoiceCommand =
  | (Command & { readonly kind: 'approve' })
  | (Command & { readonly kind: 'retry' })
  | (Command & { readonly kind: 'void'; readonly reason: string })

/** A command that was refused: the code is from the table in src/domain/errors.ts. */
export interface Refusal {
  readonly code: string
  readonly message: string
}

export interface SubscriptionStep {
  /** When to look again; null when nothing more will ever be due. At or before now: at once. */
  readonly nextDueMs: number | null
  /**
   * A cancelation as of then or later, and its withdrawal, needs rows only, and no earlier wake than `nextDueMs` (but for the
   * spread of closings). Null where every command may need Stripe; left out by workers of 0.1.0.
   */
  readonly quietFromMs?: number | null
  readonly ended: boolean
  readonly lifecycle: string
  /** For people, in the Temporal UI. */
  readonly summary: string
  /** What the next wait is for, in words. */
  readonly waitingFor: string
  readonly refused: Refusal | null
}

export interface InvoiceStep {
  readonly nextDueMs: number | null
  readonly final: boolean
  readonly status: string
  readonly summary: string
  readonly waitingFor: string
  readonly refused: Refusal | null
}

export interface TestClockStep {
  /** The clock stands at its target and every effect has finished. */
  readonly done: boolean
  readonly frozenMs: number
  readonly summary: string
}

/** Activities of `subscription/{id}`. Idempotent: a closing's primary key, a command's request id, the row's version. */
export interface SubscriptionActivities {
  /** Applies the command if there is one, bills at most one closing instant that is due, and says what comes next. */
  advanceSubscription(input: {
    readonly subscriptionId: string
    readonly asOfMs: number
    readonly command?: SubscriptionCommand
  }): Promise<SubscriptionStep>
}

/** Activities of `invoice/{id}`. Idempotent: every effect depends on the row's and Stripe's present state. */
export interface InvoiceActivities {
  /** Takes the invoice as far as it can go now: approve, issue, look at Stripe, retry a payment, end its dunning. */
  advanceInvoice(input: {
    readonly invoiceId: string
    readonly asOfMs: number
    readonly command?: InvoiceCommand
    /** Something happened at Stripe: fetch the invoice and act on what it is now. */
    readonly look: boolean
  }): Promise<InvoiceStep>
}

/** Activities of `test-clock/{id}`. Idempotent: the clock's row says how far it got. */
export interface TestClockActivities {
  /** Moves the clock from due instant to due instant, in order, letting every effect finish; returns now and then. */
  stepTestClock(input: { readonly testClockId: string }): Promise<TestClockStep>
}
